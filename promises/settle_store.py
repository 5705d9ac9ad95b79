"""Queries that end promises, and what the chats are told of it, in one transaction: the caller's."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, select, update

from conversations import delivery_store
from conversations.delivery import Draft
from core.schema import promise_dependencies, promises
from promises import wording
from promises.promise import Ending, Lease, Promise, Status, WaitingFor
from promises.store import has_open_dependency, read

UNSTARTED = (Status.PENDING, Status.WAITING)


@dataclass(slots=True)
class Settled:
    """What a transaction changed: the promise as it is now, what to ring (number, priority), whether a chat is told."""

    promise: Promise
    ring: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    told: bool = False


def settle(connection: Connection, held: Promise | Lease, ending: Ending, now: datetime) -> Settled | None:
    """End an attempt: the row, the result's delivery, and whoever waited for it. None when the epoch is over.

    An attempt that leaves the promise open ends as cancelled instead when somebody cancelled it meanwhile.
    A Lease as `held` counts only while nobody has renewed it.
    """
    number = held.promise_id if isinstance(held, Lease) else held.id
    holds = [promises.c.id == number, promises.c.epoch == held.epoch, promises.c.status == Status.IN_PROGRESS]
    if isinstance(held, Lease):
        holds.append(promises.c.lease_until == held.until)
    row = connection.execute(update(promises).where(*holds).values(**_left_by(ending, now)).returning(promises)).first()
    if row is None:
        return None
    promise = read(row)
    if promise.cancel_requested_by is not None and not promise.status.is_settled:
        return cancel_unstarted(connection, promise.id, promise.cancel_requested_by, now)
    return _conclude(connection, promise, ending.draft, now)


def cancel_unstarted(connection: Connection, promise_id: int, by: str, now: datetime) -> Settled | None:
    """Cancel what nobody works on; None when it is under work or settled."""
    row = connection.execute(
        update(promises)
        .where(promises.c.id == promise_id, promises.c.status.in_(UNSTARTED))
        .values(
            status=Status.CANCELLED,
            error_message=f"Cancelled by {by}.",
            cancel_requested_at=now,
            cancel_requested_by=by,
            completed_at=now,
            updated_at=now,
            waiting_for=None,
            not_before=None,
        )
        .returning(promises)
    ).first()
    return None if row is None else _conclude(connection, read(row), None, now)


def ask_cancel(connection: Connection, promise_id: int, by: str, now: datetime) -> bool:
    """Note that work under way is not wanted any more; False when it is settled or was cancelled before."""
    asked = connection.execute(
        update(promises)
        .where(
            promises.c.id == promise_id,
            promises.c.status == Status.IN_PROGRESS,
            promises.c.cancel_requested_at.is_(None),
        )
        .values(cancel_requested_at=now, cancel_requested_by=by)
    )
    return bool(asked.rowcount)


def forsaken(connection: Connection) -> list[Promise]:
    """Promises that did not complete and that somebody still waits for."""
    follower = promises.alias("follower")
    waited_for = exists(
        select(promise_dependencies.c.after_id)
        .join(follower, follower.c.id == promise_dependencies.c.promise_id)
        .where(promise_dependencies.c.after_id == promises.c.id, follower.c.status.in_(UNSTARTED))
    )
    query = select(promises).where(promises.c.status.in_((Status.FAILED, Status.CANCELLED)), waited_for)
    return [read(row) for row in connection.execute(query)]


def unblocked(connection: Connection) -> list[int]:
    """What waits although everything it follows is completed."""
    return list(connection.execute(select(promises.c.id).where(_is_unblocked())).scalars())


def release_unblocked(connection: Connection, now: datetime, after: int | None = None) -> list[tuple[int, int]]:
    """Let go what waits for nothing any more (only followers of `after`, where given): (number, priority) of each."""
    among = [] if after is None else [_follows(after)]
    released = (
        update(promises)
        .where(*among, _is_unblocked())
        .values(status=Status.PENDING, waiting_for=None, updated_at=now)
        .returning(promises.c.id, promises.c.priority)
    )
    return [(row.id, row.priority) for row in connection.execute(released)]


def follow(connection: Connection, settled: Settled, now: datetime) -> None:
    """Release who waited for a completed promise; fail who waited for another, and in turn who waits for them."""
    if settled.promise.status is Status.COMPLETED:
        settled.ring += release_unblocked(connection, now, settled.promise.id)
        return
    reason = f"Promise #{settled.promise.id}, which it follows, {_fate(settled.promise)}"
    leads = [settled.promise.id]
    while leads:
        failed = _fail_followers(connection, leads.pop(), reason, now)
        settled.told |= bool(failed)
        leads += failed


def _conclude(connection: Connection, promise: Promise, draft: Draft | None, now: datetime) -> Settled:
    settled = Settled(promise)
    if promise.status is Status.PENDING:
        settled.ring.append((promise.id, promise.priority))
    if promise.status.is_settled:
        _tell(connection, promise, draft or _told_by_default(promise), now)
        settled.told = True
        follow(connection, settled, now)
    return settled


def _tell(connection: Connection, promise: Promise, draft: Draft, now: datetime) -> None:
    if promise.progress is not None:
        delivery_store.reword(connection, promise.id, "progress", wording.close_progress(promise), now)
    delivery_store.owe(connection, draft, now)


def _told_by_default(promise: Promise) -> Draft:
    if promise.status is Status.CANCELLED:
        return wording.tell_cancelled(promise)
    return wording.tell_failed(promise, promise.error_message or "")


def _left_by(ending: Ending, now: datetime) -> dict[str, Any]:
    """The columns that an attempt's end changes."""
    left: dict[str, Any] = {
        "status": ending.status,
        "waiting_for": ending.waiting_for,
        "not_before": ending.not_before,
        "attempts": promises.c.attempts + ending.attempts,
        "deaths": promises.c.deaths + ending.deaths,
        "owner": None,
        "lease_until": None,
        "updated_at": now,
    }
    if ending.status.is_settled:
        left |= {"completed_at": now, "result_summary": ending.result_summary}
    if ending.error_message is not None or ending.status is Status.COMPLETED:
        left["error_message"] = ending.error_message
    if ending.status is Status.CANCELLED:
        left["error_message"] = func.coalesce("Cancelled by " + promises.c.cancel_requested_by + ".", "Cancelled.")
    if ending.evidence:
        left["evidence"] = list(ending.evidence)
    return left


def _fail_followers(connection: Connection, promise_id: int, reason: str, now: datetime) -> list[int]:
    failed = (
        update(promises)
        .where(_follows(promise_id), promises.c.status.in_(UNSTARTED))
        .values(status=Status.FAILED, error_message=reason, waiting_for=None, completed_at=now, updated_at=now)
        .returning(promises)
    )
    followers = [read(row) for row in connection.execute(failed).all()]
    for follower in followers:
        _tell(connection, follower, wording.tell_failed(follower, reason), now)
    return [follower.id for follower in followers]


def _fate(promise: Promise) -> str:
    return "was cancelled." if promise.status is Status.CANCELLED else f"failed: {promise.error_message}"


def _follows(promise_id: int) -> ColumnElement[bool]:
    return promises.c.id.in_(
        select(promise_dependencies.c.promise_id).where(promise_dependencies.c.after_id == promise_id)
    )


def _is_unblocked() -> ColumnElement[bool]:
    return and_(
        promises.c.status == Status.WAITING,
        promises.c.waiting_for == WaitingFor.DEPENDENCY,
        ~has_open_dependency(),
    )
