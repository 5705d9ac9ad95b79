"""Queries that make, find and list promises. Each function runs inside the caller's transaction."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, exists, func, insert, literal, select, update

from core.access import Role
from core.message import Chat
from core.protocols import Asker, Call, PromiseOrder
from core.schema import Moment, promise_dependencies, promises, results
from promises.promise import Lease, Promise, Status, WaitingFor
from promises.schedule import FIRST

HIGHEST_NUMBER = 2**63 - 1  # that a table can hold
AHEAD = timedelta(minutes=1)  # more than clocks are usually corrected by
OPEN = (Status.PENDING, Status.IN_PROGRESS, Status.WAITING)
# Statements on the way of every promise are built once: building one costs as much as running it.
ADD = insert(promises)
MADE_BY = select(promises).where(
    promises.c.made_by_run == bindparam("run"), promises.c.tool_call_id == bindparam("tool_call")
)
BEFORE = promises.alias("before")
# Whether a row of `promises` in the enclosing statement follows a promise that is not completed.
HAS_OPEN_DEPENDENCY = exists(
    select(promise_dependencies.c.after_id)
    .join(BEFORE, BEFORE.c.id == promise_dependencies.c.after_id)
    .where(promise_dependencies.c.promise_id == promises.c.id, BEFORE.c.status != Status.COMPLETED)
)


@dataclass(frozen=True, slots=True)
class NewPromise:
    """Everything that is known of a promise before it has a number."""

    order: PromiseOrder
    asker: Asker
    call: Call | None
    waiting_for: WaitingFor | None = None
    not_before: datetime | None = None
    run_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])


def add(connection: Connection, new: NewPromise, now: datetime) -> Promise:
    """Write the row and its dependencies."""
    values = _values(new, now)
    key: Any = connection.execute(ADD, values).inserted_primary_key
    number = int(key[0])
    if new.order.after:
        links = [{"promise_id": number, "after_id": after} for after in new.order.after]
        connection.execute(insert(promise_dependencies), links)
    return _read({**UNTOUCHED, **values, "id": number})


def _values(new: NewPromise, now: datetime) -> dict[str, Any]:
    order, asker, call = new.order, new.asker, new.call
    return {
        "chat_id": asker.chat.key,
        "front": asker.chat.front,
        "message_id": asker.message_id,
        "task_description": order.task_description,
        "task_type": order.task_type,
        "priority": order.priority,
        "status": Status.WAITING if new.waiting_for else Status.PENDING,
        "waiting_for": new.waiting_for,
        "not_before": new.not_before,
        "due_at": order.at,
        "every": order.every,
        "zone": order.zone,
        "workspace": asker.workspace,
        "requester_id": asker.person_id,
        "requester_name": asker.name,
        "role": asker.role,
        "made_by_run": call.run_id if call else None,
        "tool_call_id": call.tool_call_id if call else None,
        "run_id": new.run_id or new_run_id(),
        "metadata": new.metadata,
        "created_at": now,
        "updated_at": now,
    }


def repeat(connection: Connection, former: Promise, at: datetime, now: datetime) -> int:
    """Write the next occurrence of a repeated promise; its number."""
    series = {name: value for name, value in former.metadata.items() if name in OF_A_SERIES}
    copied = select(
        *(promises.c[name] for name in COPIED),
        promises.c.id,
        *(literal(value) for value in (Status.WAITING.value, WaitingFor.SCHEDULE.value, new_run_id())),
        *(literal(moment, Moment()) for moment in (at, at, now, now)),
        literal(series, promises.c.metadata.type),
    ).where(promises.c.id == former.id)
    given = (
        "former_id",
        "status",
        "waiting_for",
        "run_id",
        "not_before",
        "due_at",
        "created_at",
        "updated_at",
        "metadata",
    )
    made = insert(promises).from_select([*COPIED, *given], copied).returning(promises.c.id)
    return connection.execute(made).scalar_one()


def annotate(connection: Connection, promise: Promise, notes: Mapping[str, Any]) -> None:
    """Keep these in its `metadata` as well."""
    noted = {**promise.metadata, **notes}
    connection.execute(update(promises).where(promises.c.id == promise.id).values(metadata=noted))


def new_run_id() -> str:
    return f"run_{secrets.token_hex(8)}"


def made_by(connection: Connection, call: Call) -> Promise | None:
    """The promise that this tool call made already."""
    return _first(connection.execute(MADE_BY, {"run": call.run_id, "tool_call": call.tool_call_id}).first())


def find(connection: Connection, promise_id: int) -> Promise | None:
    return _first(connection.execute(select(promises).where(promises.c.id == promise_id)).first())


def last_occurrence(connection: Connection, promise: Promise) -> Promise:
    """Where a repeated promise stands now: the newest of those that came of this one."""
    chain = select(promises.c.id).where(promises.c.id == promise.id).cte("chain", recursive=True)
    chain = chain.union_all(select(promises.c.id).where(promises.c.former_id == chain.c.id))
    newest = select(func.max(chain.c.id)).scalar_subquery()
    return read(connection.execute(select(promises).where(promises.c.id == newest)).one())


def result_of(connection: Connection, promise_id: int) -> str | None:
    """The whole result, also where the chat got only its beginning."""
    whole = connection.execute(select(results.c.text).where(results.c.promise_id == promise_id)).scalar()
    found = find(connection, promise_id) if whole is None else None
    return found.result_summary if found else whole


def find_all(connection: Connection, promise_ids: Iterable[int], workspace: str) -> dict[int, Promise]:
    """Those of the numbers that are promises of this workspace."""
    numbers = tuple(number for number in promise_ids if 0 < number <= HIGHEST_NUMBER)
    if not numbers:
        return {}
    query = select(promises).where(promises.c.id.in_(numbers), promises.c.workspace == workspace)
    return {row.id: read(row) for row in connection.execute(query)}


def newest(connection: Connection, workspace: str | None, limit: int) -> list[Promise]:
    """A workspace's promises, or all: open ones before settled ones, newest first in each."""
    query = select(promises).where(*(() if workspace is None else (promises.c.workspace == workspace,)))
    query = query.order_by(promises.c.id.desc())
    # The few open ones by their status; the others by number alone, which stops after a page of the longest table.
    numbers = select(promises.c.id).where(promises.c.status.in_(OPEN))
    unsettled = connection.execute(query.where(promises.c.id.in_(numbers)).limit(limit)).all()
    settled = connection.execute(query.where(promises.c.status.not_in(OPEN)).limit(limit - len(unsettled)))
    return [read(row) for row in (*unsettled, *settled)]


def changed_since(connection: Connection, since: datetime, limit: int = 100) -> tuple[list[Promise], datetime]:
    """What has moved after `since`, oldest change first, and when the last of it did."""
    query = select(promises).where(promises.c.updated_at > since).order_by(promises.c.updated_at).limit(limit)
    rows = connection.execute(query).all()
    return [read(row) for row in rows], rows[-1].updated_at if rows else since


def pending(connection: Connection, limit: int) -> list[tuple[int, int]]:
    """(number, priority) of what anyone may claim, the most urgent first."""
    query = (
        select(promises.c.id, promises.c.priority)
        .where(promises.c.status == Status.PENDING)
        .order_by(promises.c.priority.desc(), promises.c.id)
        .limit(limit)
    )
    return [(row.id, row.priority) for row in connection.execute(query)]


def leases(connection: Connection) -> list[Lease]:
    """Who holds what."""
    query = select(promises).where(promises.c.status == Status.IN_PROGRESS)
    return [
        Lease(row.id, row.run_id, row.epoch, row.owner, row.lease_until, row.updated_at)
        for row in connection.execute(query)
    ]


def is_parked_ahead(now: datetime) -> ColumnElement[bool]:
    """Whether a row was put off by a clock that was ahead, and has been set back since: it has waited enough.

    Only of what is to be tried again: a moment that people chose means itself.
    """
    return and_(
        promises.c.status == Status.WAITING,
        promises.c.waiting_for.in_((WaitingFor.SCHEDULE, WaitingFor.DIRECTORY)),
        promises.c.error_message.is_not(None),
        promises.c.updated_at > now + AHEAD,
    )


def next_due(connection: Connection, now: datetime) -> datetime | None:
    """When the first may start that waits for its moment, or has waited for approval enough; it may be past."""
    if connection.execute(select(promises.c.id).where(is_parked_ahead(now)).limit(1)).first() is not None:
        return now
    query = select(promises.c.not_before).where(
        promises.c.status == Status.WAITING, promises.c.waiting_for != WaitingFor.DEPENDENCY
    )
    return connection.execute(query.order_by(promises.c.not_before).limit(1)).scalar()


def appointed(connection: Connection, limit: int) -> list[Promise]:
    """What waits for a moment, also after others, the next first."""
    timed = promises.c.waiting_for.in_((WaitingFor.SCHEDULE, WaitingFor.DEPENDENCY))
    query = select(promises).where(promises.c.status == Status.WAITING, timed, promises.c.not_before.is_not(None))
    return [read(row) for row in connection.execute(query.order_by(promises.c.not_before, promises.c.id).limit(limit))]


def read(row: Row[Any]) -> Promise:
    """A row as the rest of the program knows it."""
    return _read(row._asdict())


def _read(found: Mapping[str, Any]) -> Promise:
    plain = {name: found[name] for name in PLAIN}
    return Promise(
        **plain,
        chat=Chat(found["front"], found["chat_id"]),
        status=Status(found["status"]),
        role=Role(found["role"]),
        waiting_for=WaitingFor(found["waiting_for"]) if found["waiting_for"] else None,
        evidence=tuple(found["evidence"] or ()),
        metadata=found["metadata"] or {},
    )


def _first(row: Row[Any] | None) -> Promise | None:
    return None if row is None else read(row)


PLAIN = tuple(
    name for name in Promise.__slots__ if name not in {"chat", "status", "role", "waiting_for", "evidence", "metadata"}
)
# What an occurrence has of the one before it; of its notes only these.
COPIED = (
    *("chat_id", "front", "message_id", "task_description", "task_type", "priority", "every", "zone"),
    *("workspace", "requester_id", "requester_name", "role"),
)
OF_A_SERIES = (FIRST,)
# A row's columns before anybody has worked on it.
UNTOUCHED: Mapping[str, Any] = {**dict.fromkeys(PLAIN), "evidence": None, "attempts": 0, "deaths": 0, "epoch": 0}
