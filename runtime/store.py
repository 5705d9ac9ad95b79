"""Queries of `runs`, `steps` and `llm_calls`. Each function runs inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, exists, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from core.errors import Cancelled, ConsentNeeded
from core.schema import consents, llm_calls, promises, runs, steps, turns
from runtime.diffs import diffs_in, without_diff

JSON = Any
WINDOW = timedelta(seconds=60)


STEP_COLUMNS = ("key", "parent", "kind", "name", "status", "request", "response", "content", "digest")
# Statements on the way of every step are built once: building one costs more than running it.
CALLS_SINCE = select(func.count()).select_from(llm_calls).where(llm_calls.c.started_at > bindparam("since"))
ADD_STEP = upsert(steps)
WRITE_STEP = ADD_STEP.on_conflict_do_update(
    index_elements=["run_id", "key"],
    set_={
        name: ADD_STEP.excluded[name]
        for name in ("status", "request", "response", "content", "digest", "evidence", "epoch", "ended_at")
    },
)
RUN = select(runs.c.prompt).where(runs.c.id == bindparam("run"))
ADD_RUN = insert(runs)
PARKED = select(consents).where(consents.c.run_id == bindparam("run")).order_by(consents.c.id)
CHANGE_RUN = update(runs).where(runs.c.id == bindparam("run"))
STEPS = select(steps).where(steps.c.run_id == bindparam("run")).order_by(steps.c.id)
ADD_CALL = insert(llm_calls)
CLOSE_CALL = update(llm_calls).where(llm_calls.c.number == bindparam("call"))
EPOCH_OF_TURN = select(turns.c.epoch).where(turns.c.id == bindparam("owner"))
EPOCH_OF_PROMISE = select(promises.c.epoch).where(promises.c.id == bindparam("owner"))


class StepStatus(StrEnum):
    INTENT = "intent"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of an agent; `epoch` is that of its turn or promise, which fences out an earlier process."""

    id: str
    agent: str
    workspace: str
    turn_id: int | None = None
    promise_id: int | None = None
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """A model response (`key` is `model:N`), a tool call (`key` is its id), a nested run, or what somebody steered by.

    `request`, `response` and `content` are JSON. `parent` is the key of the step that this one is part of; `digest` is
    of what a response answers; one that is set aside was an answer to another question and is not used again.
    """

    key: str
    kind: str
    name: str
    status: StepStatus
    request: JSON = None
    response: JSON = None
    evidence: tuple[Mapping[str, JSON], ...] = ()
    content: JSON = None
    digest: str | None = None
    parent: str | None = None
    is_set_aside: bool = False


@dataclass(frozen=True, slots=True)
class CallOpening:
    """What is known of a model call when it starts."""

    started_at: datetime
    chat: str
    run: str
    promise: int | None
    requester: str
    kind: str
    model: str
    system_chars: int
    prompt_chars: int


@dataclass(frozen=True, slots=True)
class CallEnd:
    """What a model call came to. Seconds, tokens, US dollars."""

    outcome: str
    wait: float | None
    duration: float
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    error_type: str | None = None
    request_id: str | None = None
    cost: float | None = None


def begin_run(connection: Connection, run: Run, prompt: JSON, now: datetime) -> tuple[JSON, list[Step]]:
    """Write or reopen the run; what it was asked when it first began, and its steps so far.

    Raises Cancelled when it is another process's now, ConsentNeeded when it is a turn's that was parked before.
    """
    check_epoch(connection, run)
    known = connection.execute(RUN, {"run": run.id}).first()
    if known is None:
        row = {"id": run.id, "agent": run.agent, "workspace": run.workspace, "status": "running", "started_at": now}
        row |= {"turn_id": run.turn_id, "promise_id": run.promise_id, "prompt": prompt}
        connection.execute(ADD_RUN, row)
        return prompt, []
    _check_not_parked(connection, run)
    prompt = prompt if known.prompt is None else known.prompt
    connection.execute(CHANGE_RUN, {"run": run.id, "status": "running", "ended_at": None, "prompt": prompt})
    return prompt, read_steps(connection, run.id)


def is_granted(connection: Connection, run_id: str, wanted: ConsentNeeded) -> bool:
    """Whether somebody allowed exactly this call."""
    query = select(consents.c.decision, consents.c.digest).where(
        consents.c.run_id == run_id, consents.c.key == wanted.key
    )
    row = connection.execute(query.order_by(consents.c.id.desc())).first()
    return row is not None and (row.decision, row.digest) == ("granted", wanted.digest)


def _check_not_parked(connection: Connection, run: Run) -> None:
    """A turn that was parked as a promise is the promise's to go on with. Raises ConsentNeeded."""
    if run.promise_id is not None:
        return
    row = connection.execute(PARKED, {"run": run.id}).first()
    if row is not None:
        raise ConsentNeeded(row.tool, row.arguments, row.key, row.digest)


def end_run(connection: Connection, run: Run, status: str, now: datetime) -> None:
    """`done`, `failed` or `stopped`; not when another process goes on with it."""
    if is_current(connection, run):
        connection.execute(CHANGE_RUN, {"run": run.id, "status": status, "ended_at": now})


def read_steps(connection: Connection, run_id: str) -> list[Step]:
    return [step_of(row) for row in connection.execute(STEPS, {"run": run_id})]


def step_of(row: Row[Any]) -> Step:
    return Step(
        row.key,
        row.kind,
        row.name,
        StepStatus(row.status),
        request=row.request,
        response=row.response,
        evidence=tuple(row.evidence or ()),
        content=row.content,
        digest=row.digest,
        parent=row.parent,
        is_set_aside=row.set_aside_at is not None,
    )


def tools_done(connection: Connection, run_id: str) -> list[Step]:
    """The tool calls of a run that came to an end, in order."""
    done = (step for step in read_steps(connection, run_id) if step.kind == "tool")
    return [step for step in done if step.status is not StepStatus.INTENT]


def seen_in(connection: Connection, run_id: str) -> tuple[Mapping[str, JSON], ...]:
    """What tools of a run were seen to do, in order."""
    return tuple(without_diff(item) for item in _evidence_of(connection, run_id))


def changed_in(connection: Connection, run_id: str) -> list[str]:
    """What tools of a run were seen to change in files, in order: diffs."""
    return diffs_in(_evidence_of(connection, run_id))


def _evidence_of(connection: Connection, run_id: str) -> list[Mapping[str, JSON]]:
    query = select(steps.c.evidence).where(steps.c.run_id == run_id).order_by(steps.c.id)
    return [item for seen in connection.execute(query).scalars() for item in seen or ()]


def write_step(connection: Connection, run: Run, step: Step, now: datetime) -> None:
    """Write the step, or bring its row up to date. Raises Cancelled when the run is another process's now."""
    check_epoch(connection, run)
    row = {name: getattr(step, name) for name in STEP_COLUMNS}
    row |= {"run_id": run.id, "epoch": run.epoch, "evidence": list(step.evidence), "started_at": now}
    connection.execute(WRITE_STEP, {**row, "ended_at": None if step.status is StepStatus.INTENT else now})


def forget_step(connection: Connection, run: Run, key: str) -> None:
    """As if it had never begun. Raises Cancelled when the run is another process's now."""
    check_epoch(connection, run)
    connection.execute(delete(steps).where(steps.c.run_id == run.id, steps.c.key == key))


def set_aside(connection: Connection, run: Run, renamed: Mapping[str, str], now: datetime) -> None:
    """Take these steps out of the run's course, under new keys (old to new): the old ones are free again."""
    check_epoch(connection, run)
    for old, new in renamed.items():
        of_run = steps.c.run_id == run.id
        moved = {"key": new, "set_aside_at": now}
        connection.execute(update(steps).where(of_run, steps.c.key == old), moved)
        connection.execute(update(steps).where(of_run, steps.c.parent == old), {"parent": new})


def check_epoch(connection: Connection, run: Run) -> None:
    """Raise Cancelled unless the turn or promise of the run is still at the epoch the run began with."""
    if not is_current(connection, run):
        raise Cancelled("Another process goes on with this work.")


def is_current(connection: Connection, run: Run) -> bool:
    query, owner = (EPOCH_OF_TURN, run.turn_id) if run.promise_id is None else (EPOCH_OF_PROMISE, run.promise_id)
    if owner is None:
        return True
    epoch = connection.execute(query, {"owner": owner}).scalar()
    return epoch is None or epoch == run.epoch


def open_call(connection: Connection, opening: CallOpening) -> int:
    """The row of a model call that starts; its number."""
    lately = connection.execute(CALLS_SINCE, {"since": opening.started_at - WINDOW}).scalar() or 0
    row = {name: getattr(opening, name) for name in CallOpening.__slots__}
    row |= {"outcome": "open", "calls_last_60s": lately + 1}
    key: Any = connection.execute(ADD_CALL, row).inserted_primary_key
    return int(key[0])


def close_call(connection: Connection, number: int, end: CallEnd) -> None:
    values = {name: getattr(end, name) for name in CallEnd.__slots__}
    connection.execute(CLOSE_CALL, {"call": number, **values})


def count_calls(connection: Connection, since: datetime) -> dict[str, int]:
    """Model calls since then, by outcome, and `all`."""
    query = select(llm_calls.c.outcome, func.count()).where(llm_calls.c.started_at >= since)
    found: dict[str, int] = {row[0]: row[1] for row in connection.execute(query.group_by(llm_calls.c.outcome))}
    return {**found, "all": sum(found.values())}


def forget_runs(connection: Connection, run_ids: Iterable[str]) -> None:
    """Their steps and model calls with them."""
    ids = tuple(run_ids)
    connection.execute(delete(llm_calls).where(llm_calls.c.run.in_(ids)))
    connection.execute(delete(steps).where(steps.c.run_id.in_(ids)))
    connection.execute(delete(consents).where(consents.c.run_id.in_(ids)))
    connection.execute(delete(runs).where(runs.c.id.in_(ids)))


def forget_strays(connection: Connection, before: datetime, size: int) -> bool:
    """At most `size` runs of command lines, and those whose turn or promise is gone (it may have had several); as many
    model calls that belong to no run. Whether there may be more."""
    has_turn = exists().where(turns.c.id == runs.c.turn_id)
    has_promise = exists().where(promises.c.id == runs.c.promise_id)
    stray = select(runs.c.id).where(runs.c.started_at < before, ~has_turn, ~has_promise).limit(size)
    found = connection.execute(stray).scalars().all()
    forget_runs(connection, found)
    without = ~exists().where(runs.c.id == llm_calls.c.run)
    calls = select(llm_calls.c.number).where(llm_calls.c.started_at < before, without).limit(size)
    gone = connection.execute(delete(llm_calls).where(llm_calls.c.number.in_(calls))).rowcount
    return size in {len(found), gone}
