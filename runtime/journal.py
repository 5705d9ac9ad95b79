"""Runs and their steps on disk: what was paid for is not paid again, what was done is not done again.

A model response is a step once it is whole. A tool call is a step twice: an intent before it starts, its result after.
The same run from the start replays what is finished; a call that was under way when its process died is told to the
model as interrupted, unless the manifest calls its tool repeatable. An agent that a tool runs keeps its steps under
that call's key.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import structlog
from sqlalchemy import Connection

from core.clock import Clock
from core.database import Database, T, Work
from core.errors import DatabaseError
from runtime import steer_store, store
from runtime.contents import UserSaid, give_prompt, keep_prompt
from runtime.deps import INTERRUPTED
from runtime.diffs import without_diff
from runtime.steer_store import RESTART, STEER, Place, place_of
from runtime.store import JSON, Run, Step, StepStatus

AGENT = "agent"
UNDER_WAY = "under way when it stopped"
SHORT = 400  # characters of a call or its result, where a model is only reminded of it
COURSE = (
    "Valor was restarted, and something above is not what it was. From here on you had already gone on, "
    "and these calls were made:\n{calls}\nThey are not undone: look at what is there before you repeat any of them."
)
Evidence = Mapping[str, Any]
RETRY_SECONDS = 1.0
log = structlog.get_logger("agents.journal")


@dataclass(slots=True)
class Book:
    """A run, and the steps of it and of those nested in it: on disk at its start, taken up since, and set aside."""

    database: Database
    clock: Clock
    run: Run
    steps: dict[str, Step] = field(default_factory=dict[str, Step])
    seen: dict[str, Step] = field(default_factory=dict[str, Step])
    aside: list[Step] = field(default_factory=list[Step])

    async def write(self, step: Step) -> None:
        """Commit a step. Raises Cancelled when the run is another process's now.

        What is done waits, however long the database is out of order: it would be paid for or done again.
        """
        now = self.clock.now()
        while True:
            try:
                await self.database.write("step", lambda connection: store.write_step(connection, self.run, step, now))
                break
            except DatabaseError as error:
                if step.status is StepStatus.INTENT:
                    raise
                log.warning("a step cannot be written yet", step=step.key, error=str(error))
            await self.clock.sleep(RETRY_SECONDS)


class Journal:
    """The steps of one run: what earlier processes left, and what this one adds.

    `prefix` is what the keys of its steps begin with: nothing, unless it is nested in a tool call of another.
    """

    def __init__(self, book: Book, repeatable: frozenset[str] = frozenset()) -> None:
        self._book = book
        self._repeatable = repeatable
        self._parent: str | None = None
        self.edge = book.database.edge
        self.prefix = ""

    @property
    def run_id(self) -> str:
        return self._book.run.id

    async def open(self, prompt: UserSaid) -> UserSaid:
        """Begin the run, or go on with it; what it was asked when it began. Raises Cancelled when it is another
        process's now."""
        now, kept = self._book.clock.now(), keep_prompt(prompt)
        asked, steps = await self._write(
            "run.begin", lambda connection: store.begin_run(connection, self._book.run, kept, now)
        )
        self._book.steps |= {step.key: step for step in steps if not step.is_set_aside}
        self._book.aside += [step for step in steps if step.is_set_aside]
        return give_prompt(asked, prompt)

    async def close(self, status: str) -> None:
        """End the run as `done`, `failed` or `stopped`."""
        now = self._book.clock.now()
        await self._write("run.end", lambda connection: store.end_run(connection, self._book.run, status, now))

    def nested(self, call: str, agent: str, repeatable: frozenset[str]) -> NestedJournal:
        """The journal of an agent that the tool call with that key runs."""
        return NestedJournal(self._book, repeatable, call, agent)

    # -- what was done

    @property
    def steps(self) -> int:
        return sum(step.kind in {"model", "tool"} for step in self._own())

    @property
    def tool_calls(self) -> int:
        return sum(step.kind == "tool" for step in self._own())

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """What the runner saw tools do, in order (P10); also what was set aside has been done."""
        aside = (step for step in self._book.aside if step.key.startswith(self.prefix))
        return tuple(without_diff(item) for step in (*aside, *self._own()) for item in step.evidence)

    @property
    def refused(self) -> tuple[str, ...]:
        """The tools that the fence or a right refused."""
        return tuple(step.name for step in self._own() if step.status is StepStatus.REFUSED)

    def _own(self) -> Iterable[Step]:
        return (step for key, step in self._book.seen.items() if key.startswith(self.prefix))

    # -- step by step

    def recorded(self, key: str) -> Step | None:
        """The finished step of that key, taken up into this run; also one that must not be done again."""
        step = self._book.steps.get(key)
        if step is None:
            return None
        if step.status is StepStatus.INTENT:
            if step.name in self._repeatable:
                return None
            seen = {"kind": "interrupted", "tool": step.name}
            step = replace(step, status=StepStatus.INTERRUPTED, response=INTERRUPTED, evidence=(seen,))
        for part, inner in self._book.steps.items():
            if part.startswith(f"{key}/") and inner.status is not StepStatus.INTENT:
                self._book.seen[part] = inner
        self._book.seen[key] = step
        return step

    def was_under_way(self, key: str) -> bool:
        """Whether that step was begun by an earlier process, and nobody has written since that it was cut short."""
        return key in self._book.steps and self._book.steps[key].status is StepStatus.INTENT

    async def write(self, step: Step) -> None:
        """Commit a step. Raises Cancelled when the run is another process's now."""
        step = replace(step, parent=self._parent)
        await self._book.write(step)
        if step.status is not StepStatus.INTENT:
            self._book.seen[step.key] = step

    def write_with(self, connection: Connection, step: Step) -> None:
        """Write a finished step within the transaction of its effect: neither is there without the other."""
        store.write_step(connection, self._book.run, replace(step, parent=self._parent), self._book.clock.now())

    async def forget(self, key: str) -> None:
        """Take back an intent whose tool has done nothing."""
        await self._write("step.forget", lambda connection: store.forget_step(connection, self._book.run, key))

    # -- steering and divergence

    async def steers_for(self, request: int) -> list[Step]:
        """What the model is told before its request of that number beside what tools returned, in order.

        A request whose answer is recorded is told what it was told then; any other takes what waits as well.
        """
        if f"{self.prefix}model:{request}" not in self._book.steps and await self._is_steered():
            now, place = self._book.clock.now(), Place(request, len(self._told(request)))
            taken = await self._write(
                "run.steer", lambda connection: steer_store.take(connection, self._book.run, place, now)
            )
            self._book.steps |= {step.key: step for step in taken}
        return self._told(request)

    async def _is_steered(self) -> bool:
        """Chats steer turns; the agent of a tool call is nobody's to steer."""
        run = self._book.run
        if run.turn_id is None or self.prefix:
            return False
        return await self._book.database.read(lambda connection: steer_store.is_steered(connection, run.id))

    def _told(self, request: int) -> list[Step]:
        told = [step for step in self._steers() if place_of(step).request == request]
        return sorted(told, key=place_of)

    def _steers(self) -> list[Step]:
        return [
            step
            for key, step in self._book.steps.items()
            if step.kind == STEER and key.startswith(f"{self.prefix}{STEER}:") and step.status is StepStatus.DONE
        ]

    def diverges(self, request: int, digest: str) -> bool:
        """Whether the recorded answer to that request was to another one."""
        step = self._book.steps.get(f"{self.prefix}model:{request}")
        return step is not None and step.digest not in {None, digest}

    async def set_aside(self, request: int) -> None:
        """Use neither the recorded answer to that request nor what followed any more.

        The request is told which calls were made in that course, for they are not undone. What people said meanwhile
        waits to be taken again.
        """
        later = [step for step in self._steers() if place_of(step).request > request]
        waiting = [step for step in later if step.name != RESTART]
        stale = [step for step in later if step.name == RESTART] + [
            step
            for key, step in self._book.steps.items()
            if key.startswith(self.prefix) and key not in self._book.seen and step.kind != STEER
        ]
        renamed = {step.key: self._aside_key(step.key) for step in stale}
        steers = [replace(step, status=StepStatus.INTENT, response=None) for step in waiting]
        notes = self._notes(stale, request)
        log.warning("A replay diverged.", run=self._book.run.id, request=request, set_aside=list(renamed))
        await self._write("run.diverge", lambda connection: self._diverge(connection, renamed, [*steers, *notes]))
        for step in (*stale, *waiting):
            del self._book.steps[step.key]
        self._book.aside += [replace(step, key=renamed[step.key], is_set_aside=True) for step in stale]
        self._book.steps |= {note.key: note for note in notes}

    def _diverge(self, connection: Connection, renamed: Mapping[str, str], steers: list[Step]) -> None:
        now = self._book.clock.now()
        store.set_aside(connection, self._book.run, renamed, now)
        for step in steers:
            store.write_step(connection, self._book.run, step, now)

    def _notes(self, stale: list[Step], request: int) -> list[Step]:
        calls = [_call_line(step) for step in stale if step.kind == "tool"]
        if not calls:
            return []
        key = f"{self.prefix}{STEER}:{RESTART}:{1 + sum(step.name == RESTART for step in self._steers())}"
        place = asdict(Place(request, len(self._told(request))))
        said = {"text": COURSE.format(calls="\n".join(calls))}
        return [Step(key, STEER, RESTART, StepStatus.DONE, said, place, parent=self._parent)]

    def _aside_key(self, key: str) -> str:
        taken, number = {step.key for step in self._book.aside}, 1
        while f"{key}~{number}" in taken:
            number += 1
        return f"{key}~{number}"

    async def _write(self, name: str, work: Work[T]) -> T:
        return await self._book.database.write(name, work)


class NestedJournal(Journal):
    """The journal of an agent that runs within a tool call: a step of its own, with the run's steps below it."""

    def __init__(self, book: Book, repeatable: frozenset[str], call: str, agent: str) -> None:
        super().__init__(book, repeatable)
        self._call = call
        self._agent = agent

    async def open(self, prompt: UserSaid) -> UserSaid:
        """Of the nested runs that the call was at before, the one that was asked the same goes on.

        One that was asked something else has diverged before its first request.
        """
        kept = keep_prompt(prompt)
        former = self._former(kept)
        key = former.key if former else self._next_key()
        self._step = Step(key, AGENT, self._agent, StepStatus.INTENT, kept, parent=self._call)
        self._book.seen[key] = self._step
        self._parent, self.prefix = key, f"{key}/"
        if former is not None and former.request != kept:
            await self.set_aside(1)
        await self._book.write(self._step)
        return prompt

    async def close(self, status: str) -> None:
        ends = {"done": StepStatus.DONE, "failed": StepStatus.FAILED}
        if status in ends:
            await self._book.write(replace(self._step, status=ends[status]))

    def _former(self, prompt: JSON) -> Step | None:
        left = [step for step in self._siblings() if step.key not in self._book.seen]
        return next((step for step in left if step.request == prompt), left[0] if left else None)

    def _siblings(self) -> list[Step]:
        """What the same call runs, or ran, of this agent."""
        known = {**self._book.steps, **self._book.seen}
        start = f"{self._call}/{self._agent}."
        return [step for key, step in known.items() if step.kind == AGENT and key.startswith(start)]

    def _next_key(self) -> str:
        return f"{self._call}/{self._agent}.{len(self._siblings()) + 1}"


@dataclass(slots=True)
class OpenCall:
    """The tool call that is under way in this task: where an agent that it runs keeps its steps."""

    journal: Journal
    intent: Step

    @property
    def key(self) -> str:
        return self.intent.key

    def finish(self, connection: Connection, result: str) -> None:
        """Write the step of the call, which returns `result`, within the transaction of its effect."""
        self.journal.write_with(connection, replace(self.intent, status=StepStatus.DONE, response=result))


def _call_line(step: Step) -> str:
    came_to = _short(step.response) if step.status is not StepStatus.INTENT else UNDER_WAY
    return f"- {step.name} {_short(step.request)}: {came_to}"


def _short(value: JSON) -> str:
    spelled = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return spelled if len(spelled) <= SHORT else f"{spelled[:SHORT]}…"


def tell_steps(connection: Connection, run_id: str) -> list[str]:
    """What a run has done so far, one line per tool call that has taken effect or may have."""
    told = (StepStatus.DONE, StepStatus.INTENT, StepStatus.INTERRUPTED)
    steps = (step for step in store.read_steps(connection, run_id) if step.kind == "tool" and step.status in told)
    return [_line(step) for step in steps]


def _line(step: Step) -> str:
    facts = [_fact(item) for item in step.evidence]
    if step.status is not StepStatus.DONE:
        facts.append(UNDER_WAY)
    return f"{step.name}: {'; '.join(facts)}" if facts else step.name


def _fact(item: Evidence) -> str:
    match item:
        case {"kind": "file", "path": path}:
            return f"changed `{path}`"
        case {"kind": "command", "command": command, "exit_code": code}:
            return f"`{' '.join(str(command).split())[:120]}` → {code}"
        case {"kind": "source", "url": url}:
            return f"read {url}"
        case _:
            return str(item.get("kind", "done"))
