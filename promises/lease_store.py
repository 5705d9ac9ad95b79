"""Queries that take, keep and watch promises under work. Each function runs inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, or_, select, update

from conversations import delivery_store
from core.schema import promises
from promises import wording
from promises.promise import Promise, Status, WaitingFor
from promises.store import HAS_OPEN_DEPENDENCY, is_parked_ahead, read

CLAIM = (
    update(promises)
    .where(
        promises.c.id == bindparam("number"),
        promises.c.status == Status.PENDING,
        promises.c.cancel_requested_at.is_(None),
        or_(promises.c.not_before.is_(None), promises.c.not_before <= bindparam("now")),
        ~HAS_OPEN_DEPENDENCY,
    )
    .values(
        status=Status.IN_PROGRESS,
        owner=bindparam("by"),
        lease_until=bindparam("until"),
        epoch=promises.c.epoch + 1,
        attempts=promises.c.attempts + 1,
        started_at=func.coalesce(promises.c.started_at, bindparam("now", type_=promises.c.started_at.type)),
        not_before=None,
        updated_at=bindparam("now"),
    )
    .returning(promises)
)


@dataclass(frozen=True, slots=True)
class Claim:
    """Who takes a promise, until when (seconds of the boot clock)."""

    owner: str
    until: float


def claim(connection: Connection, promise_id: int, by: Claim, now: datetime) -> Promise | None:
    """Take a promise that is ready, raising its epoch; None when it is not ready or not there to take."""
    row = connection.execute(CLAIM, {"number": promise_id, "by": by.owner, "until": by.until, "now": now}).first()
    return None if row is None else read(row)


def renew(connection: Connection, promise_ids: Iterable[int], by: Claim, now: datetime) -> set[tuple[int, int]]:
    """Hold these promises longer; (number, epoch) of those that this owner still holds."""
    held = (
        update(promises)
        .where(
            promises.c.id.in_(tuple(promise_ids)),
            promises.c.owner == by.owner,
            promises.c.status == Status.IN_PROGRESS,
        )
        .values(lease_until=by.until, updated_at=now)
        .returning(promises.c.id, promises.c.epoch)
    )
    return {(row.id, row.epoch) for row in connection.execute(held)}


def unwanted(connection: Connection, owner: str) -> set[tuple[int, int]]:
    """(number, epoch) of what this owner works on and somebody cancelled."""
    query = select(promises.c.id, promises.c.epoch).where(
        promises.c.owner == owner,
        promises.c.status == Status.IN_PROGRESS,
        promises.c.cancel_requested_at.is_not(None),
    )
    return {(row.id, row.epoch) for row in connection.execute(query)}


def report(connection: Connection, promise: Promise, line: str, now: datetime) -> bool:
    """Change the row's progress and the chat's live line; False when this epoch holds the promise no more."""
    changed = connection.execute(
        update(promises)
        .where(
            promises.c.id == promise.id,
            promises.c.epoch == promise.epoch,
            promises.c.status == Status.IN_PROGRESS,
        )
        .values(progress=line, updated_at=now)
    )
    if not changed.rowcount:
        return False
    draft = wording.tell_progress(promise, line)
    if not delivery_store.reword(connection, promise.id, draft.kind, draft.text, now):
        delivery_store.owe(connection, draft, now)
    return True


def release_due(connection: Connection, now: datetime) -> list[tuple[int, int]]:
    """Let go what waited for a moment that has come: (number, priority), the most urgent first."""
    released = (
        update(promises)
        .where(
            promises.c.status == Status.WAITING,
            promises.c.waiting_for.in_((WaitingFor.SCHEDULE, WaitingFor.DIRECTORY)),
            or_(promises.c.not_before <= now, is_parked_ahead(now)),
        )
        .values(status=Status.PENDING, waiting_for=None, not_before=None, updated_at=now)
        .returning(promises.c.priority, promises.c.id)
    )
    rows = sorted(connection.execute(released), key=lambda row: (-row.priority, row.id))
    return [(row.id, row.priority) for row in rows]
