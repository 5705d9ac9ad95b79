"""What the owner must know: in the log, and in the owner's own chat where one is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from conversations import delivery_store, store
from conversations.delivery import Draft
from conversations.outbox import Outbox
from core.clock import Clock
from core.database import Database

log = structlog.get_logger("telegram.alerts")
ONCE_WITHIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Alerts:
    database: Database
    clock: Clock
    outbox: Outbox

    async def tell_owner(self, sentence: str) -> None:
        """Log it, and see to it that the owner's chat is told, once."""
        log.error(sentence)
        now = self.clock.now()
        await self.database.write("alert", lambda connection: write_alert(connection, sentence, now))
        self.outbox.wake()


def write_alert(connection: Connection, sentence: str, now: datetime) -> None:
    """Owe the owner a sentence, in the transaction of what it tells; not again within a minute."""
    chat = store.owner_chat(connection)
    if chat is None:
        return
    draft = Draft(chat, "notice", sentence)
    if not delivery_store.is_owed_since(connection, draft, now - ONCE_WITHIN):
        delivery_store.owe(connection, draft, now)
