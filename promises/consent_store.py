"""Queries of `consents`: what promises wait to be allowed. Each function runs inside the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from conversations import delivery_store, question_store, usage_store
from conversations.buttons import decide_buttons
from conversations.delivery import Draft
from core.errors import ConsentNeeded
from core.schema import consents, promises
from promises import settle_store, wording
from promises.promise import Ending, Promise, Status, WaitingFor
from promises.settle_store import Settled
from promises.store import read

GRANTED, REFUSED, EXPIRED = "granted", "refused", "expired"


@dataclass(frozen=True, slots=True)
class Question:
    """What a promise wants to do, and until when it may be allowed."""

    needed: ConsentNeeded
    expires_at: datetime


def write(connection: Connection, promise: Promise, question: Question, now: datetime) -> int:
    """Keep the question; its number. Of several for the same call the newest counts."""
    needed = question.needed
    asked = {
        "run_id": promise.run_id,
        "key": needed.key,
        "promise_id": promise.id,
        "tool": needed.tool,
        "arguments": dict(needed.arguments),
        "digest": needed.digest,
        "asked_at": now,
        "expires_at": question.expires_at,
    }
    return connection.execute(insert(consents).values(asked).returning(consents.c.id)).scalar_one()


def settle(connection: Connection, promise: Promise, ending: Ending, now: datetime) -> Settled | None:
    """End an attempt as settle_store does; one that needs consent puts its question to the chat with that."""
    settled = settle_store.settle(connection, promise, ending, now)
    is_parked = settled is not None and settled.promise.waiting_for is WaitingFor.APPROVAL
    if settled is not None and is_parked and ending.needed and ending.not_before:
        _ask(connection, settled.promise, Question(ending.needed, ending.not_before), now)
        settled.told = True
    return settled


def _ask(connection: Connection, promise: Promise, question: Question, now: datetime) -> None:
    number = write(connection, promise, question, now)
    text = wording.ask_consent(promise, question.needed, question.expires_at, spent(connection, promise))
    draft = Draft(
        promise.chat,
        f"question {number}",
        text,
        reply_to=promise.message_id,
        promise_id=promise.id,
        buttons=decide_buttons(promise.id, number, question.needed.tool),
    )
    delivery_store.owe(connection, draft, now)


def spent(connection: Connection, promise: Promise) -> float | None:
    """What its run has cost until now."""
    return usage_store.cost_of(connection, promise.run_id)


def grant(connection: Connection, promise_id: int, by: str, now: datetime) -> Promise | None:
    """Let the promise go on. None when it waits for no approval that can still be given."""
    freed = connection.execute(
        update(promises)
        .where(
            promises.c.id == promise_id,
            promises.c.status == Status.WAITING,
            promises.c.waiting_for == WaitingFor.APPROVAL,
            promises.c.not_before > now,
        )
        .values(status=Status.PENDING, waiting_for=None, not_before=None, updated_at=now)
        .returning(promises)
    ).first()
    if freed is None:
        return None
    question_store.decide(connection, promise_id, GRANTED, by, now)
    return read(freed)


def refuse(connection: Connection, promise_id: int, by: str, now: datetime) -> Settled | None:
    """The promise fails; None when it waits for no approval."""
    tool = question_store.decide(connection, promise_id, REFUSED, by, now)
    return settle_store.fail_unapproved(connection, promise_id, f"{by} refused `{tool}`.", now)


def expire(connection: Connection, now: datetime) -> list[Settled]:
    """Silence is a refusal."""
    query = select(promises.c.id).where(
        promises.c.status == Status.WAITING,
        promises.c.waiting_for == WaitingFor.APPROVAL,
        promises.c.not_before <= now,
    )
    settled: list[Settled] = []
    for promise_id in connection.execute(query).scalars().all():
        tool = question_store.decide(connection, promise_id, EXPIRED, None, now)
        failed = settle_store.fail_unapproved(connection, promise_id, f"Nobody allowed `{tool}` in time.", now)
        settled += [failed] if failed else []
    return settled
