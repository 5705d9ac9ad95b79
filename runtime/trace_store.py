"""Queries that look at a run from outside. Each function runs inside the caller's transaction."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, exists, select

from core.errors import Unknown
from core.schema import llm_calls, promises, runs, steps, turns
from runtime.store import StepStatus

PROMISE = re.compile(r"#?(\d{1,18})")
TURN = re.compile(r"turn:(\d{1,18})")
NAMES = "give a run's id, turn:NUMBER, or a promise's number"


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as it lies on disk."""

    id: str
    agent: str
    workspace: str
    turn_id: int | None
    promise_id: int | None
    status: str
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step with its times. Those of a model's answer are both of its end."""

    key: str
    parent: str | None
    kind: str
    name: str
    status: str
    request: Any
    response: Any
    evidence: Sequence[Mapping[str, Any]] | None
    started_at: datetime
    ended_at: datetime | None
    set_aside_at: datetime | None


@dataclass(frozen=True, slots=True)
class CallRow:
    """One attempt at one request to a model."""

    number: int
    started_at: datetime
    model: str
    outcome: str
    error_type: str | None
    tokens_in: int | None
    tokens_out: int | None
    tokens_cached: int | None
    duration: float | None
    cost: float | None


def find_run(connection: Connection, name: str) -> RunRow:
    """The run of that id, of `turn:NUMBER`, or of the promise of that number. Raises Unknown."""
    row = connection.execute(select(runs).where(runs.c.id == _run_id(connection, name))).first()
    if row is None:
        raise Unknown(f"There is no run {name!r}: {NAMES}.")
    return RunRow(**_named(row, RunRow))


def _run_id(connection: Connection, name: str) -> str:
    """Raises Unknown where a turn or a promise of that number has no run."""
    for form, table, what in ((PROMISE, promises, "promise #"), (TURN, turns, "turn ")):
        if found := form.fullmatch(name):
            number = int(found[1])
            run_id = connection.execute(select(table.c.run_id).where(table.c.id == number)).scalar()
            if run_id is None:
                raise Unknown(f"There is no {what}{number}: {NAMES}.")
            # A turn that summarises pages has a run for each, RUN.PLACE: the first one stands for it.
            begun = select(runs.c.id).where(runs.c.id.between(run_id, f"{run_id}.~")).order_by(runs.c.id).limit(1)
            found_id = connection.execute(begun).scalar()
            if found_id is None:
                raise Unknown(f"No agent has begun to work for {what}{number}: it has no run.")
            return found_id
    return name


def steps_of(connection: Connection, run_id: str) -> list[StepRow]:
    """In the order in which they were first written."""
    rows = connection.execute(select(steps).where(steps.c.run_id == run_id).order_by(steps.c.id))
    return [StepRow(**_named(row, StepRow)) for row in rows]


def calls_of(connection: Connection, run_id: str) -> list[CallRow]:
    rows = connection.execute(select(llm_calls).where(llm_calls.c.run == run_id).order_by(llm_calls.c.number))
    return [CallRow(**_named(row, CallRow)) for row in rows]


def _named(row: Row[Any], kind: type[Any]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in kind.__slots__}


def is_spent(connection: Connection, run_id: str, *, was_judged: bool) -> bool:
    """Whether the run came to an end of its own, to which it would only come again if it were to go on.

    One that was done has what is wanted, unless that `was_judged` and found wanting.

    One that failed goes on where a tool call or a request to the model was left without an answer; where all were
    answered, what failed was the run itself.
    """
    status = connection.execute(select(runs.c.status).where(runs.c.id == run_id)).scalar()
    if status != "failed":
        return status == "done" and was_judged
    is_open = exists().where(steps.c.run_id == run_id, steps.c.status == StepStatus.INTENT)
    return not (_is_unanswered(connection, run_id) or connection.execute(select(is_open)).scalar())


def _is_unanswered(connection: Connection, run_id: str) -> bool:
    """Whether the last request to the model came to nothing, or its answer to no step: by the order of the rows, for
    the clock may have been set meanwhile. Only an answer and the step next to it are compared by their times."""
    of_run = select(llm_calls.c.outcome, llm_calls.c.started_at).where(llm_calls.c.run == run_id)
    call = connection.execute(of_run.order_by(llm_calls.c.number.desc()).limit(1)).first()
    ended = select(steps.c.ended_at).where(steps.c.run_id == run_id, steps.c.ended_at.is_not(None))
    last = connection.execute(ended.order_by(steps.c.id.desc()).limit(1)).scalar()
    return call is not None and (call.outcome != "ok" or last is None or call.started_at > last)
