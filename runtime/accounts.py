"""Every model call has a row: who asked, which model, tokens, money, waiting, outcome."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from core.clock import Clock
from core.database import Database
from core.errors import ModelError, ModelUnavailable, RequestError
from runtime import store
from runtime.store import CallEnd, CallOpening

if TYPE_CHECKING:
    import httpx2
    from pydantic_ai.messages import ModelResponse

log = structlog.get_logger("agents.calls")
SLEPT = "This process slept longer than its work was kept for it: it asks again once that is known to be its own still."
REQUEST_ID_HEADERS = ("request-id", "x-request-id")


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf a model is called. `kind` says what for: `turn`, `promise`."""

    chat: str
    run_id: str
    promise_id: int | None
    requester: str
    kind: str


@dataclass(frozen=True, slots=True)
class Size:
    """Of a request, in characters."""

    system: int
    prompt: int


@dataclass(slots=True)
class CallRecord:
    """What is learnt of a call while it runs. Times are of the boot clock."""

    began: float
    first_at: float | None = None
    request_id: str | None = None
    response: ModelResponse | None = None
    error_type: str | None = None


_current: ContextVar[CallRecord | None] = ContextVar("model_call", default=None)

# Whether the work of this task is its own still; set by who holds a lease.
IS_OURS: ContextVar[Callable[[], bool]] = ContextVar("is_ours", default=lambda: True)


async def ask_whose(_request: httpx2.Request) -> None:
    """A hook of HTTP clients, the last moment before a request is paid: after a long sleep another process may have
    gone on with the work. Raises ModelUnavailable; meanwhile the lease is renewed, or the work stopped."""
    if not IS_OURS.get()():
        raise ModelUnavailable(SLEPT)


async def note_response(response: httpx2.Response) -> None:
    """A hook of HTTP clients: keeps the service's own number of the request."""
    record = _current.get()
    if record is not None:
        found = (response.headers.get(name) for name in REQUEST_ID_HEADERS)
        record.request_id = next((value for value in found if value), None)


class Accounts:
    """Writes the rows of `llm_calls`: one when a call starts, so that a crash is seen, completed at its end."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self.edge = database.edge
        self._clock = clock

    @asynccontextmanager
    async def call(self, caller: Caller, model: str, size: Size) -> AsyncGenerator[CallRecord]:
        """One attempt at one request, from its first byte out to its last byte in.

        An error of the service's, or of what was asked, makes the outcome `error`, whatever else leaves it `cancelled`.
        """
        number = await self._open(caller, model, size)
        record = CallRecord(self._clock.boot())
        token = _current.set(record)
        outcome = "cancelled"
        try:
            yield record
            outcome = "ok"
        except (ModelError, RequestError):
            outcome = "error"
            raise
        finally:
            _current.reset(token)
            await self._close(number, model, self._end_of(record, outcome))

    def heard(self, record: CallRecord) -> None:
        """The first sign of an answer."""
        if record.first_at is None:
            record.first_at = self._clock.boot()

    async def _open(self, caller: Caller, model: str, size: Size) -> int:
        opening = CallOpening(
            started_at=self._clock.now(),
            chat=caller.chat,
            run=caller.run_id,
            promise=caller.promise_id,
            requester=caller.requester,
            kind=caller.kind,
            model=model,
            system_chars=size.system,
            prompt_chars=size.prompt,
        )
        return await self._database.write("call.open", lambda connection: store.open_call(connection, opening))

    async def _close(self, number: int, model: str, end: CallEnd) -> None:
        await self._database.write("call.close", lambda connection: store.close_call(connection, number, end))
        log.info(
            "model call",
            call=number,
            model=model,
            outcome=end.outcome,
            duration=round(end.duration, 3),
            tokens_in=end.tokens_in,
            tokens_out=end.tokens_out,
            error_type=end.error_type,
        )

    def _end_of(self, record: CallRecord, outcome: str) -> CallEnd:
        usage = None if record.response is None else record.response.usage
        return CallEnd(
            outcome=outcome,
            wait=None if record.first_at is None else record.first_at - record.began,
            duration=self._clock.boot() - record.began,
            tokens_in=usage and usage.input_tokens,
            tokens_out=usage and usage.output_tokens,
            tokens_cached=usage and usage.cache_read_tokens,
            error_type=record.error_type,
            request_id=record.request_id,
            cost=None if record.response is None else price(record.response),
        )


def price(response: ModelResponse) -> float | None:
    """US dollars, None when nobody knows the model's price; noted in the response, so that it is reckoned only once."""
    try:
        if response.usage.cost is None:
            response.usage.cost = response.cost().total_price
        return float(response.usage.cost)
    except (LookupError, ValueError, AssertionError):
        return None
