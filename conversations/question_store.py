"""Queries for the questions that wait for somebody's consent, as they stand in the chats. Each function runs inside the
caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, String, and_, cast, exists, func, or_, select, update

from conversations import delivery_store
from core.message import Chat
from core.schema import consents, deliveries


@dataclass(frozen=True, slots=True)
class Question:
    """An open question: the message that asks, the promise that waits, and the one call that it waits for."""

    chat: Chat
    message_id: int
    promise_id: int
    number: int


VOID = "void"  # the decision of a question that nobody will answer any more
OTHER = deliveries.alias("other")
OWN_KIND = "question " + cast(consents.c.id, String)
# A turn that was parked asks with its acknowledgement; everything else with a message of the question's own.
HAS_OWN = exists().where(OTHER.c.promise_id == consents.c.promise_id, OTHER.c.kind == OWN_KIND)
ASKS = or_(deliveries.c.kind == OWN_KIND, and_(deliveries.c.kind == "ack", ~HAS_OWN))
PUT = (
    select(deliveries.c.front, deliveries.c.chat_id, deliveries.c.message_id, consents.c.promise_id, consents.c.id)
    .join(consents, consents.c.promise_id == deliveries.c.promise_id)
    .where(deliveries.c.message_id.is_not(None), ASKS)
)
OPEN = PUT.where(consents.c.decision.is_(None))


def asked_in(connection: Connection, chat: Chat, message_id: int) -> Question | None:
    """The open question that one of our messages puts: in this chat, or in a topic of this forum, whose messages are
    all numbered in one row."""
    here = or_(deliveries.c.chat_id == chat.key, deliveries.c.chat_id.startswith(f"{chat.key}/", autoescape=True))
    found = _read(connection, here, deliveries.c.message_id == message_id, front=chat.front)
    return found[0] if found else None


def open_on(connection: Connection, front: str) -> list[Question]:
    """Every question of a front that nobody has answered."""
    return _read(connection, front=front)


def number_of(connection: Connection, chat: Chat, message_id: int, promise_id: int) -> int | None:
    """Which of a promise's questions one of our messages puts, answered or not; None where it puts none."""
    here = (deliveries.c.front == chat.front, deliveries.c.chat_id == chat.key, deliveries.c.message_id == message_id)
    row = connection.execute(PUT.where(*here, consents.c.promise_id == promise_id)).first()
    return None if row is None else row.id


def newest(connection: Connection, promise_id: int) -> int | None:
    """The last question that a promise has put."""
    return connection.execute(select(func.max(consents.c.id)).where(consents.c.promise_id == promise_id)).scalar()


def decide(connection: Connection, promise_id: int, decision: str, by: str | None, now: datetime) -> str | None:
    """Answer the newest question of a promise, and no other: what was asked before is void. The tool that was asked
    for, None where nothing is open."""
    tools = _close(connection, consents.c.id == newest(connection, promise_id), decision, by, now)
    void(connection, promise_id, now)
    delivery_store.take_buttons(connection, promise_id, "ack", "question")
    return tools[0] if tools else None


def void(connection: Connection, promise_id: int, now: datetime) -> None:
    """Nobody is asked any more: the promise goes another way. There is nothing to press then."""
    if _close(connection, consents.c.promise_id == promise_id, VOID, None, now):
        delivery_store.take_buttons(connection, promise_id, "ack", "question")


def _close(
    connection: Connection, which: ColumnElement[bool], decision: str, by: str | None, now: datetime
) -> list[str]:
    """Of which tools the questions were that are closed by this."""
    closed = update(consents).where(which, consents.c.decision.is_(None))
    closed = closed.values(decision=decision, decided_by=by, decided_at=now)
    return list(connection.execute(closed.returning(consents.c.tool)).scalars())


def wanted_by(connection: Connection, run_id: str) -> tuple[str, Mapping[str, Any]] | None:
    """The call that a run waits to be allowed: the tool, and its arguments."""
    is_open = (consents.c.run_id == run_id, consents.c.decision.is_(None))
    query = select(consents.c.tool, consents.c.arguments).where(*is_open).order_by(consents.c.id.desc())
    row = connection.execute(query).first()
    return None if row is None else (row.tool, row.arguments)


def _read(connection: Connection, *where: ColumnElement[bool], front: str) -> list[Question]:
    rows = connection.execute(OPEN.where(deliveries.c.front == front, *where).order_by(consents.c.id))
    return [Question(Chat(row.front, row.chat_id), row.message_id, row.promise_id, row.id) for row in rows]
