"""One model request as a run sees it: streamed, accounted, never silent for long, tried again when that makes sense."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import structlog
from pydantic_ai.exceptions import ModelAPIError
from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelResponse,
    ModelResponsePart,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ToolCallPart,
)
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings

from core.clock import Clock
from core.errors import ModelUnavailable
from core.well_formed import well_formed, well_formed_so_far, well_formed_within
from runtime.accounts import Accounts, Caller, CallRecord, Size
from runtime.limits import RunLimits
from runtime.model_errors import explain, kind_of

log = structlog.get_logger("agents.calls")
OnText = Callable[[str], Awaitable[None]]
BROKEN_OFF = "The model's answer broke off."
SILENT = "The model said nothing for {seconds:g} seconds. Try again in a moment."


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a run's requests are made. `on_text` hears the whole text of the response so far."""

    accounts: Accounts
    caller: Caller
    limits: RunLimits
    clock: Clock
    on_text: OnText | None = None


class PatientModel(WrapperModel):
    """Raises ModelUnavailable when all attempts are used up, ModelRefused at once for what does not pass."""

    def __init__(self, wrapped: Model, terms: Terms) -> None:
        super().__init__(wrapped)
        self._terms = terms

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        size = measure(messages, model_request_parameters)
        failures = 0
        while True:
            try:
                return await self._attempt(_Request(messages, model_settings, model_request_parameters, size))
            except ModelUnavailable as failure:
                failures += 1
                wait = self._terms.limits.wait(failures, failure.retry_after)
                if wait is None:
                    raise
                log.info("model call again", after=round(wait, 2), failures=failures, reason=str(failure))
            await self._terms.clock.sleep(wait)

    async def _attempt(self, request: _Request) -> ModelResponse:
        terms = self._terms
        async with terms.accounts.call(terms.caller, self.model_name, request.size) as record:
            try:
                async with asyncio.timeout(terms.limits.silence) as silence:
                    record.response = await self._listen(request, record, silence)
            except ModelAPIError as error:
                record.error_type = kind_of(error)
                raise explain(error) from error
            except ModelUnavailable:
                record.error_type = "broken off"
                raise
            except TimeoutError as error:
                record.error_type = "silence"
                raise ModelUnavailable(SILENT.format(seconds=terms.limits.silence)) from error
            return record.response

    async def _listen(self, request: _Request, record: CallRecord, silence: asyncio.Timeout) -> ModelResponse:
        said, edge = Said(), self._terms.accounts.edge
        edge("model:before")
        async with self.wrapped.request_stream(request.messages, request.settings, request.parameters) as stream:
            async for event in stream:
                self._terms.accounts.heard(record)
                if said.grows_by(event) and self._terms.on_text is not None:
                    silence.reschedule(None)
                    await self._terms.on_text(said.text)
                silence.reschedule(asyncio.get_running_loop().time() + self._terms.limits.silence)
            edge("model:after")
            return finished(stream)


@dataclass(frozen=True, slots=True)
class _Request:
    messages: list[ModelMessage]
    settings: ModelSettings | None
    parameters: ModelRequestParameters
    size: Size


class Said:
    """The text of a response while it grows; parts between which a tool is called are paragraphs."""

    def __init__(self) -> None:
        self._parts: dict[int, str] = {}

    @property
    def text(self) -> str:
        return well_formed_so_far("\n\n".join(part for part in self._parts.values() if part))

    def grows_by(self, event: object) -> bool:
        """Take in a stream event; whether there is more text than before."""
        match event:
            case PartStartEvent(index=index, part=TextPart(content=more)):
                self._parts[index] = more
            case PartDeltaEvent(index=index, delta=TextPartDelta(content_delta=more)):
                self._parts[index] = self._parts.get(index, "") + more
            case _:
                return False
        return bool(more)


def finished(stream: StreamedResponse) -> ModelResponse:
    """The response of a stream that has come to its end; one that just stopped raises ModelUnavailable.

    A service says why an answer ends; the offline model is no service.
    """
    response = stream.get()
    is_cut = response.finish_reason is None and response.provider_name is not None
    if is_cut or response.state == "incomplete":
        raise ModelUnavailable(BROKEN_OFF)
    return replace(response, parts=[*map(_mend, response.parts)])


def _mend(part: ModelResponsePart) -> ModelResponsePart:
    """What the model writes comes in here: text that no table can hold goes no further."""
    match part:
        case TextPart() | ThinkingPart():
            return replace(part, content=well_formed(part.content))
        case ToolCallPart(args=dict()):  # where arguments are a text they are JSON, which is read with these looks
            return replace(part, args=well_formed_within(part.args))
        case _:
            return part


def measure(messages: list[ModelMessage], parameters: ModelRequestParameters) -> Size:
    """How long a request is, without what models are told about tools."""
    instructions = {part.content for part in parameters.instruction_parts or ()}
    prompt = sum(_length(getattr(part, "content", "")) for message in messages for part in message.parts)
    return Size(sum(map(len, instructions)), prompt)


def _length(content: object) -> int:
    """In characters; a picture has none."""
    if isinstance(content, list | tuple):
        parts = cast("Sequence[object]", content)
        return sum(_length(part) for part in parts if not isinstance(part, BinaryContent))
    return len(str(content or ""))
