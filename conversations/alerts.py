"""What the owner must know: in the log, and in the owner's own chat where one is known."""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from conversations import store
from conversations.delivery import Draft
from conversations.delivery_store import owe
from conversations.outbox import Outbox
from core.clock import Clock
from core.database import Database

log = structlog.get_logger("telegram.alerts")


@dataclass(frozen=True, slots=True)
class Alerts:
    database: Database
    clock: Clock
    outbox: Outbox

    async def tell_owner(self, sentence: str) -> None:
        log.error(sentence)
        chat = await self.database.read(store.owner_chat)
        if chat is None:
            return
        draft, now = Draft(chat, "notice", sentence), self.clock.now()

        def write(connection: Connection) -> None:
            owe(connection, draft, now)

        await self.database.write("alert", write)
        self.outbox.wake(chat)
