"""Queries that end promises, and what the chats are told of it, in one transaction: the caller's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Text,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from conversations import delivery_store, question_store
from conversations.delivery import Draft
from core.schema import Moment, promise_dependencies, promises, results
from promises import store, wording
from promises.promise import DEATHS, Ending, Lease, Promise, Status, WaitingFor
from promises.schedule import next_occurrence
from promises.store import HAS_OPEN_DEPENDENCY, read
from runtime import store as run_store

UNSTARTED = (Status.PENDING, Status.WAITING)
IS_UNBLOCKED = and_(
    promises.c.status == Status.WAITING,
    promises.c.waiting_for == WaitingFor.DEPENDENCY,
    ~HAS_OPEN_DEPENDENCY,
)
FOLLOWS = promises.c.id.in_(
    select(promise_dependencies.c.promise_id).where(promise_dependencies.c.after_id == bindparam("after"))
)
IS_FOLLOWED = exists().where(promise_dependencies.c.after_id == promises.c.id).label("is_followed")
IS_EARLY = promises.c.not_before > bindparam("now", type_=Moment)
RELEASE = (
    update(promises)
    .where(IS_UNBLOCKED)
    .values(
        status=case((IS_EARLY, Status.WAITING), else_=Status.PENDING),
        waiting_for=case((IS_EARLY, WaitingFor.SCHEDULE), else_=null()),
        updated_at=bindparam("now"),
    )
    .returning(promises.c.id, promises.c.priority, promises.c.status)
)
RELEASE_FOLLOWERS = RELEASE.where(FOLLOWS)
# What it waits for is spelled out: with a bound value SQLite does not see that its partial index serves.
NEXT_WRITER = (
    select(promises.c.id)
    .where(
        promises.c.waiting_for == literal_column("'directory'"),
        promises.c.workspace == bindparam("place"),
    )
    .order_by(promises.c.priority.desc(), promises.c.id)
    .limit(1)
)
LET_WRITE = (
    update(promises)
    .where(promises.c.id == NEXT_WRITER.scalar_subquery())
    .values(status=Status.PENDING, waiting_for=None, not_before=None, updated_at=bindparam("now"))
    .returning(promises.c.id, promises.c.priority)
)


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
    changes = _changes(ending, now)
    number, until = (held.promise_id, held.until) if isinstance(held, Lease) else (held.id, None)
    values = {f"new_{name}": value for name, value in changes.items()}
    statement = _ending_statement(tuple(changes), is_lease=until is not None)
    row = connection.execute(statement, {"number": number, "held_epoch": held.epoch, "until": until, **values}).first()
    if row is None:
        return None
    promise = read(row)
    if promise.cancel_requested_by is not None and not promise.status.is_settled:
        return cancel_unstarted(connection, promise.id, promise.cancel_requested_by, now)
    settled = _conclude(connection, promise, ending.draft, now)
    if ending.whole is not None:
        connection.execute(insert(results).values(promise_id=promise.id, text=ending.whole))
    if promise.status.is_settled and row.is_followed:
        follow(connection, settled, now)
    if _may_have_written(ending):
        settled.ring += _let_next_write(connection, promise.workspace, now)
    _repeat(connection, promise, now)
    return settled


def _may_have_written(ending: Ending) -> bool:
    """Whether the attempt may have held its directory; one that found it taken did not."""
    return ending.waiting_for is not WaitingFor.DIRECTORY and (
        bool(ending.evidence) or ending.status is not Status.COMPLETED
    )


def _let_next_write(connection: Connection, workspace: str, now: datetime) -> list[tuple[int, int]]:
    """Let go whoever is first of those that wait for the workspace's directory: it is free by now."""
    rows = connection.execute(LET_WRITE, {"place": workspace, "now": now}).all()
    return [(row.id, row.priority) for row in rows]


def cancel_unstarted(connection: Connection, promise_id: int, by: str, now: datetime) -> Settled | None:
    """Cancel what nobody works on; None when it is under work or settled."""
    cancelled = {
        "status": Status.CANCELLED,
        "error_message": f"Cancelled by {by}.",
        "cancel_requested_at": now,
        "cancel_requested_by": by,
    }
    return _end_unstarted(connection, promises.c.id == promise_id, cancelled, now)


def free(connection: Connection, lease: Lease, deaths: int, now: datetime) -> Settled | None:
    """Let go what a worker held that is dead or late: it fails when too many died over it, unless it was cancelled."""
    settled = settle(connection, lease, Ending(Status.PENDING, deaths=deaths), now)
    if settled is None or settled.promise.status is not Status.PENDING or settled.promise.deaths < DEATHS:
        return settled
    told = {"status": Status.FAILED, "error_message": f"Its worker died {DEATHS} times over it."}
    failed = _end_unstarted(connection, promises.c.id == lease.promise_id, told, now)
    assert failed is not None, "it was let go in this very transaction"
    failed.ring += settled.ring
    _repeat(connection, failed.promise, now)
    return failed


def fail_unapproved(connection: Connection, promise_id: int, reason: str, now: datetime) -> Settled | None:
    """End what waits for an approval that it did not get; None when it does not wait for one."""
    which = and_(promises.c.id == promise_id, promises.c.waiting_for == WaitingFor.APPROVAL)
    settled = _end_unstarted(connection, which, {"status": Status.FAILED, "error_message": reason}, now)
    if settled is not None:
        _repeat(connection, settled.promise, now)
    return settled


def _end_unstarted(
    connection: Connection, which: ColumnElement[bool], values: Mapping[str, Any], now: datetime
) -> Settled | None:
    ended = {**values, "completed_at": now, "updated_at": now, "waiting_for": None, "not_before": None}
    unstarted = update(promises).where(which, promises.c.status.in_(UNSTARTED))
    row = connection.execute(unstarted.values(ended).returning(promises)).first()
    if row is None:
        return None
    question_store.void(connection, row.id, now)
    settled = _conclude(connection, read(row), None, now)
    follow(connection, settled, now)
    return settled


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
    open_followers = select(promises.c.id).where(promises.c.status.in_(UNSTARTED))
    waited_for = select(promise_dependencies.c.after_id).where(promise_dependencies.c.promise_id.in_(open_followers))
    query = select(promises).where(
        promises.c.id.in_(waited_for), promises.c.status.in_((Status.FAILED, Status.CANCELLED))
    )
    return [read(row) for row in connection.execute(query)]


def unblocked(connection: Connection) -> list[int]:
    """What waits although everything it follows is completed."""
    return list(connection.execute(select(promises.c.id).where(IS_UNBLOCKED)).scalars())


def release_unblocked(connection: Connection, now: datetime, after: int | None = None) -> list[tuple[int, int]]:
    """Let go what waits for no other promise any more (only followers of `after`, where given).

    (number, priority) of each that may start now; the others wait for their moment.
    """
    if after is None:
        rows = connection.execute(RELEASE, {"now": now})
    else:
        rows = connection.execute(RELEASE_FOLLOWERS, {"now": now, "after": after})
    return [(row.id, row.priority) for row in rows.all() if row.status == Status.PENDING]


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
        if draft is None:
            settled.promise = promise = _with_evidence(connection, promise)
        _tell(connection, promise, wording.tell_late_cancel(promise, draft or _told_by_default(promise)), now)
        settled.told = True
    return settled


def _with_evidence(connection: Connection, promise: Promise) -> Promise:
    """What an attempt that came to no result had done until then is kept and told as well."""
    seen = promise.evidence or run_store.seen_in(connection, promise.run_id)
    if seen == promise.evidence:
        return promise
    connection.execute(update(promises).where(promises.c.id == promise.id).values(evidence=list(seen)))
    return replace(promise, evidence=seen)


def _repeat(connection: Connection, promise: Promise, now: datetime) -> None:
    """A repeated promise comes again, whatever became of it, unless somebody cancelled it, also too late."""
    is_wanted = promise.status is not Status.CANCELLED and promise.cancel_requested_by is None
    if promise.status.is_settled and is_wanted and (fires := next_occurrence(promise, now)):
        store.repeat(connection, promise, fires, now)


def _tell(connection: Connection, promise: Promise, draft: Draft, now: datetime) -> None:
    delivery_store.take_buttons(connection, promise.id, "ack", "progress", "retry")  # there is nothing left to cancel
    if promise.progress is not None:
        delivery_store.reword(connection, promise.id, "progress", wording.close_progress(promise), now)
    delivery_store.owe(connection, draft, now)


def _told_by_default(promise: Promise) -> Draft:
    if promise.status is Status.CANCELLED:
        return wording.tell_cancelled(promise)
    return wording.tell_failed(promise, promise.error_message or "", promise.evidence)


def _changes(ending: Ending, now: datetime) -> dict[str, Any]:
    """The columns that an attempt's end changes; `attempts` and `deaths` by so much."""
    changes: dict[str, Any] = {
        "status": ending.status,
        "waiting_for": ending.waiting_for,
        "not_before": ending.not_before,
        "attempts": ending.attempts,
        "deaths": ending.deaths,
        "owner": None,
        "lease_until": None,
        "updated_at": now,
    }
    if ending.status.is_settled:
        changes |= {"completed_at": now, "result_summary": ending.result_summary}
    if ending.error_message is not None or ending.status in {Status.COMPLETED, Status.CANCELLED}:
        changes["error_message"] = ending.error_message
    if ending.progress:
        changes["progress"] = ending.progress
    if ending.evidence:
        changes["evidence"] = list(ending.evidence)
    return changes


@cache
def _ending_statement(columns: tuple[str, ...], is_lease: bool) -> ReturningUpdate[Any]:
    """The update that sets each of the columns to `new_COLUMN` while the epoch holds."""
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns}
    for name in ("attempts", "deaths"):
        values[name] = promises.c[name] + bindparam(f"new_{name}")
    if "error_message" in values:
        by = "Cancelled by " + promises.c.cancel_requested_by + "."
        told = case((bindparam("new_status", type_=Text) == Status.CANCELLED, func.coalesce(by, "Cancelled.")))
        values["error_message"] = func.coalesce(bindparam("new_error_message", type_=Text), told)
    holds = [
        promises.c.id == bindparam("number"),
        promises.c.epoch == bindparam("held_epoch"),
        promises.c.status == Status.IN_PROGRESS,
    ]
    if is_lease:
        holds.append(promises.c.lease_until == bindparam("until"))
    return update(promises).where(*holds).values(values).returning(promises, IS_FOLLOWED)


def _fail_followers(connection: Connection, promise_id: int, reason: str, now: datetime) -> list[int]:
    failed = (
        update(promises)
        .where(FOLLOWS, promises.c.status.in_(UNSTARTED))
        .values(status=Status.FAILED, error_message=reason, waiting_for=None, completed_at=now, updated_at=now)
        .returning(promises)
    )
    followers = [read(row) for row in connection.execute(failed, {"after": promise_id}).all()]
    for follower in followers:
        question_store.void(connection, follower.id, now)
        _tell(connection, follower, wording.tell_failed(follower, reason), now)
    return [follower.id for follower in followers]


def _fate(promise: Promise) -> str:
    return "was cancelled." if promise.status is Status.CANCELLED else f"failed: {promise.error_message}"
