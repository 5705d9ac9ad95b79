"""What the owner is owed. Each function runs inside the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from conversations import delivery_store, store
from conversations.delivery import Draft
from core.message import PAGE, Chat

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Alert:
    """A sentence for the owner, not told again `within` a time; `without` is a kind of front, or a chat, that does not
    work."""

    sentence: str
    within: timedelta = MINUTE
    without: str | Chat | None = None


def write_alert(connection: Connection, alert: Alert, now: datetime) -> bool:
    """Owe the owner a sentence, in the transaction of what it tells; False where that was done a while ago."""
    chats = store.owner_chats(connection)
    draft = Draft(next((chat for chat in chats if _works(chat, alert)), PAGE), "notice", alert.sentence)
    if delivery_store.is_owed_since(connection, draft, now - alert.within):
        return False
    delivery_store.owe(connection, draft, now)
    return True


def _works(chat: Chat, alert: Alert) -> bool:
    return chat != alert.without and chat.front.partition(":")[0] != alert.without
