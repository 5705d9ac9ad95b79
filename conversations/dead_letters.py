"""Dead letters as their owner sees them: listed, sent again, or dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from conversations import dead_letter_store
from conversations.dead_letter_store import DeadLetter
from core.database import Database

log = structlog.get_logger("telegram.outbox")


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """`wake` is called when something is owed again. Raises Unknown and RequestError for what is no dead letter."""

    database: Database
    wake: Callable[[], None]

    async def list(self, limit: int) -> list[DeadLetter]:
        """The oldest first."""
        return await self.database.read(lambda connection: dead_letter_store.oldest(connection, limit))

    async def retry(self, number: int) -> DeadLetter:
        """Owe it again, behind a look whether it has arrived after all."""
        letter = await self.database.write(
            "letter-retry", lambda connection: dead_letter_store.send_again(connection, number)
        )
        log.info("A dead letter is sent again.", delivery=number, chat=letter.chat.key)
        self.wake()
        return letter

    async def drop(self, number: int) -> DeadLetter:
        letter = await self.database.write("letter-drop", lambda connection: dead_letter_store.drop(connection, number))
        log.info("A dead letter was dropped.", delivery=number, chat=letter.chat.key)
        return letter
