"""What people's reactions say to open questions, read anew where one may have been missed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from conversations.inbox import Inbox
from core.clock import Clock
from core.errors import DatabaseError, FloodWait, SessionError, Undeliverable, Unreachable
from core.events import Events, Told, Watch
from core.message import Chat, Message
from core.protocols import Front

RETRY_SECONDS = 5.0
Press = Callable[[Message], Awaitable[object]]
log = structlog.get_logger("telegram.decisions")


class Decisions:
    """A reaction that is heard live counts where its message is known to be a question. One that was given while nobody
    listened, or before the row knew which message it had become, is read by asking: after each catch-up, and when a
    question is told, again and again until it is answered. `press` hands one in.
    """

    def __init__(self, inbox: Inbox, fronts: Mapping[str, Front], events: Events, clock: Clock) -> None:
        self._inbox = inbox
        self._fronts = fronts
        self._events = events
        self._clock = clock
        self._unread = asyncio.Queue[tuple[Chat, int]]()

    async def run(self, press: Press) -> None:
        """Until cancelled."""
        with self._events.watch() as watch:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._hear(watch))
                while True:
                    chat, number = await self._unread.get()
                    seconds = await self._read_one(chat, number, press)
                    if seconds is not None:
                        group.create_task(self._read_later(chat, number, seconds))

    async def reread(self, front: Front, press: Press) -> None:
        """All that reactions say to a front's open questions. Raises Unreachable when it does not answer."""
        for chat, numbers in (await self._inbox.open_questions(front.name)).items():
            try:
                await _read(front, chat, numbers, press)
            except FloodWait:
                for number in numbers:
                    self._unread.put_nowait((chat, number))

    async def _hear(self, watch: Watch) -> None:
        async for event in watch:
            if isinstance(event, Told) and event.promise_id is not None and not event.is_edit and event.message_id:
                self._unread.put_nowait((event.chat, event.message_id))

    async def _read_later(self, chat: Chat, number: int, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._unread.put_nowait((chat, number))

    async def _read_one(self, chat: Chat, number: int, press: Press) -> float | None:
        """After how many seconds to try again, None where nothing is to be read any more."""
        front = self._fronts.get(chat.front)
        if front is None:  # it catches up when it is there
            return None
        try:
            if await self._inbox.is_question(chat, number):
                await _read(front, chat, [number], press)
        except FloodWait as wait:
            return wait.seconds
        except (DatabaseError, Unreachable, SessionError) as error:
            log.info("Reactions to a question are read later.", chat=chat.key, error=str(error))
            return RETRY_SECONDS
        return None


async def _read(front: Front, chat: Chat, numbers: Sequence[int], press: Press) -> None:
    """A chat that refuses holds up no other."""
    try:
        decisions = await front.decisions(chat, numbers)
    except Undeliverable as error:
        log.warning("Reactions to a question cannot be read.", chat=chat.key, error=str(error))
        return
    for decision in decisions:
        await press(decision)
