"""What has an agent's run keep its journal: around each model request and each tool call."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from pydantic_ai import RunContext, ToolReturn
from pydantic_ai.capabilities import AbstractCapability, CapabilityOrdering
from pydantic_ai.capabilities.abstract import WrapModelRequestHandler, WrapToolExecuteHandler
from pydantic_ai.exceptions import ToolFailed, ToolFailedError, ToolRetryError
from pydantic_ai.messages import ModelRequest, ModelResponse, ToolCallPart, UserPromptPart
from pydantic_ai.models import ModelRequestContext
from pydantic_ai.tools import ToolDefinition
from pydantic_core import to_jsonable_python

from core.edges import around
from core.errors import Busy, ConsentNeeded, ModelError, NotAllowed, RequestError
from core.logs import TOOL_CALLS
from runtime.contents import digest_of, give_response, give_result, give_said, keep_response, keep_result, keep_said
from runtime.deps import OPEN_CALL, Deps
from runtime.journal import Evidence, Journal, OpenCall
from runtime.store import Step, StepStatus

calls = structlog.get_logger(TOOL_CALLS)


@dataclass
class Journaling(AbstractCapability[Deps]):
    """Has a run keep its journal: innermost, so that what is recorded is what model and tools gave."""

    journal: Journal
    _requests: int = field(default=0, init=False)
    _told: set[str] = field(default_factory=set[str], init=False)
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
        number, key = self._requests, f"{self.journal.prefix}model:{self._requests}"
        digest = await self._steer(ctx, request_context)
        if self.journal.diverges(number, digest):
            await self.journal.set_aside(number)
            digest = await self._steer(ctx, request_context)
        step = self.journal.recorded(key)
        if step is not None:
            return give_response(step.response)
        response = await handler(request_context)
        model = request_context.model.model_name
        step = Step(key, "model", model, StepStatus.DONE, response=keep_response(response), digest=digest)
        await self.journal.write(step)
        return response

    async def _steer(self, ctx: RunContext[Deps], request_context: ModelRequestContext) -> str:
        """Say what steers to the model, in this request and all that follow; the digest of what it answers then."""
        for steer in await self.journal.steers_for(self._requests):
            if steer.key not in self._told:
                self._told.add(steer.key)
                said = ModelRequest(parts=[UserPromptPart(steer.request["text"])], run_id=ctx.run_id)
                request_context.messages = [*request_context.messages, said]
                ctx.messages.append(said)
        return digest_of(request_context.messages)

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
            intent = Step(key, "tool", call.tool_name, StepStatus.INTENT, to_jsonable_python(args, fallback=str))
            await self.journal.write(intent)
            step = await self._execute(ctx.deps, intent, args, handler)
            await ctx.deps.progress.finished(call.tool_name)
        elif self.journal.was_under_way(key):
            await self.journal.write(step)
        return _given(step)

    def _key_of(self, call: ToolCallPart) -> str:
        """The call's id; some local servers give an id again in a later response."""
        first = self._first_use.setdefault(call.tool_call_id, self._requests)
        again = "" if first == self._requests else f"@{self._requests}"
        return f"{self.journal.prefix}{call.tool_call_id}{again}"

    async def _execute(self, deps: Deps, intent: Step, args: dict[str, Any], handler: WrapToolExecuteHandler) -> Step:
        """Run the tool and commit what came of it. What has to be begun again leaves no intent behind: a promise whose
        directory is taken, and an agent within the tool that could not go on."""
        try:
            step = await self._run(intent, args, handler)
        except (ConsentNeeded, ModelError):
            await self.journal.forget(intent.key)
            raise
        except RequestError as error:
            if isinstance(error, Busy) and deps.promise_id is not None:
                await self.journal.forget(intent.key)
                raise
            status = StepStatus.REFUSED if isinstance(error, NotAllowed) else StepStatus.FAILED
            step = replace(intent, status=status, response=str(error))
        except (ToolRetryError, ToolFailedError) as error:
            step = replace(intent, status=StepStatus.FAILED, response=str(error))
        await self.journal.write(step)
        calls.debug("tool call", tool=step.name, args=step.request, status=step.status, result=step.response)
        return step

    async def _run(self, intent: Step, args: dict[str, Any], handler: WrapToolExecuteHandler) -> Step:
        outer = OPEN_CALL.set(OpenCall(self.journal, intent))
        try:
            with around(self.journal.edge, f"tool.{intent.name}"):
                return read_result(intent, await handler(args))
        finally:
            OPEN_CALL.reset(outer)


def read_result(intent: Step, result: object) -> Step:
    """The step that a tool's return value completes; its metadata is the evidence."""
    evidence: tuple[Evidence, ...] = ()
    content: object = None
    if isinstance(result, ToolReturn):
        evidence = tuple(result.metadata or ())
        content = None if result.content is None else keep_said(result.content)
        result = result.return_value
    return replace(intent, status=StepStatus.DONE, response=keep_result(result), content=content, evidence=evidence)


def _given(step: Step) -> Any:
    """What the model is given of a finished call, the first time as in every replay."""
    if step.status in {StepStatus.REFUSED, StepStatus.FAILED}:
        raise ToolFailed(step.response)
    result = give_result(step.response)
    return result if step.content is None else ToolReturn(result, content=give_said(step.content))
