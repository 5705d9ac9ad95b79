"""Reactions, read marks and typing: what a chat shows of the work. A refused one is logged and costs nothing else.

How it ended stands in the chat for good, so that sign is shown once more where it was refused for the moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

import structlog

from core.clock import Clock
from core.errors import FloodWait, FrontError, SessionError, Unreachable
from core.message import Chat, Sign
from core.protocols import Front

log = structlog.get_logger("telegram.signs")

# Every emoji is one that Telegram allows as a reaction.
SIGNS = {
    Sign.SEEN: "👀",
    Sign.WORKING: "✍",
    Sign.DONE: "👍",
    Sign.SILENT: "👌",
    Sign.FAILED: "💔",
}
LAST = frozenset({Sign.DONE, Sign.SILENT, Sign.FAILED})
AGAIN_AFTER = 30.0  # seconds, where the service has asked for no other wait
TYPING_AFTER = 0.3
WORKING_AFTER = 1.0
GOODBYE = 1.0
TYPING_EVERY = 4.0  # Telegram shows one for about five seconds

READ, TYPING = "read", "typing"
Key = int | str  # what a sign is about: a message, the end of what was read, or our being there

Show = Callable[[Front], Awaitable[None]]


@dataclass(frozen=True, slots=True, eq=False)
class _Due:
    """A sign to be shown. `is_last`: shown once more later where it is refused for the moment."""

    number: int
    show: Show
    is_last: bool = False


class Signs:
    """Shows signs in the background, in order within a chat; nothing waits for them.

    A sign that has not been shown yet makes way for the next one of the same message.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._fronts: dict[str, Front] = {}
        self._waiting: dict[Chat, dict[Key, _Due]] = {}
        self._late: dict[tuple[Chat, Key], _Due] = {}
        self._workers: dict[Chat, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()  # those of the workers as well
        self._closing = False

    def attach(self, front: Front) -> None:
        self._fronts[front.name] = front

    def show(self, chat: Chat, message_ids: Iterable[int], sign: Sign) -> None:
        for number in message_ids:
            self._enqueue(chat, number, _Due(number, partial(_react, chat, number, sign), sign in LAST))

    def mark_read(self, chat: Chat, message_id: int) -> None:
        waiting = self._waiting.get(chat, {}).get(READ)
        newest = message_id if waiting is None else max(message_id, waiting.number)
        self._enqueue(chat, READ, _Due(newest, lambda front: front.mark_read(chat, newest)))

    @asynccontextmanager
    async def working(self, chat: Chat, message_ids: tuple[int, ...]) -> AsyncGenerator[None]:
        """Typing while the block runs, and the sign of work once it has run for a second."""
        presence = asyncio.create_task(self._be_present(chat, message_ids), name=f"typing {chat.key}")
        try:
            yield
        finally:
            presence.cancel()

    async def close(self) -> None:
        """Show what is still to be shown, as far as that goes within the time for goodbyes."""
        if self._workers:
            await asyncio.wait(self._workers.values(), timeout=GOODBYE)
        self._closing = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _enqueue(self, chat: Chat, key: Key, due: _Due) -> None:
        if chat.front not in self._fronts or self._closing:
            return
        self._late.pop((chat, key), None)
        self._waiting.setdefault(chat, {})[key] = due
        if chat not in self._workers:
            self._begin(chat)

    def _begin(self, chat: Chat) -> None:
        self._workers[chat] = task = self._spawn(self._work(chat), f"signs {chat.key}")
        task.add_done_callback(lambda done: self._ended(chat, done))

    def _ended(self, chat: Chat, worker: asyncio.Task[None]) -> None:
        del self._workers[chat]
        if not worker.cancelled() and (error := worker.exception()) is not None:
            log.error("A sign could not be shown.", chat=chat.key, exc_info=error)
        if not self._waiting[chat]:
            del self._waiting[chat]
        elif not self._closing:  # an error takes one sign with it, not the others
            self._begin(chat)

    def _spawn(self, deed: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(deed, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _work(self, chat: Chat) -> None:
        front, waiting = self._fronts[chat.front], self._waiting[chat]
        while waiting:
            key = next(iter(waiting))
            due = waiting.pop(key)
            try:
                await due.show(front)
            except (FrontError, SessionError) as error:
                log.info("A sign was not shown.", front=front.name, error=str(error))
                if due.is_last and key not in waiting and isinstance(error, FloodWait | Unreachable):
                    self._put_off(chat, key, due, error.seconds if isinstance(error, FloodWait) else AGAIN_AFTER)

    def _put_off(self, chat: Chat, key: Key, due: _Due, seconds: float) -> None:
        """Show it once more in so many seconds, unless the message has got a newer sign by then."""
        self._late[chat, key] = due
        self._spawn(self._show_later(chat, key, due, seconds), f"late sign {chat.key}")

    async def _show_later(self, chat: Chat, key: Key, due: _Due, seconds: float) -> None:
        await self._clock.sleep(seconds)
        if self._late.get((chat, key)) is due:
            self._enqueue(chat, key, replace(due, is_last=False))

    async def _be_present(self, chat: Chat, message_ids: tuple[int, ...]) -> None:
        await self._clock.sleep(TYPING_AFTER)
        self._show_typing(chat)
        await self._clock.sleep(WORKING_AFTER - TYPING_AFTER)
        self.show(chat, message_ids, Sign.WORKING)
        while True:
            self._show_typing(chat)
            await self._clock.sleep(TYPING_EVERY)

    def _show_typing(self, chat: Chat) -> None:
        """Not behind signs that are waiting themselves: late typing tells nothing."""
        if chat not in self._workers:
            self._enqueue(chat, TYPING, _Due(0, lambda front: front.show_typing(chat)))


async def _react(chat: Chat, number: int, sign: Sign, front: Front) -> None:
    await front.react(chat, number, SIGNS[sign])
