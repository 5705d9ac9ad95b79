"""What the owner is owed. Each function runs inside the caller's transaction."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from conversations import delivery_store, store
from conversations.delivery import Draft

ONCE_WITHIN = timedelta(minutes=1)


def write_alert(connection: Connection, sentence: str, now: datetime) -> None:
    """Owe the owner a sentence, in the transaction of what it tells; not again within a minute."""
    chat = store.owner_chat(connection)
    if chat is None:
        return
    draft = Draft(chat, "notice", sentence)
    if not delivery_store.is_owed_since(connection, draft, now - ONCE_WITHIN):
        delivery_store.owe(connection, draft, now)
