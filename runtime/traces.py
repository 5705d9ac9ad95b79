"""The steps of a run as a tree: which tool calls a model's answer asked for, what each took, and what it cost."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection

from runtime import trace_store
from runtime.trace_store import CallRow, RunRow, StepRow

ABOUT = 200  # characters
# The key of a tool call: which nested run it is of, the id, the request that gave the id again, the course set aside.
KEY = re.compile(r"(?P<prefix>(?:.*/)?)(?P<call>[^/]*?)(?:@(?P<request>\d+))?(?P<aside>(?:~\d+)?)")
LOST = "lost"  # a model's answer that was paid for and did not become a step: its process died


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds, US dollars and tokens, as far as they are known."""

    seconds: float | None = None
    cost: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """A step with those that came of it. `kind` is that of the step; `call` is a request that no step came of."""

    key: str
    kind: str
    name: str
    status: str
    about: str
    evidence: tuple[Mapping[str, Any], ...]
    spent: Spent
    children: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Trace:
    """A run, its steps, and the sums: `model_calls` are those that were answered."""

    run: RunRow
    nodes: tuple[Node, ...]
    model_calls: int
    tool_calls: int
    total: Spent


def read_trace(connection: Connection, name: str) -> Trace:
    """The run that `name` means (see trace_store.find_run). Raises Unknown."""
    run = trace_store.find_run(connection, name)
    steps, calls = trace_store.steps_of(connection, run.id), trace_store.calls_of(connection, run.id)
    paid = match_calls(steps, calls)
    left = [call for call in calls if call not in paid.values()]
    return Trace(
        run,
        build_tree(steps, paid, left),
        model_calls=sum(call.outcome == "ok" for call in calls),
        tool_calls=sum(step.kind == "tool" for step in steps),
        total=_total(run, calls),
    )


def match_calls(steps: Iterable[StepRow], calls: Iterable[CallRow]) -> dict[str, CallRow]:
    """Which call each model step is the answer of: the last one that had ended when the step was written."""
    answered = [call for call in calls if call.outcome == "ok"]
    found: dict[str, CallRow] = {}
    for step in steps:
        ended = [call for call in answered if step.ended_at is not None and _end_of(call) <= step.ended_at]
        if step.kind == "model" and ended:
            found[step.key] = max(ended, key=_end_of)
            answered.remove(found[step.key])
    return found


def build_tree(steps: Iterable[StepRow], paid: Mapping[str, CallRow], left: Iterable[CallRow]) -> tuple[Node, ...]:
    """The steps under what they came of, the calls that came to nothing among them, all in order of time."""
    ordered = list(steps)
    below: dict[str | None, list[StepRow]] = {}
    for step in ordered:
        below.setdefault(_parent_of(step, ordered), []).append(step)

    def grow(step: StepRow) -> Node:
        return replace(_node(step, paid.get(step.key)), children=tuple(map(grow, below.get(step.key, []))))

    trunk = [(_start_of(step, paid.get(step.key)), grow(step)) for step in below.get(None, [])]
    stray = [(call.started_at, _stray(call)) for call in left]
    return tuple(node for _, node in sorted([*trunk, *stray], key=lambda timed: timed[0]))


def _parent_of(step: StepRow, steps: Iterable[StepRow]) -> str | None:
    """The model's answer that asked for a tool call, else what the step is part of."""
    found = KEY.fullmatch(step.key) if step.kind == "tool" else None
    if found is None:
        return step.parent
    prefix, call, request, aside = found.group("prefix", "call", "request", "aside")
    asking = [one.key for one in steps if call in _calls_in(one.response) and one.key.startswith(f"{prefix}model:")]
    named = [key for key in asking if key in (f"{prefix}model:{request}", f"{prefix}model:{request}{aside}")]
    of_course = [key for key in asking if key.endswith(aside)]
    return next(iter(named or of_course or asking), step.parent)


def _calls_in(response: Any) -> set[str]:
    return {part["tool_call_id"] for part in _parts(response) if part.get("part_kind") == "tool-call"}


def _parts(response: Any) -> list[dict[str, Any]]:
    """Those of a model's answer."""
    is_answer = isinstance(response, dict) and "parts" in response
    return cast("dict[str, Any]", response)["parts"] if is_answer else []


def _node(step: StepRow, call: CallRow | None) -> Node:
    spent = _spent_by(call) if call else Spent(_seconds(step))
    status = step.status if step.set_aside_at is None else f"{step.status}, set aside"
    return Node(step.key, step.kind, step.name, status, _about(step), tuple(step.evidence or ()), spent)


def _stray(call: CallRow) -> Node:
    status = LOST if call.outcome == "ok" else call.outcome
    return Node(f"call:{call.number}", "call", call.model, status, call.error_type or "", (), _spent_by(call))


def _about(step: StepRow) -> str:
    """What was asked of a tool, what a model or somebody who steers said, in a line."""
    if step.kind == "steer":
        return _shorten(step.request["text"])
    if step.kind != "model":
        return _shorten(step.request if isinstance(step.request, str) else json.dumps(step.request, ensure_ascii=False))
    return _shorten(" ".join(part["content"] for part in _parts(step.response) if part.get("part_kind") == "text"))


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= ABOUT else f"{line[: ABOUT - 1]}…"


def _spent_by(call: CallRow) -> Spent:
    return Spent(call.duration, call.cost, call.tokens_in, call.tokens_out, call.tokens_cached)


def _seconds(step: StepRow) -> float | None:
    if step.ended_at is None or step.kind == "model":
        return None
    return (step.ended_at - step.started_at).total_seconds()


def _start_of(step: StepRow, call: CallRow | None) -> datetime:
    return call.started_at if call else step.started_at


def _end_of(call: CallRow) -> datetime:
    return call.started_at + timedelta(seconds=call.duration or 0)


def _total(run: RunRow, calls: list[CallRow]) -> Spent:
    seconds = None if run.ended_at is None else (run.ended_at - run.started_at).total_seconds()
    names = ("cost", "tokens_in", "tokens_out", "tokens_cached")
    return Spent(seconds, *(_sum(getattr(call, name) for call in calls) for name in names))


def _sum(values: Iterable[float | None]) -> Any:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
