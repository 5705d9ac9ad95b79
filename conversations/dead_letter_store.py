"""Queries of deliveries that did not arrive and that nobody tries again. Each runs inside the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, literal_column, null, select, update

from core.errors import RequestError, Unknown
from core.message import Chat
from core.schema import deliveries

# Spelled out in the statement: with bound values SQLite does not see that its partial index serves.
IS_LOST = deliveries.c.status.in_([literal_column("'dead'"), literal_column("'ambiguous'")])

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
    """It is owed again. Its attempts tell the outbox to look first whether it has arrived after all.

    Raises Unknown, and RequestError for what is no dead letter.
    """
    values = {"status": "ready", "attempts": deliveries.c.attempts + 1, "not_before": null(), "error": null()}
    return _change(connection, number, values)


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
