"""The local front: chats of the page, the HTTP API and the command line. What is sent is in the ledger already."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

from core.errors import Undeliverable
from core.message import Button, Chat, ChatKind, Entity, Message, Part, Person, Sent
from core.protocols import Dialog

NAME = "local"


class LocalFront:
    """Implements core.protocols.Front. Numbers are microseconds since the epoch, so that they grow over restarts."""

    name = NAME
    own_chat = Chat(NAME, "self-ping")
    keeps_keys = True
    lists_chats = False

    def __init__(self) -> None:
        self._last = 0
        self._to_self: list[Message] = []

    def next_number(self) -> int:
        """A message number that no chat of this front has had."""
        self._last = max(self._last + 1, time.time_ns() // 1_000)
        return self._last

    async def send(self, part: Part) -> int:
        number = self.next_number()
        if part.chat == self.own_chat:
            self._to_self.append(_to_self(part, number))
        return number

    async def fetch(self, chat: Chat, message_id: int, reference: str, limit: int) -> bytes:
        raise Undeliverable("Nothing can be attached on the local page.")

    async def edit(
        self, chat: Chat, message_id: int, text: str, entities: Sequence[Entity], buttons: Sequence[Button] = ()
    ) -> None:
        """The page reads the ledger: nothing is to be done."""

    async def delete(self, chat: Chat, message_ids: Sequence[int]) -> None:
        self._to_self = [message for message in self._to_self if message.id not in message_ids]

    async def react(self, chat: Chat, message_id: int, emoji: str | None) -> None:
        """The page shows the turn's state instead."""

    async def mark_read(self, chat: Chat, message_id: int) -> None:
        """Nobody waits for it."""

    async def show_typing(self, chat: Chat) -> None:
        """The page shows the turn's state instead."""

    async def sent_after(self, chat: Chat, message_id: int) -> list[Sent]:
        """Nothing is in the chat that is not in the ledger."""
        return []

    async def decisions(self, chat: Chat, message_ids: Sequence[int]) -> list[Message]:
        """The page knows no reactions of people."""
        return []

    async def prove(self) -> bool:
        return False

    async def dialogs(self) -> list[Dialog]:
        return []

    async def history(self, chat: Chat, after: int, since: datetime) -> AsyncIterator[list[Message]]:
        """Nothing was said while we were away; what was sent to the own chat is there."""
        page = [message for message in self._to_self if message.chat == chat and message.id > after]
        if page:
            yield page


def _to_self(part: Part, number: int) -> Message:
    return Message(part.chat, number, ChatKind.SELF, Person(0), datetime.now(UTC), part.text, outgoing=True)
