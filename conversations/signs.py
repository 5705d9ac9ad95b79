"""Reactions, read marks and typing: what a chat shows of the work. A refused one is logged and costs nothing else.

How it ended stands in the chat for good, so that sign is shown once more where it was refused for the moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

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
GOODBYE = 2.0
TYPING_EVERY = 4.0  # Telegram shows one for about five seconds

Show = Callable[[Front], Awaitable[None]]


class Signs:
    """Shows signs in the background, in order within a chat; nothing waits for them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._fronts: dict[str, Front] = {}
        self._last: dict[Chat, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ends: dict[tuple[Chat, int], Show] = {}  # last signs that are still to be shown, the newest of a message

    def attach(self, front: Front) -> None:
        self._fronts[front.name] = front

    def show(self, chat: Chat, message_ids: Iterable[int], sign: Sign) -> None:
        for number in message_ids:
            reaction = self._reaction(chat, number, sign)
            self._ends.pop((chat, number), None)
            if sign in LAST:
                self._ends[chat, number] = reaction
                reaction = self._or_later(chat, number, reaction)
            self._enqueue(chat, reaction)

    def mark_read(self, chat: Chat, message_id: int) -> None:
        self._enqueue(chat, lambda front: front.mark_read(chat, message_id))

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
        if self._last:
            await asyncio.wait(self._last.values(), timeout=GOODBYE)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @staticmethod
    def _reaction(chat: Chat, number: int, sign: Sign) -> Show:
        return lambda front: front.react(chat, number, SIGNS[sign])

    def _or_later(self, chat: Chat, number: int, reaction: Show) -> Show:
        """Shown now; or once more after the wait, unless the message has got a newer sign by then."""

        async def show(front: Front) -> None:
            wait: float | None = None
            try:
                await reaction(front)
            except (FloodWait, Unreachable) as error:
                wait = error.seconds if isinstance(error, FloodWait) else AGAIN_AFTER
                raise
            finally:
                if self._ends.get((chat, number)) is reaction:
                    self._put_off(chat, number, wait)

        return show

    def _put_off(self, chat: Chat, number: int, seconds: float | None) -> None:
        """Show the end of a message in so many seconds; None for one that needs no more showing."""
        if seconds is None:
            del self._ends[chat, number]
            return
        late = self._show_end(chat, number, self._ends[chat, number], seconds)
        task = asyncio.create_task(late, name=f"late sign {chat.key}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _show_end(self, chat: Chat, number: int, reaction: Show, seconds: float) -> None:
        await self._clock.sleep(seconds)
        if self._ends.get((chat, number)) is reaction:
            del self._ends[chat, number]
            self._enqueue(chat, reaction)

    def _enqueue(self, chat: Chat, show: Show) -> None:
        front = self._fronts.get(chat.front)
        if front is None:
            return
        task = asyncio.create_task(self._after(self._last.get(chat), front, show), name=f"sign {chat.key}")
        self._last[chat] = task
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._forget(chat, done))

    def _forget(self, chat: Chat, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._last.get(chat) is task:
            del self._last[chat]

    async def _after(self, previous: asyncio.Task[None] | None, front: Front, show: Show) -> None:
        if previous is not None:
            await asyncio.wait([previous])
        try:
            await show(front)
        except (FrontError, SessionError) as error:
            log.info("A sign was not shown.", front=front.name, error=str(error))

    async def _be_present(self, chat: Chat, message_ids: tuple[int, ...]) -> None:
        await self._clock.sleep(TYPING_AFTER)
        self._show_typing(chat)
        await self._clock.sleep(WORKING_AFTER - TYPING_AFTER)
        self.show(chat, message_ids, Sign.WORKING)
        while True:
            self._show_typing(chat)
            await self._clock.sleep(TYPING_EVERY)

    def _show_typing(self, chat: Chat) -> None:
        """Not behind signs that are waiting themselves: late typing tells nothing, and would pile up."""
        if chat not in self._last:
            self._enqueue(chat, lambda front: front.show_typing(chat))
