"""Reactions, read marks and typing: what a chat shows of the work. A refused one is logged and costs nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

import structlog

from core.clock import Clock
from core.errors import FrontError, SessionError
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

    def attach(self, front: Front) -> None:
        self._fronts[front.name] = front

    def show(self, chat: Chat, message_ids: Iterable[int], sign: Sign) -> None:
        for number in message_ids:
            self._enqueue(chat, self._reaction(chat, number, sign))

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
