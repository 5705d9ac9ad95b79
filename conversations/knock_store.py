"""Queries of `knocks`: who wrote to the bot and is not admitted. Each function runs inside the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, or_, select, update
from sqlalchemy.dialects.sqlite import insert

from core.message import Chat
from core.schema import knocks


@dataclass(frozen=True, slots=True)
class Knock:
    """A person's DM or a group that would like to be heard."""

    id: int
    chat: Chat
    is_group: bool
    person_id: int
    name: str
    decision: str | None = None
    decided_by: str | None = None


def add(connection: Connection, knock: Knock, now: datetime) -> int | None:
    """Note a first knock; None where the chat has knocked before. The knock's own number is not read."""
    row = {"front": knock.chat.front, "chat_id": knock.chat.key, "is_group": knock.is_group, "asked_at": now}
    row |= {"person_id": knock.person_id, "name": knock.name}
    added = insert(knocks).values(row).on_conflict_do_nothing().returning(knocks.c.id)
    return connection.execute(added).scalar()


def count_since(connection: Connection, since: datetime) -> int:
    return connection.execute(select(func.count()).select_from(knocks).where(knocks.c.asked_at >= since)).scalar() or 0


def find(connection: Connection, number: int) -> Knock | None:
    row = connection.execute(select(knocks).where(knocks.c.id == number)).first()
    if row is None:
        return None
    chat = Chat(row.front, row.chat_id)
    return Knock(row.id, chat, row.is_group, row.person_id, row.name, row.decision, row.decided_by)


def decide(connection: Connection, number: int, decision: str, by: str, now: datetime) -> bool:
    """False where the same was decided before."""
    is_new = or_(knocks.c.decision.is_(None), knocks.c.decision != decision)
    decided = update(knocks).where(knocks.c.id == number, is_new)
    return bool(connection.execute(decided.values(decision=decision, decided_by=by, decided_at=now)).rowcount)
