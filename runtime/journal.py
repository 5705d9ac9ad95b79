"""Runs and their steps on disk: what was paid for is not paid again, what was done is not done again.

A model response is a step once it is whole. A tool call is a step twice: an intent before it starts, its result after.
The same run from the start replays what is finished; a call that was under way when its process died is told to the
model as interrupted, unless the manifest calls its tool repeatable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import structlog
from pydantic import TypeAdapter
from pydantic_ai import RunContext, ToolReturn
from pydantic_ai.capabilities import AbstractCapability, CapabilityOrdering
from pydantic_ai.capabilities.abstract import WrapModelRequestHandler, WrapToolExecuteHandler
from pydantic_ai.exceptions import ToolFailed
from pydantic_ai.messages import ModelResponse, ToolCallPart
from pydantic_ai.models import ModelRequestContext
from pydantic_ai.tools import ToolDefinition
from pydantic_core import to_jsonable_python
from sqlalchemy import Connection

from core.clock import Clock
from core.database import Database, T, Work
from core.edges import around
from core.errors import Busy, DatabaseError, NotAllowed, RequestError
from core.logs import TOOL_CALLS
from runtime import store
from runtime.deps import INTERRUPTED, Deps
from runtime.store import Run, Step, StepStatus

Evidence = Mapping[str, Any]
RETRY_SECONDS = 1.0
log = structlog.get_logger("agents.journal")
calls = structlog.get_logger(TOOL_CALLS)


@cache
def response_adapter() -> TypeAdapter[ModelResponse]:
    """How a model response becomes JSON and comes back."""
    return TypeAdapter(ModelResponse)


class Journal:
    """The steps of one run: what earlier processes left, and what this one adds."""

    def __init__(self, database: Database, clock: Clock, run: Run, repeatable: frozenset[str] = frozenset()) -> None:
        self._database = database
        self.edge = database.edge
        self._clock = clock
        self._run = run
        self._repeatable = repeatable
        self._steps: dict[str, Step] = {}
        self._seen: dict[str, Step] = {}

    async def open(self) -> None:
        """Begin the run, or go on with it. Raises Cancelled when it is another process's now."""
        now = self._clock.now()
        self._steps = await self._write("run.begin", lambda connection: store.begin_run(connection, self._run, now))

    async def close(self, status: str) -> None:
        """End the run as `done`, `failed` or `stopped`."""
        now = self._clock.now()
        await self._write("run.end", lambda connection: store.end_run(connection, self._run.id, status, now))

    @property
    def steps(self) -> int:
        return len(self._seen)

    @property
    def tool_calls(self) -> int:
        return sum(step.kind == "tool" for step in self._seen.values())

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """What the runner saw tools do, in order (P10)."""
        return tuple(item for step in self._seen.values() for item in step.evidence)

    @property
    def refused(self) -> tuple[str, ...]:
        """The tools that the fence or a right refused."""
        return tuple(step.name for step in self._seen.values() if step.status is StepStatus.REFUSED)

    def recorded(self, key: str) -> Step | None:
        """The finished step of that key, taken up into this run; also one that must not be done again."""
        step = self._steps.get(key)
        if step is None:
            return None
        if step.status is StepStatus.INTENT:
            if step.name in self._repeatable:
                return None
            seen = {"kind": "interrupted", "tool": step.name}
            step = replace(step, status=StepStatus.INTERRUPTED, response=INTERRUPTED, evidence=(seen,))
        self._seen[key] = step
        return step

    async def write(self, step: Step) -> None:
        """Commit a step. Raises Cancelled when the run is another process's now.

        What is done waits, however long the database is out of order: it would be paid for or done again.
        """
        now = self._clock.now()
        while True:
            try:
                await self._write("step", lambda connection: store.write_step(connection, self._run, step, now))
                break
            except DatabaseError as error:
                if step.status is StepStatus.INTENT:
                    raise
                log.warning("a step cannot be written yet", step=step.key, error=str(error))
            await self._clock.sleep(RETRY_SECONDS)
        if step.status is not StepStatus.INTENT:
            self._seen[step.key] = step

    async def forget(self, key: str) -> None:
        """Take back an intent whose tool has done nothing."""
        await self._write("step.forget", lambda connection: store.forget_step(connection, self._run, key))

    async def _write(self, name: str, work: Work[T]) -> T:
        return await self._database.write(name, work)


@dataclass
class Journaling(AbstractCapability[Deps]):
    """Has a run keep its journal: innermost, so that what is recorded is what model and tools gave."""

    journal: Journal
    _requests: int = field(default=0, init=False)
    _first_use: dict[str, int] = field(default_factory=dict[str, int], init=False)

    def get_ordering(self) -> CapabilityOrdering:
        return CapabilityOrdering(position="innermost")

    async def wrap_model_request(
        self,
        ctx: RunContext[Deps],
        *,
        request_context: ModelRequestContext,
        handler: WrapModelRequestHandler,
    ) -> ModelResponse:
        self._requests += 1
        key = f"model:{self._requests}"
        step = self.journal.recorded(key)
        if step is not None:
            return response_adapter().validate_python(step.response)
        response = await handler(request_context)
        stored = response_adapter().dump_python(response, mode="json")
        model = request_context.model.model_name
        await self.journal.write(Step(key, "model", model, StepStatus.DONE, response=stored))
        return response

    async def wrap_tool_execute(
        self,
        ctx: RunContext[Deps],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: dict[str, Any],
        handler: WrapToolExecuteHandler,
    ) -> Any:
        key = self._key_of(call)
        step = self.journal.recorded(key)
        if step is None:
            await ctx.deps.gate()
            intent = Step(key, "tool", call.tool_name, StepStatus.INTENT, to_jsonable_python(args))
            await self.journal.write(intent)
            step = await self._execute(ctx.deps, intent, args, handler)
            await ctx.deps.progress.finished(call.tool_name)
        elif step.status is StepStatus.INTERRUPTED:
            await self.journal.write(step)
        if step.status in {StepStatus.REFUSED, StepStatus.FAILED}:
            raise ToolFailed(step.response)
        return step.response

    def _key_of(self, call: ToolCallPart) -> str:
        """The call's id; some local servers give an id again in a later response."""
        first = self._first_use.setdefault(call.tool_call_id, self._requests)
        return call.tool_call_id if first == self._requests else f"{call.tool_call_id}@{self._requests}"

    async def _execute(self, deps: Deps, intent: Step, args: dict[str, Any], handler: WrapToolExecuteHandler) -> Step:
        """Run the tool and commit what came of it. A promise whose directory is taken ends with Busy: it waits."""
        try:
            with around(self.journal.edge, f"tool.{intent.name}"):
                step = read_result(intent, await handler(args))
        except RequestError as error:
            if isinstance(error, Busy) and deps.promise_id is not None:
                await self.journal.forget(intent.key)
                raise
            status = StepStatus.REFUSED if isinstance(error, NotAllowed) else StepStatus.FAILED
            step = replace(intent, status=status, response=str(error))
        await self.journal.write(step)
        calls.debug("tool call", tool=step.name, args=step.request, status=step.status, result=step.response)
        return step


def read_result(intent: Step, result: object) -> Step:
    """The step that a tool's return value completes; its metadata is the evidence."""
    evidence: tuple[Evidence, ...] = ()
    if isinstance(result, ToolReturn):
        evidence = tuple(result.metadata or ())
        result = result.return_value
    return replace(intent, status=StepStatus.DONE, response=to_jsonable_python(result), evidence=evidence)


def tell_steps(connection: Connection, run_id: str) -> list[str]:
    """What a run has done so far, one line per tool call that has taken effect or may have."""
    told = (StepStatus.DONE, StepStatus.INTENT, StepStatus.INTERRUPTED)
    steps = (step for step in store.read_steps(connection, run_id) if step.kind == "tool" and step.status in told)
    return [_line(step) for step in steps]


def _line(step: Step) -> str:
    facts = [_fact(item) for item in step.evidence]
    if step.status is not StepStatus.DONE:
        facts.append("under way when it stopped")
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
