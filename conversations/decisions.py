"""What people's reactions say to open questions, read anew where one may have been missed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from conversations.inbox import Inbox
from core.errors import DatabaseError, FloodWait, SessionError, Undeliverable, Unreachable
from core.events import Events, Told
from core.message import Chat, Message
from core.protocols import Front

log = structlog.get_logger("telegram.decisions")


@dataclass(frozen=True, slots=True)
class Decisions:
    """A reaction that is heard live counts where its message is known to be a question. One that was given while nobody
    listened, or before the row knew which message it had become, is read by asking: after each catch-up, and when a
    question is told. `press` hands one in.
    """

    inbox: Inbox
    fronts: Mapping[str, Front]
    events: Events
    press: Callable[[Message], Awaitable[str]]

    async def run(self) -> None:
        """Until cancelled."""
        with self.events.watch() as watch:
            async for event in watch:
                if isinstance(event, Told) and event.promise_id is not None and not event.is_edit:
                    await self._look_at(event)

    async def _look_at(self, told: Told) -> None:
        """What is not read now is read at the next catch-up."""
        front = self.fronts.get(told.chat.front)
        if front is None or told.message_id is None:
            return
        try:
            if await self.inbox.is_question(told.chat, told.message_id):
                await self._read(front, told.chat, [told.message_id])
        except (DatabaseError, Unreachable, SessionError) as error:
            log.info("Reactions to a question are read later.", chat=told.chat.key, error=str(error))

    async def reread(self, front: Front) -> None:
        """All that reactions say to a front's open questions. Raises Unreachable when it does not answer."""
        for chat, numbers in (await self.inbox.open_questions(front.name)).items():
            await self._read(front, chat, numbers)

    async def _read(self, front: Front, chat: Chat, numbers: Sequence[int]) -> None:
        """A chat that refuses holds up no other."""
        try:
            decisions = await front.decisions(chat, numbers)
        except (Undeliverable, FloodWait) as error:
            log.warning("Reactions to a question cannot be read.", chat=chat.key, error=str(error))
            return
        for decision in decisions:
            await self.press(decision)
