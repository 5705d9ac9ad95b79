"""Every query of chats, and of since when the configuration admits them. Each function runs inside the caller's
transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from core.message import Chat, ChatKind
from core.schema import admitted_since, chats, deliveries, messages, turns

NOT_STOPPED = {"stopped_at": None, "stopped_reason": None}
# Asked with every message, and built once: building a statement costs more than running it.
CHAT = select(chats).where(chats.c.front == bindparam("front"), chats.c.chat_id == bindparam("chat"))


@dataclass(frozen=True, slots=True)
class ChatRow:
    """What is known of a chat on disk."""

    chat: Chat
    since: datetime
    mark: int
    floor: int
    stopped_reason: str | None
    lifted_at: datetime | None


def add_chat(connection: Connection, chat: Chat, kind: str, title: str, since: datetime) -> ChatRow:
    """A chat's row, made on first sight; `since` is when the configuration first admitted it."""
    row = upsert(chats).values(front=chat.front, chat_id=chat.key, kind=kind, title=title, since=since)
    connection.execute(row.on_conflict_do_nothing())
    return ChatRow(chat, since, 0, 0, None, None)


def find_chat(connection: Connection, chat: Chat) -> ChatRow | None:
    row = connection.execute(CHAT, {"front": chat.front, "chat": chat.key}).first()
    return None if row is None else _chat_row(chat, row)


def find_chats(connection: Connection, key: str) -> list[ChatRow]:
    """What every front knows of a chat."""
    rows = connection.execute(select(chats).where(chats.c.chat_id == key)).all()
    return [_chat_row(Chat(row.front, key), row) for row in rows]


def knows_any(connection: Connection, keys: Iterable[str]) -> bool:
    """Whether any of these chats has a row, whatever the front."""
    wanted = tuple(keys)  # mostly none, and that is asked for every message of a group
    found = wanted and connection.execute(select(chats.c.chat_id).where(chats.c.chat_id.in_(wanted))).first()
    return bool(found)


def set_mark(connection: Connection, chat: Chat, mark: int) -> None:
    """History is read without a gap up to `mark`; it never goes back."""
    connection.execute(update(chats).where(*_is(chats, chat), chats.c.mark < mark).values(mark=mark))


def note_gone(connection: Connection, front: str, present: Iterable[str], now: datetime) -> dict[str, str]:
    """Keep which groups a front's account is no part of any more; the titles of those that are newly gone, by key."""
    there, groups = frozenset(present), (chats.c.front == front, chats.c.kind == ChatKind.GROUP)
    rows = connection.execute(select(chats.c.chat_id, chats.c.title, chats.c.gone_at).where(*groups)).all()
    back = [row.chat_id for row in rows if row.gone_at and _group_of(row.chat_id) in there]
    gone = {row.chat_id: row.title for row in rows if not row.gone_at and _group_of(row.chat_id) not in there}
    for keys, moment in ((back, None), (gone, now)):
        changed = update(chats).where(*groups, chats.c.chat_id.in_(tuple(keys)))
        connection.execute(changed.values(gone_at=moment))
    return gone


def note_part(connection: Connection, chat: Chat, is_part: bool, now: datetime) -> list[str]:
    """The same of one group; the keys under which it is newly gone, its own and those of its topics."""
    here = (chats.c.front == chat.front, or_(chats.c.chat_id == chat.key, chats.c.chat_id.startswith(f"{chat.key}/")))
    was_there = chats.c.gone_at.is_not(None) if is_part else chats.c.gone_at.is_(None)
    changed = update(chats).where(*here, was_there).values(gone_at=None if is_part else now)
    keys = connection.execute(changed.returning(chats.c.chat_id)).scalars().all()
    return [] if is_part else list(keys)


def set_stopped(connection: Connection, chat: Chat, reason: str | None, now: datetime) -> None:
    """Stop answering in a chat, or with None begin again."""
    values = {"stopped_at": now, "stopped_reason": reason} if reason else {"lifted_at": now, **NOT_STOPPED}
    connection.execute(update(chats).where(*_is(chats, chat)).values(**values))


def forget_chat(connection: Connection, chat: Chat) -> None:
    """Every row of a chat that holds nothing but self-pings."""
    for table in (deliveries, messages, turns, chats):
        connection.execute(delete(table).where(*_is(table, chat)))


def admit_since(connection: Connection, entries: Iterable[str], now: datetime) -> None:
    """Remember, once, since when each line of the configuration admits."""
    rows = [{"entry": entry, "since": now} for entry in entries]
    if rows:
        connection.execute(upsert(admitted_since).on_conflict_do_nothing(), rows)


def since_of(connection: Connection, entries: Iterable[str]) -> datetime | None:
    """When the first of these lines began to admit; None when no start has read any of them yet."""
    query = select(func.min(admitted_since.c.since)).where(admitted_since.c.entry.in_(tuple(entries)))
    return connection.execute(query).scalar()


def _chat_row(chat: Chat, row: Row[Any]) -> ChatRow:
    return ChatRow(chat, row.since, row.mark, row.floor, row.stopped_reason, row.lifted_at)


def _group_of(key: str) -> str:
    return key.partition("/")[0]


def _is(table: Any, chat: Chat) -> tuple[Any, Any]:
    return table.c.front == chat.front, table.c.chat_id == chat.key
