"""Every query of the table `links`. Each function runs inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from conversations.turn import Asked, Turn
from core.protocols import Link
from core.schema import links


def save(connection: Connection, turn: Turn, asked: Asked, url: str, now: datetime) -> None:
    """Keep a link; the same message keeps it once."""
    row = {
        "workspace": turn.workspace,
        "url": url,
        "front": turn.chat.front,
        "chat_id": turn.chat.key,
        "message_id": asked.message_id,
        "sender_id": turn.requester_id,
        "sender_name": asked.sender_name,
        "saved_at": now,
    }
    connection.execute(upsert(links).values(row).on_conflict_do_nothing())


def describe(connection: Connection, turn: Turn, asked: Asked, title: str, summary: str) -> None:
    """What was found behind it."""
    same = (
        links.c.front == turn.chat.front,
        links.c.chat_id == turn.chat.key,
        links.c.message_id == asked.message_id,
    )
    connection.execute(update(links).where(*same).values(title=title, summary=summary))


def search(connection: Connection, workspace: str, words: Iterable[str], limit: int) -> list[Link]:
    """Those of a workspace that hold all words, newest first; a page that was saved twice comes once."""
    columns = (links.c.url, links.c.title, links.c.summary)
    holds = [or_(*(column.icontains(word, autoescape=True) for column in columns)) for word in words]
    found = connection.execute(select(links).where(links.c.workspace == workspace, *holds).order_by(links.c.id.desc()))
    newest: dict[str, Link] = {}
    for row in found:
        newest.setdefault(row.url, Link(row.url, row.title, row.summary, row.sender_name, row.saved_at))
        if len(newest) == limit:
            break
    return list(newest.values())
