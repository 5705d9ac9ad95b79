"""Queries for the questions that wait for somebody's consent, as they stand in the chats. Each function runs inside the
caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, String, and_, cast, exists, or_, select

from core.message import Chat
from core.schema import consents, deliveries


@dataclass(frozen=True, slots=True)
class Question:
    """An open question: the message that asks, the promise that waits, and the one call that it waits for."""

    chat: Chat
    message_id: int
    promise_id: int
    number: int


OTHER = deliveries.alias("other")
OWN_KIND = "question " + cast(consents.c.id, String)
# A turn that was parked asks with its acknowledgement; everything else with a message of the question's own.
HAS_OWN = exists().where(OTHER.c.promise_id == consents.c.promise_id, OTHER.c.kind == OWN_KIND)
ASKS = or_(deliveries.c.kind == OWN_KIND, and_(deliveries.c.kind == "ack", ~HAS_OWN))
OPEN = (
    select(deliveries.c.front, deliveries.c.chat_id, deliveries.c.message_id, consents.c.promise_id, consents.c.id)
    .join(consents, consents.c.promise_id == deliveries.c.promise_id)
    .where(consents.c.decision.is_(None), deliveries.c.message_id.is_not(None), ASKS)
)


def asked_in(connection: Connection, chat: Chat, message_id: int) -> Question | None:
    """The open question that one of our messages puts."""
    found = _read(connection, deliveries.c.chat_id == chat.key, deliveries.c.message_id == message_id, front=chat.front)
    return found[0] if found else None


def open_on(connection: Connection, front: str) -> list[Question]:
    """Every question of a front that nobody has answered."""
    return _read(connection, front=front)


def wanted_by(connection: Connection, run_id: str) -> tuple[str, Mapping[str, Any]] | None:
    """The call that a run waits to be allowed: the tool, and its arguments."""
    is_open = (consents.c.run_id == run_id, consents.c.decision.is_(None))
    query = select(consents.c.tool, consents.c.arguments).where(*is_open).order_by(consents.c.id.desc())
    row = connection.execute(query).first()
    return None if row is None else (row.tool, row.arguments)


def _read(connection: Connection, *where: ColumnElement[bool], front: str) -> list[Question]:
    rows = connection.execute(OPEN.where(deliveries.c.front == front, *where).order_by(consents.c.id))
    return [Question(Chat(row.front, row.chat_id), row.message_id, row.promise_id, row.id) for row in rows]
