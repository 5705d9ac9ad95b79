"""Queries that take up again what failed or was cancelled. Each function runs inside the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, null, select, update

from conversations import delivery_store
from core.protocols import Call
from core.schema import promise_dependencies, promises, results
from promises import store
from promises.promise import DEATHS, SETTLED, Promise, Status, WaitingFor
from promises.store import read
from runtime import trace_store

ENDS = ("result", "notice")  # kinds of deliveries that tell an end
# In `metadata` of what was retried: how often, by which call of which run, and the runs that had come to their own end.
RETRIES, RETRIED_BY, FORMER_RUNS = "retries", "retried_by", "former_runs"


@dataclass(frozen=True, slots=True)
class Retried:
    """A promise as it is now. `number` counts retries; `left` are the promises that failed with it and stay so."""

    promise: Promise
    number: int
    is_anew: bool
    left: tuple[int, ...]


def was_retried_by(promise: Promise, call: Call | None) -> bool:
    """Whether this very call was its last retry: it is asked again after a restart."""
    return call is not None and promise.metadata.get(RETRIED_BY) == _spell(call)


def open_again(connection: Connection, ended: Promise, call: Call | None, now: datetime) -> Retried:
    """Make an ended promise open again; `call` is what asks for it.

    It goes on with its run, whose finished steps are not paid again, unless that run had come to its own end and would
    come to it again. The chat is told its next end as it was told the first: what is told makes room. A result that
    was kept whole was the former attempt's.
    """
    number = ended.metadata.get(RETRIES, 0) + 1
    was_judged = ended.status is Status.FAILED and ended.deaths < DEATHS
    is_anew = trace_store.is_spent(connection, ended.run_id, was_judged=was_judged)
    former = [*ended.metadata.get(FORMER_RUNS, ()), *([ended.run_id] if is_anew else ())]
    waiting_for, not_before = _waits(connection, ended, now)
    row = connection.execute(
        update(promises)
        .where(promises.c.id == ended.id, promises.c.status.in_(SETTLED))
        .values(
            status=Status.WAITING if waiting_for else Status.PENDING,
            waiting_for=waiting_for,
            not_before=not_before,
            every=None if _comes_again(connection, ended) else ended.every,
            run_id=store.new_run_id() if is_anew else ended.run_id,
            metadata={**ended.metadata, RETRIES: number, RETRIED_BY: _spell(call), FORMER_RUNS: former},
            updated_at=now,
            **UNTRIED,
        )
        .returning(promises)
    ).one()
    connection.execute(delete(results).where(results.c.promise_id == ended.id))
    delivery_store.take_buttons(connection, ended.id, *ENDS)  # it is retried already
    delivery_store.make_room(connection, ended.id, ENDS, number)
    return Retried(read(row), number, is_anew, failed_with(connection, ended.id))


def _spell(call: Call | None) -> list[str] | None:
    return None if call is None else [call.run_id, call.tool_call_id]


def broken_dependencies(connection: Connection, promise_id: int) -> list[Promise]:
    """What it follows that did not complete and is not open either."""
    lost = (Status.FAILED, Status.CANCELLED)
    return [promise for promise in _dependencies(connection, promise_id) if promise.status in lost]


def failed_with(connection: Connection, promise_id: int) -> tuple[int, ...]:
    """The promises that follow it, one after the other, and failed."""
    links = promise_dependencies.c
    lost = select(promises.c.id).join(promise_dependencies, links.promise_id == promises.c.id)
    lost = lost.where(promises.c.status == Status.FAILED)
    found, leads = set[int](), [promise_id]
    while leads:
        new = set(connection.execute(lost.where(links.after_id == leads.pop())).scalars()) - found
        found |= new
        leads += new
    return tuple(sorted(found))


def _waits(connection: Connection, ended: Promise, now: datetime) -> tuple[WaitingFor | None, datetime | None]:
    """What it waits for now, and until when."""
    due_at = ended.due_at if ended.due_at and ended.due_at > now else None
    if any(promise.status is not Status.COMPLETED for promise in _dependencies(connection, ended.id)):
        return WaitingFor.DEPENDENCY, due_at
    return (WaitingFor.SCHEDULE if due_at else None), due_at


def _dependencies(connection: Connection, promise_id: int) -> list[Promise]:
    links = promise_dependencies.c
    query = select(promises).join(promise_dependencies, links.after_id == promises.c.id)
    return [read(row) for row in connection.execute(query.where(links.promise_id == promise_id))]


def _comes_again(connection: Connection, ended: Promise) -> bool:
    """Whether its next occurrence is there already: then the row is an errand of its own, for the series goes on."""
    return connection.execute(select(promises.c.id).where(promises.c.former_id == ended.id)).first() is not None


# What an attempt leaves in a row; `epoch` stays, so that no earlier holder can settle.
UNTRIED = {
    **dict.fromkeys(("completed_at", "result_summary", "error_message", "evidence", "progress"), null()),
    **dict.fromkeys(("cancel_requested_at", "cancel_requested_by"), null()),
    "attempts": 0,
    "deaths": 0,
}
