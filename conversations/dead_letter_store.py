"""Queries of deliveries that did not arrive and that nobody tries again. Each runs inside the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, case, literal_column, null, or_, select, update

from conversations.delivery_store import SENDS
from core.errors import RequestError, Unknown
from core.message import Chat
from core.schema import deliveries

# Spelled out in the statement: with bound values SQLite does not see that its partial index serves.
IS_IN_DOUBT = deliveries.c.status.in_([literal_column("'dead'"), literal_column("'ambiguous'")])
IS_LOST = and_(IS_IN_DOUBT, or_(deliveries.c.status == "dead", deliveries.c.sends >= SENDS))
LIST = select(deliveries).where(IS_LOST).order_by(deliveries.c.id)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message of ours that its chat did not get, or may not have got (`ambiguous`), and why."""

    id: int
    chat: Chat
    kind: str
    status: str
    turn_id: int | None
    promise_id: int | None
    created_at: datetime
    error: str | None
    text: str


def oldest(connection: Connection, limit: int) -> list[DeadLetter]:
    return [_read(row) for row in connection.execute(LIST.limit(limit))]


def send_again(connection: Connection, number: int) -> DeadLetter:
    """It is owed again. Its attempts tell the outbox to look first whether it has arrived after all; where nobody can
    look, it says that it may be a repeat.

    Raises Unknown, and RequestError for what is no dead letter.
    """
    again = {
        "attempts": deliveries.c.attempts + 1,
        "sends": case((deliveries.c.sends >= SENDS, 1), else_=deliveries.c.sends),
    }
    return _change(connection, number, {"status": "ready", "not_before": null(), "error": null(), **again})


def drop(connection: Connection, number: int) -> DeadLetter:
    """It is not wanted any more. Raises Unknown, and RequestError for what is no dead letter."""
    return _change(connection, number, {"status": "dropped"})


def _change(connection: Connection, number: int, values: dict[str, Any]) -> DeadLetter:
    changed = update(deliveries).where(deliveries.c.id == number, IS_LOST).values(values).returning(deliveries)
    row = connection.execute(changed).first()
    if row is not None:
        return _read(row)
    status = connection.execute(select(deliveries.c.status).where(deliveries.c.id == number)).scalar()
    if status is None:
        raise Unknown(f"There is no dead letter #{number}.")
    raise RequestError(f"Message #{number} is no dead letter: it is {status}.")


def _read(row: Row[Any]) -> DeadLetter:
    plain = {name: getattr(row, name) for name in DeadLetter.__slots__ if name != "chat"}
    return DeadLetter(chat=Chat(row.front, row.chat_id), **plain)
