"""Answer: one turn at a time per chat, many chats at once."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

import structlog
from sqlalchemy import Connection

from conversations import turn_store
from conversations.answer_store import answer_turn, conclude
from conversations.buttons import diff_button
from conversations.delivery import ANSWER, Draft
from conversations.delivery_store import BUTTONED
from conversations.history import History, write_prompt
from conversations.media import Media
from conversations.moves import Moves
from conversations.outbox import Outbox
from conversations.signs import Signs
from conversations.steering import pass_on
from conversations.turn import Ending, Turn, TurnKind
from core.clock import Clock
from core.database import Database, T, Work
from core.errors import DatabaseError, ValorError
from core.events import Events, TurnEnded
from core.message import Chat, Sign
from core.owner import Owner
from runtime.store import changed_in

log = structlog.get_logger("agents.turns")
DEATHS = 3  # a message that ended the server this often is set aside
RETRY = 1.0
UNEXPECTED = "Something went wrong on my side"

Gate = Callable[[], Awaitable[None]]


class Answer(Protocol):
    """How a turn is answered: `gate` is awaited before a tool's first effect; the result is Markdown, or empty."""

    async def __call__(self, turn: Turn, prompt: str, gate: Gate) -> str: ...


class DoneSoFar(Protocol):
    """What a run has done so far, a line each, for the chat of a stopped turn."""

    async def __call__(self, run_id: str) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class TurnDoors:
    """Everything that answering needs of its neighbours."""

    database: Database
    clock: Clock
    events: Events
    owner: Owner
    outbox: Outbox
    signs: Signs
    history: History
    media: Media
    answer_agent: Answer
    answer_command: Answer
    done_so_far: DoneSoFar
    moves: Moves


@dataclass(slots=True)
class _Running:
    """The turn a chat is at, its work, and why the work was cancelled if it was."""

    turn: Turn
    work: asyncio.Task[str]
    joined: bool = False
    stopped: bool = False


class Turns:
    """Begins, runs and ends turns. `wake` after every commit that opens one."""

    def __init__(self, doors: TurnDoors) -> None:
        self._doors = doors
        self._chats: dict[Chat, asyncio.Task[None]] = {}
        self._commands: set[asyncio.Task[None]] = set()
        self._running: dict[int, _Running] = {}
        self._again: set[Chat] = set()
        self._broken: dict[Chat, bool] = {}  # chats with a turn that could not be ended; whether that counts as a death
        self._closing = False

    async def recover(self) -> None:
        """Open again what another process left running; set aside what has ended the server too often."""
        for turn in await self._read(lambda connection: turn_store.interrupted(connection, str(self._doors.owner))):
            if turn.attempts >= DEATHS:
                await self._end(turn, _set_aside())
            else:
                await self._write("reopen", lambda connection, one=turn: turn_store.reopen(connection, one))

    async def begin_all(self, fronts: list[str]) -> None:
        """Serve every turn that waits on these fronts, and what is owed: a group's may be owed elsewhere by now."""
        self._doors.outbox.wake()
        for turn_id, chat, kind in await self._read(lambda connection: turn_store.open_turns(connection, fronts)):
            self.wake(chat, turn_id if kind is TurnKind.COMMAND else None)

    def wake(self, chat: Chat, command: int | None = None) -> None:
        """A turn waits in `chat`; `command` is the number of one that waits for no other."""
        if self._closing:
            return
        if command is not None:
            self._begin_command(command)
        elif chat in self._chats:
            self._again.add(chat)
        else:
            self._chats[chat] = asyncio.create_task(self._serve(chat), name=f"turns {chat.key}")
            self._chats[chat].add_done_callback(lambda done: self._ended(chat, done))

    def take_in(self, turn_id: int, joined: int) -> None:
        """A message joined the running turn as its `joined`th: its model call, which has shown nothing, starts again
        with it."""
        running = self._running.get(turn_id)
        if running is not None and running.turn.joined < joined:
            running.joined = True
            running.work.cancel()

    def stop(self, turn_id: int) -> None:
        """Somebody with the right asked for the end of this turn; the row says so already. One that has not begun waits
        for no other to say so."""
        running = self._running.get(turn_id)
        if running is not None:
            running.stopped = True
            running.work.cancel()
        elif not self._closing:
            task = asyncio.create_task(self._stop_waiting(turn_id), name=f"stop {turn_id}")
            self._commands.add(task)
            task.add_done_callback(self._commands.discard)

    async def close(self) -> None:
        """Leave what runs for the next process to go on with, without counting it as a death."""
        self._closing = True
        owner, tasks = str(self._doors.owner), [*self._chats.values(), *self._commands]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            await self._write("leave", lambda connection: turn_store.leave(connection, owner))
        except DatabaseError as error:
            log.warning("What ran counts as interrupted.", error=str(error))

    def _ended(self, chat: Chat, served: asyncio.Task[None]) -> None:
        del self._chats[chat]
        if (error := _error_of(served)) is not None:
            self._broken[chat] = not isinstance(error, DatabaseError)
            asyncio.get_running_loop().call_later(RETRY, self.wake, chat)
        elif chat in self._again:
            self._again.discard(chat)
            self.wake(chat)
        elif (there := self._doors.moves.destination_of(chat)) != chat:
            self.wake(there)  # what waited for this chat's turn went there meanwhile

    def _begin_command(self, turn_id: int, *, is_death: bool | None = None) -> None:
        """`is_death` None: it begins for the first time; else it could not be ended, and whether that counts."""
        if not self._closing:
            task = asyncio.create_task(self._answer_command(turn_id, is_death), name=f"command {turn_id}")
            self._commands.add(task)
            task.add_done_callback(lambda done: self._command_ended(turn_id, done))

    def _command_ended(self, turn_id: int, answered: asyncio.Task[None]) -> None:
        self._commands.discard(answered)
        if (error := _error_of(answered)) is not None:
            again = partial(self._begin_command, turn_id, is_death=not isinstance(error, DatabaseError))
            asyncio.get_running_loop().call_later(RETRY, again)

    async def _serve(self, chat: Chat) -> None:
        if chat in self._broken:
            is_death = self._broken[chat]
            await self._write("again", lambda connection: turn_store.run_again(connection, chat, is_death=is_death))
            del self._broken[chat]
        turn = await self._claim(chat)
        while turn is not None:
            turn = await self._claim(chat) if await self._answer(turn) else None

    async def _claim(self, chat: Chat) -> Turn | None:
        owner, now = str(self._doors.owner), self._doors.clock.now()
        return await self._write("claim", lambda connection: turn_store.claim(connection, chat, owner, now))

    async def _answer_command(self, turn_id: int, is_death: bool | None) -> None:
        """One that begins again counts as running, but nobody is at it."""
        owner, now = str(self._doors.owner), self._doors.clock.now()

        def begin(connection: Connection) -> Turn | None:
            held = None if is_death is None else turn_store.find(connection, turn_id)
            if held is not None:
                turn_store.reopen(connection, held, is_death=bool(is_death))
            return turn_store.begin(connection, turn_id, owner, now)

        turn = await self._write("claim", begin)
        if turn is not None:
            await self._answer(turn)

    async def _answer(self, turn: Turn) -> bool:
        """Work until the turn ends with everything in it that joined; whether another one may wait in its chat."""
        current: Turn | None = turn
        while current is not None:
            ending = _set_aside() if current.attempts > DEATHS else await self._work(current)
            closed = None if ending is None else await self._end(current, ending)
            if closed is not None:
                return closed.has_next
            again = current
            current = await self._write("renew", lambda connection, one=again: turn_store.renew(connection, one))
        return True

    async def _work(self, turn: Turn) -> Ending | None:
        """How the work ended; None when it has to begin again with what joined."""
        if turn.stop_requested_by is not None:
            return await self._stopped(turn)
        work = asyncio.create_task(self._call(turn), name=f"turn {turn.id}")
        running = self._running[turn.id] = _Running(turn, work)
        try:
            return Ending("done", await work)
        except asyncio.CancelledError as error:
            if _is_cancelled_itself():
                raise
            if running.stopped:
                return await self._stopped(turn)
            return None if running.joined else _failed(UNEXPECTED, error, turn)
        except _JoinedError:
            return None
        except DatabaseError:
            raise  # the turn is begun again, and what it had done is in its journal
        except ValorError as error:
            return _failed(str(error), error, turn)
        except Exception as error:  # the outermost loop of a turn: its chat is told, with an id that finds the log line
            log.exception("A turn failed.", turn=turn.id)
            return _failed(UNEXPECTED, error, turn)
        finally:
            del self._running[turn.id]

    async def _call(self, turn: Turn) -> str:
        if turn.kind is TurnKind.COMMAND:
            return await self._doors.answer_command(turn, turn.prompt, _no_gate)
        context = await self._doors.history.context(turn)
        async with self._doors.signs.working(turn.chat, turn.numbers):
            prompt = write_prompt(turn, context, await self._doors.media.words(turn))
            return await self._doors.answer_agent(turn, prompt, self._gate_of(turn))

    async def _stop_waiting(self, turn_id: int) -> None:
        """What goes wrong here is tried again when the turn's time comes."""
        try:
            turn = await self._read(lambda connection: turn_store.find(connection, turn_id))
            if turn is not None:
                await self._end(turn, await self._stopped(turn))
        except DatabaseError as error:
            log.warning("A turn that waits is not stopped yet.", turn=turn_id, error=str(error))

    def _gate_of(self, turn: Turn) -> Gate:
        sealed = False

        async def gate() -> None:
            nonlocal sealed
            sealed = sealed or await self._write("seal", lambda connection: turn_store.seal(connection, turn))
            if not sealed:
                raise _JoinedError

        return gate

    async def _stopped(self, turn: Turn) -> Ending:
        done = await self._doors.done_so_far(turn.run_id)
        told = "Done so far:\n" + "\n".join(f"- {line}" for line in done) if done else "Nothing had been done yet."
        return Ending("stopped", f"Stopped. {told}")

    async def _end(self, turn: Turn, ending: Ending) -> _Closed | None:
        """Commit the end and what is told of it; None when what the turn was to answer has changed meanwhile."""
        now = self._doors.clock.now()
        closed = await self._write("end", lambda connection: _close(connection, turn, ending, now))
        if closed is not None:
            self._doors.events.publish(TurnEnded(turn.id, turn.chat, ending.status))
            self._doors.outbox.wake(turn.chat)
            self._doors.signs.show(turn.chat, closed.silent, Sign.SILENT)
        return closed

    async def _read(self, work: Work[T]) -> T:
        return await self._doors.database.read(work)

    async def _write(self, name: str, work: Work[T]) -> T:
        return await self._doors.database.write(f"turn.{name}", work)


@dataclass(frozen=True, slots=True)
class _Closed:
    """An ended turn: the messages to which nothing is told, and whether another one waits in its chat."""

    silent: tuple[int, ...]
    has_next: bool


class _JoinedError(Exception):
    """A message joined before the first effect: the run begins again with it."""


async def _no_gate() -> None:
    return None


def _close(connection: Connection, turn: Turn, ending: Ending, now: datetime) -> _Closed | None:
    """End the turn, write what is told of it and hand on what it did not take up.

    None when the turn cannot end like that, nothing is changed then.
    """
    if not turn_store.close(connection, turn, ending, now):
        return None
    pass_on(connection, turn, ending, now)
    buttons = diff_button(f"turn:{turn.id}") if _has_something_to_show(connection, turn) else ()
    reply_to = turn.reply_to or None
    draft = Draft(turn.chat, ANSWER, ending.text, reply_to=reply_to, turn_id=turn.id, buttons=buttons)
    silent = () if _tell(connection, draft, ending, now) else turn_store.numbers_of(connection, turn.id)
    return _Closed(silent, turn_store.has_next(connection, turn.chat))


def _has_something_to_show(connection: Connection, turn: Turn) -> bool:
    """Whether it changed files, in a chat that has buttons."""
    return turn.chat.front.startswith(BUTTONED) and bool(changed_in(connection, turn.run_id))


def _tell(connection: Connection, draft: Draft, ending: Ending, now: datetime) -> bool:
    """Write what the chat is told at the end, whose arrival will show how it went; False when there is nothing."""
    tell = answer_turn if ending.status == "done" and draft.pieces else conclude
    return bool(tell(connection, draft, now))


def _is_cancelled_itself() -> bool:
    """Whether the task that waits is to end, not only what it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _error_of(task: asyncio.Task[None]) -> BaseException | None:
    """The error that a task ended with, which is then in the log."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        log.error("A turn could not be brought to its end; it is tried again.", task=task.get_name(), exc_info=error)
    return error


def _failed(sentence: str, error: BaseException, turn: Turn) -> Ending:
    error_id = f"E-{secrets.token_hex(3)}"
    log.warning(
        "A turn ended with an error.", turn=turn.id, error_id=error_id, error=f"{type(error).__name__}: {error}"
    )
    return Ending("failed", f"{sentence.rstrip('.')}. ({error_id})", error_id, f"{type(error).__name__}: {error}")


def _set_aside() -> Ending:
    error_id = f"E-{secrets.token_hex(3)}"
    sentence = f"I set this message aside: I was ended {DEATHS} times while working on it. ({error_id})"
    return Ending("aside", sentence, error_id, "the server ended each time")
