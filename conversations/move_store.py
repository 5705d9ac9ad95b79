"""Every query of groups that became supergroups. Each function runs inside the caller's transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, bindparam, insert, null, or_, select, update

from conversations.delivery import ANSWER, untold
from core.message import Chat, ChatKind
from core.schema import chat_moves, chats, deliveries, promises, turns
from core.workspaces import is_basic_group

OWED = ("held", "open", "ready", "ambiguous")
FORMER = select(chat_moves.c.former_id).where(chat_moves.c.chat_id == bindparam("key"))
CHANGING = ("progress", ANSWER)  # what may say something else once it has been told


def note(connection: Connection, former: str, key: str, now: datetime) -> bool:
    """Keep that a group has become another chat; False when that is known."""
    if former_of(connection, key) or destination_of(connection, former):
        return False
    connection.execute(insert(chat_moves).values(former_id=former, chat_id=key, noticed_at=now))
    return True


def all_moves(connection: Connection) -> dict[str, str]:
    """Which group each supergroup was."""
    return {row.chat_id: row.former_id for row in connection.execute(select(chat_moves))}


def former_of(connection: Connection, key: str) -> str | None:
    return connection.execute(FORMER, {"key": key}).scalar()


def destination_of(connection: Connection, key: str) -> str | None:
    """What a chat has become; None for one that is what it was."""
    if not is_basic_group(key):
        return None  # asked at every delivery: few chats are such groups
    return connection.execute(select(chat_moves.c.chat_id).where(chat_moves.c.former_id == key)).scalar()


def carry_over(connection: Connection, former: str, key: str) -> None:
    """Let everything that is under way in a group go on in the supergroup: what it owes, does and has promised.

    Numbers of messages stay behind, for the supergroup begins to count anew, and so does what was told.
    """
    for front in connection.execute(select(chats.c.front).where(chats.c.chat_id == former)).scalars().all():
        _carry_chat(connection, Chat(front, former), key)
    _carry_deliveries(connection, former, key)
    _carry_turns(connection, former, key)
    connection.execute(update(promises).where(promises.c.chat_id == former).values(chat_id=key, message_id=None))


def _carry_chat(connection: Connection, chat: Chat, key: str) -> None:
    """The supergroup is as old, and as stopped, as the group was; its history is read from its beginning."""
    known = _is(chats, chat)
    row = connection.execute(select(chats).where(*known)).one()
    kept = {
        "since": row.since,
        "stopped_at": row.stopped_at,
        "stopped_reason": row.stopped_reason,
        "lifted_at": row.lifted_at,
    }
    there = Chat(chat.front, key)
    if connection.execute(select(chats.c.front).where(*_is(chats, there))).first():
        connection.execute(update(chats).where(*_is(chats, there)).values(**kept))
    else:
        new = {"front": chat.front, "chat_id": key, "kind": ChatKind.GROUP, "title": row.title, **kept}
        connection.execute(insert(chats).values(new))


def _carry_deliveries(connection: Connection, former: str, key: str) -> None:
    """What may have been sent already is looked for in the group first."""
    owed = (deliveries.c.chat_id == former, deliveries.c.status.in_(OWED), deliveries.c.message_id.is_(None))
    connection.execute(update(deliveries).where(*owed).values(chat_id=key, reply_to=None, former_chat=former))
    leave_behind(connection, former, key)


def leave_behind(connection: Connection, former: str, key: str) -> None:
    """What stands in the group can be changed no more: what is to say something else is told anew in the supergroup,
    the line of a promise that is still at work as well; from all other messages at most buttons were to be taken."""
    stands = (deliveries.c.chat_id == former, deliveries.c.message_id.is_not(None))
    is_owed = deliveries.c.status.in_(OWED)
    changing = select(deliveries.c.id).where(*stands, deliveries.c.kind.in_(CHANGING), or_(is_owed, _is_live()))
    # What stands in the group must not be found there as this row's.
    going = {"chat_id": key, "reply_to": None, "former_chat": None, "former": null()}
    for number in connection.execute(changing).scalars().all():
        connection.execute(update(deliveries).where(deliveries.c.id == number).values(**untold(), **going))
    connection.execute(update(deliveries).where(*stands, is_owed).values(status="sent"))


def _carry_turns(connection: Connection, former: str, key: str) -> None:
    """Those that wait or run; one that runs stays where the supergroup is being answered already."""
    is_busy = select(turns.c.id).where(turns.c.chat_id == key, turns.c.status == "running")
    going = ("open",) if connection.execute(is_busy).first() else ("open", "running")
    moved = update(turns).where(turns.c.chat_id == former, turns.c.status.in_(going))
    connection.execute(moved.values(chat_id=key, reply_to=0))


def _is_live() -> ColumnElement[bool]:
    """The line of a promise that is still at work: it goes on in the supergroup."""
    at_work = select(promises.c.id).where(promises.c.status.in_(("pending", "in_progress", "waiting")))
    return (deliveries.c.kind == "progress") & deliveries.c.promise_id.in_(at_work)


def _is(table: Table, chat: Chat) -> tuple[Any, Any]:
    return table.c.front == chat.front, table.c.chat_id == chat.key
