"""What each command answers. Commands cost no model call and wait for no other turn."""

from __future__ import annotations

from dataclasses import dataclass

from conversations import delivery_store, question_store, store, turn_store
from conversations.commands import Command, read_command
from conversations.diffs import Diffs
from conversations.lifting import lift
from conversations.links import tell_link
from conversations.orders import read_order
from conversations.pairing import Pairing
from conversations.reports import Reports, list_promises
from conversations.store import Why
from conversations.turn import Turn
from conversations.turns import Gate
from core.access import Action, may
from core.clock import Clock
from core.database import Database
from core.errors import Unknown
from core.protocols import Call, LinkSearch, PromiseMaker

HELP = """I answer here, and take on long jobs as promises. Commands, with or without the slash where they stand alone:
/ping: whether I am well
/status: the same, what I am at in this chat, and which promises are open
/workspace: what this chat works in, and what it may do
/usage: what this workspace has used, and what that cost
/stop: end what I am doing for you
/promise TEXT: take on a long job (options go first: type=analysis at="2026-12-01 09:00" every=1d zone=Europe/Berlin \
after=7)
/promises: what I have promised in this workspace
/cancel NUMBER: cancel a promise (or reply `cancel` to it)
/retry NUMBER: take up again a promise that failed or was cancelled (or reply `retry` to it)
/approve NUMBER, /refuse NUMBER: allow what a promise asks for, or not (or reply so to its question)
/diff NUMBER: what a promise has changed in files, or waits to be allowed to change (or reply `/diff` to it)
/link WORDS: the links that were saved here
/why NUMBER: why a message was or was not answered (or reply `/why` to it)"""

LISTED = 10


@dataclass(frozen=True, slots=True)
class CommandAnswers:
    """Implements conversations.turns.Answer for turns of kind `command`."""

    database: Database
    clock: Clock
    promises: PromiseMaker
    links: LinkSearch
    reports: Reports
    pairing: Pairing
    diffs: Diffs

    async def __call__(self, turn: Turn, prompt: str, gate: Gate) -> str:
        command = read_command(prompt) or Command("help")
        match command.name:
            case "start" | "ping" | "status" | "usage" | "workspace":
                return await self._report(turn, command)
            case "stop":
                return await self._why_not_stopped(turn)
            case "promise":
                return await self._promise(turn, command)
            case "promises" | "link":
                return await self._list(turn, command)
            case "cancel" | "retry":
                return await self._move(turn, command)
            case "approve" | "refuse":
                return await self._decide(turn, command)
            case "why" | "diff":
                return await self._explain(turn, command)
            case "lift" | "admit" | "deny":
                return await self._administer(turn, command)
            case "self-ping":
                return command.rest
            case _:
                return HELP

    async def _report(self, turn: Turn, command: Command) -> str:
        match command.name:
            case "start":
                return self.reports.greet(turn)
            case "status":
                return await self.reports.status(turn)
            case "usage":
                return await self.reports.usage(turn)
            case "workspace":
                return self.reports.workspace(turn)
            case _:
                return await self.reports.ping()

    async def _why_not_stopped(self, turn: Turn) -> str:
        running = await self.database.read(lambda connection: turn_store.running(connection, turn.chat))
        if running is None:
            return "Nothing is running in this chat."
        return f"This is {running.requester_name}'s work: only they or an owner may stop it."

    async def _promise(self, turn: Turn, command: Command) -> str:
        """Empty: the promise's own acknowledgement is the answer."""
        call = Call(turn.run_id, "command", turn_id=turn.id)
        kind = "code" if may(turn.role, Action.CODE) else "analysis"
        await self.promises.make(read_order(command.rest, kind), turn.asker, call)
        return ""

    async def _move(self, turn: Turn, command: Command) -> str:
        number = await self._number_of(turn, command)
        if command.name == "retry":
            return await self._retry(turn, number)
        view = await self.promises.cancel(number, turn.asker)
        return f"Promise #{view.id} is {'' if view.status == 'cancelled' else 'being '}cancelled."

    async def _retry(self, turn: Turn, number: int) -> str:
        """Empty where the promise's own words are the answer: they are told in the chat that it was made in."""
        await self.promises.retry(number, turn.asker, Call(turn.run_id, "command", turn_id=turn.id))
        told = await self.database.read(lambda connection: delivery_store.promises_of(connection, turn.id))
        return "" if number in told else f"Promise #{number} is taken up again."

    async def _decide(self, turn: Turn, command: Command) -> str:
        number = await self._number_of(turn, command)
        question = command.question or await self._question_replied_to(turn, number)
        call = Call(turn.run_id, "command", turn_id=turn.id)
        if command.name == "refuse":
            view = await self.promises.refuse(number, turn.asker, question, call)
            return f"Promise #{view.id} is {view.status}: what it asked for is refused."
        view = await self.promises.grant(number, turn.asker, question, call)
        return f"Promise #{view.id} goes on: what it asked for is allowed, this once."

    async def _number_of(self, turn: Turn, command: Command) -> int:
        """The promise that a command names or replies to."""
        if command.number is not None:
            return command.number
        name, found = command.name, await self._promises_replied_to(turn)
        if len(found) > 1:
            told = " and ".join(f"#{number}" for number in found)
            raise Unknown(f"That message speaks of {told}. Say which promise: /{name} NUMBER.")
        if not found:
            raise Unknown(f"Say which promise: /{name} NUMBER, or reply `{name}` to its message.")
        return found[0]

    async def _promises_replied_to(self, turn: Turn) -> list[int]:
        """Also where the message stands in the group that the chat was."""
        replied = turn.asked[-1].replied
        if replied is None:
            return []
        return await self.database.read(lambda connection: delivery_store.promises_in(connection, *replied))

    async def _question_replied_to(self, turn: Turn, promise_id: int) -> int | None:
        """A word to the message that asks means that question, whatever was asked since."""
        replied = turn.asked[-1].replied
        if replied is None:
            return None
        return await self.database.read(lambda connection: question_store.number_of(connection, *replied, promise_id))

    async def _explain(self, turn: Turn, command: Command) -> str:
        if command.name == "diff":
            run = command.rest.strip() or str(await self._number_of(turn, command))
            return await self.diffs.tell(turn.workspace, turn.role, run)
        number = command.number or turn.asked[-1].reply_to
        if number is None:
            raise Unknown("Say which message: reply `/why` to it, or give its number.")
        found = await self.database.read(lambda connection: store.why(connection, turn.chat.key, number))
        here = [why for why in found if why.chat == turn.chat]
        if not here:
            raise Unknown(f"No message {number} of this chat is stored.")
        return tell_why(here[0])

    async def _list(self, turn: Turn, command: Command) -> str:
        if command.name == "promises":
            listed = list_promises(await self.promises.list_for(turn.asker), self.clock.now())
            return listed or "Nothing is promised in this workspace."
        found = await self.links.search(turn.workspace, command.rest, LISTED)
        if not found:
            return "No saved link holds all of these words." if command.rest.strip() else "No link is saved here yet."
        return "\n\n".join(tell_link(link) for link in found)

    async def _administer(self, turn: Turn, command: Command) -> str:
        if command.name == "lift":
            return await self._lift(turn, command)
        return await self.pairing.decide(command.number, turn, admitted=command.name == "admit")

    async def _lift(self, turn: Turn, command: Command) -> str:
        key, config, now = command.rest.strip() or turn.chat.key, self.reports.config(), self.clock.now()
        return await self.database.write("lift", lambda connection: lift(connection, turn, key, config, now))


def tell_why(why: Why) -> str:
    turn = f" (turn {why.turn_id}: {why.turn_status})" if why.turn_id is not None else ""
    return f"Message {why.message_id} by {why.sender} was {'' if why.answer else 'not '}answered: {why.reason}{turn}."
