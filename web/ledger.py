"""The web's doors onto the ledger and the promises."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from conversations import delivery_store, store, turn_store
from conversations.reception import Reception
from core.audit import Audit
from core.audit_store import Refused
from core.clock import Clock
from core.database import Database
from core.errors import Unknown
from core.events import Events, PromiseChanged, Told, TurnEnded, TurnGrew, Watch
from core.message import Chat, ChatKind, Message, Person
from core.protocols import Asker, PromiseView
from core.workspaces import Role, WorkspaceConfig
from integrations.local import NAME, LocalFront
from promises import store as promise_store
from promises.agenda import Appointment, read_agenda
from promises.promise import Promise
from promises.retry_store import FORMER_RUNS
from promises.service import Promises
from runtime.traces import Trace, read_trace
from web.doors import Accepted, Change, ChatReply, Delivered, Grown, Kept, Line, Listener, Made, Question, Reason

OWNER = Person(0, name="You")
NEWEST = 1 << 62  # a number that every message is older than


@dataclass(frozen=True, slots=True)
class LedgerChat:
    """Implements web.doors.ChatDoor: questions go the way of every message."""

    database: Database
    clock: Clock
    events: Events
    reception: Reception
    front: LocalFront
    config: Callable[[], WorkspaceConfig]

    async def ask(self, question: Question, on_event: Listener) -> ChatReply:
        if question.workspace is not None:
            self.config().resolve(question.workspace)
        with self.events.watch() as watch:
            receipt = await self.reception.take(self._message(question))
            on_event(Accepted(receipt.message.id))
            turn_id, before = receipt.turn_id, None
            while turn_id is not None and turn_id != before:
                await self._end_of(turn_id, watch, on_event)
                turn_id, before = await self._turn_of(receipt.message), turn_id
        if turn_id is None:
            return ChatReply(receipt.message.id, "")
        reply = await self._reply(receipt.message.id, turn_id)
        for promise in reply.promises:
            on_event(Made(promise))
        return reply

    def _message(self, question: Question) -> Message:
        return Message(
            chat=Chat(NAME, question.chat),
            id=self.front.next_number(),
            kind=ChatKind.LOCAL,
            sender=OWNER,
            sent_at=self.clock.now(),
            text=question.text.replace("\0", ""),
            inbound_key=question.key,
            workspace=question.workspace,
        )

    async def _end_of(self, turn_id: int, watch: Watch, on_event: Listener) -> None:
        if await self.database.read(lambda connection: turn_store.is_ended(connection, turn_id)):
            return
        async for event in watch:
            match event:
                case TurnGrew(turn_id=grown, text=text) if grown == turn_id:
                    on_event(Grown(text))
                case TurnEnded(turn_id=ended) if ended == turn_id:
                    return
                case _:
                    pass

    async def _turn_of(self, message: Message) -> int | None:
        """The turn that answers a message: one that was said too late for its first turn is handed on to the next."""
        known = await self.database.read(lambda connection: store.find_message(connection, message))
        return known and known.turn_id

    async def _reply(self, message_id: int, turn_id: int) -> ChatReply:
        def read(connection: Connection) -> ChatReply:
            numbers = delivery_store.promises_of(connection, turn_id)
            found = [promise_store.find(connection, number) for number in numbers]
            made = tuple(promise.view for promise in found if promise is not None)
            return ChatReply(message_id, delivery_store.answer_of(connection, turn_id), made)

        return await self.database.read(read)

    async def lines(self, chat: str, limit: int) -> Sequence[Line]:
        here = Chat(NAME, chat)
        said = await self.database.read(lambda connection: store.recent(connection, here, NEWEST, limit))
        return [Line(one.message_id or 0, one.sender == store.OURS, one.at, one.text) for one in said]

    async def workspaces(self) -> Sequence[str]:
        return [workspace.name for workspace in self.config().workspaces]


@dataclass(frozen=True, slots=True)
class LedgerPromises:
    """Implements web.doors.PromiseDoor: the page acts as owner."""

    database: Database
    promises: Promises

    async def list(self, limit: int) -> Sequence[PromiseView]:
        found = await self.database.read(lambda connection: promise_store.newest(connection, None, limit))
        return [promise.view for promise in found]

    async def show(self, promise_id: int) -> Kept:
        promise = await self._find(promise_id)
        result = await self.database.read(lambda connection: promise_store.result_of(connection, promise_id))
        return Kept(
            promise=promise.view,
            chat=promise.chat,
            workspace=promise.workspace,
            requester=promise.requester_name,
            attempts=promise.attempts,
            run_id=promise.run_id,
            former_runs=tuple(promise.metadata.get(FORMER_RUNS, ())),
            result=result,
        )

    async def cancel(self, promise_id: int) -> PromiseView:
        return await self.promises.cancel(promise_id, _owner_of(await self._find(promise_id)))

    async def retry(self, promise_id: int) -> PromiseView:
        return await self.promises.retry(promise_id, _owner_of(await self._find(promise_id)), None)

    async def agenda(self, limit: int) -> Sequence[Appointment]:
        return await self.database.read(lambda connection: read_agenda(connection, limit))

    async def _find(self, promise_id: int) -> Promise:
        found = await self.database.read(lambda connection: promise_store.find(connection, promise_id))
        if found is None:
            raise Unknown(f"There is no promise #{promise_id}.")
        return found


def _owner_of(promise: Promise) -> Asker:
    """Who sits at this machine, where the promise belongs."""
    return Asker(Chat(NAME, "page"), None, OWNER.id, OWNER.name, Role.OWNER, promise.workspace)


@dataclass(frozen=True, slots=True)
class LedgerRuns:
    """Implements web.doors.RunDoor."""

    database: Database

    async def trace(self, name: str) -> Trace:
        return await self.database.read(lambda connection: read_trace(connection, name))


@dataclass(frozen=True, slots=True)
class LedgerWhy:
    """Implements web.doors.WhyDoor."""

    database: Database

    async def why(self, chat: str, message_id: int) -> Sequence[Reason]:
        found = await self.database.read(lambda connection: store.why(connection, chat, message_id))
        return [
            Reason(why.chat.front, chat, message_id, why.sender, why.sent_at, why.answer, why.reason) for why in found
        ]


@dataclass(frozen=True, slots=True)
class LedgerFeed:
    """Implements web.doors.Feed."""

    events: Events

    async def watch(self) -> AsyncGenerator[Change]:
        with self.events.watch() as watch:
            async for event in watch:
                if isinstance(event, PromiseChanged):
                    yield event.promise
                elif isinstance(event, Told) and event.chat.front == NAME and event.message_id is not None:
                    yield Delivered(event.chat.key, event.message_id, event.reply_to, event.kind, event.text)


@dataclass(frozen=True, slots=True)
class LedgerAudit:
    """Implements web.doors.Audit."""

    audit: Audit

    def refuse(self, client: str, reason: str) -> None:
        self.audit.note(Refused("web", reason, place=client))
