"""Queries that forget what chats said long ago. Each function runs inside the caller's transaction.

They walk a table by its ids, which grow with time: a pass ends at the first page on which everything is young.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, delete, exists, func, or_, select, update

from core.schema import audit, chats, deliveries, files, messages, promises, turns
from runtime import store as run_store

UNTOLD = ("held", "open", "ready", "ambiguous")
UNFINISHED = ("open", "running")
HAS_DELIVERIES = exists().where(deliveries.c.turn_id == turns.c.id)


@dataclass(frozen=True, slots=True)
class Page:
    """One step of a walk: rows with ids above `after`, at most `size`; what is from before `before` may go."""

    after: int
    before: datetime
    size: int = 500


def forget_deliveries(connection: Connection, page: Page) -> int | None:
    """Those that are told or given up, of turns that ended; a promise's go with it. Where to go on, None at the end."""
    turn = exists().where(turns.c.id == deliveries.c.turn_id, _is_unfinished(page.before))
    may_go = and_(deliveries.c.status.not_in(UNTOLD), deliveries.c.promise_id.is_(None), ~turn)
    found, last = walk(connection, select(deliveries.c.id, deliveries.c.created_at), may_go, page)
    _forget_deliveries(connection, deliveries.c.id.in_(found))
    return last


def forget_turns(connection: Connection, page: Page) -> int | None:
    """Those that ended, with the messages they answered and their runs, once nothing told by them is kept."""
    young = exists().where(messages.c.turn_id == turns.c.id, messages.c.received_at >= page.before)
    may_go = and_(~_is_unfinished(page.before), ~HAS_DELIVERIES, ~young)
    found, last = walk(connection, select(turns.c.id, turns.c.created_at), may_go, page)
    runs = connection.execute(select(turns.c.run_id).where(turns.c.id.in_(found))).scalars().all()
    _forget_messages(connection, messages.c.turn_id.in_(found))
    run_store.forget_runs(connection, runs)
    connection.execute(delete(turns).where(turns.c.id.in_(found)))
    return last


def forget_messages(connection: Connection, page: Page) -> int | None:
    """Those that no turn answered."""
    found, last = walk(connection, select(messages.c.id, messages.c.received_at), messages.c.turn_id.is_(None), page)
    _forget_messages(connection, messages.c.id.in_(found))
    return last


def forget_audit(connection: Connection, before: datetime, size: int) -> bool:
    """At most `size` lines; whether there may be more."""
    old = select(audit.c.id).where(audit.c.last_at < before).limit(size)
    return connection.execute(delete(audit).where(audit.c.id.in_(old))).rowcount == size


def forget_told(connection: Connection, promise_ids: Iterable[int]) -> None:
    """All that was told of these promises."""
    _forget_deliveries(connection, deliveries.c.promise_id.in_(tuple(promise_ids)))


def has_untold() -> ColumnElement[bool]:
    """Whether something of a row of `promises` in the enclosing statement is still to be told."""
    return exists().where(deliveries.c.promise_id == promises.c.id, deliveries.c.status.in_(UNTOLD))


def walk(
    connection: Connection, query: Select[Any, Any], may_go: ColumnElement[bool], page: Page
) -> tuple[list[int], int | None]:
    """The ids on the page of `query` (id, moment) that are old and may go, and where to go on."""
    key = query.selected_columns[0]
    rows = connection.execute(
        query.add_columns(may_go.label("may_go")).where(key > page.after).order_by(key).limit(page.size)
    ).all()
    old = [row for row in rows if row[1] < page.before]
    return [row[0] for row in old if row.may_go], rows[-1][0] if old else None


def _is_unfinished(before: datetime) -> ColumnElement[bool]:
    return or_(turns.c.status.in_(UNFINISHED), turns.c.ended_at.is_(None), turns.c.ended_at >= before)


def _forget_deliveries(connection: Connection, which: ColumnElement[bool]) -> None:
    _raise_floors(connection, deliveries, which)
    sent = select(deliveries.c.file_id).where(which, deliveries.c.file_id.is_not(None))
    connection.execute(delete(files).where(files.c.id.in_(sent)))
    connection.execute(delete(deliveries).where(which))


def _forget_messages(connection: Connection, which: ColumnElement[bool]) -> None:
    _raise_floors(connection, messages, which)
    connection.execute(delete(messages).where(which))


def _raise_floors(connection: Connection, table: Table, which: ColumnElement[bool]) -> None:
    """What is forgotten must not look new when a history is read again."""
    query = select(table.c.front, table.c.chat_id, func.max(table.c.message_id).label("floor")).where(which)
    for row in connection.execute(query.group_by(table.c.front, table.c.chat_id)).all():
        same = (chats.c.front == row.front, chats.c.chat_id == row.chat_id, chats.c.floor < row.floor)
        connection.execute(update(chats).where(*same).values(floor=row.floor))
