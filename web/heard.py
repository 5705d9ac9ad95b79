"""What a front hears on its way to the ledger: the front is met with its first sign of life."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from conversations.reception import Reception
from core.message import Chat, Message


@dataclass(frozen=True, slots=True)
class Heard:
    """Implements core.protocols.Receiver for a front that is met with its first sign of life."""

    reception: Reception
    meet: Callable[[], None]

    async def receive(self, message: Message) -> None:
        self.meet()
        await self.reception.receive(message)

    async def press(self, message: Message) -> str:
        self.meet()
        return await self.reception.press(message)

    async def receive_waiting(self, messages: Sequence[Message]) -> None:
        self.meet()
        await self.reception.receive_waiting(messages)

    async def belongs(self, chat: Chat, title: str, is_part: bool) -> None:
        self.meet()
        await self.reception.belongs(chat, title, is_part)

    async def catch_up(self, front: str) -> None:
        self.meet()
        await self.reception.catch_up(front)

    async def reread(self, front: str, since: datetime) -> None:
        self.meet()
        await self.reception.reread(front, since)
