"""Keeping a promise: claim it, run its agent, settle it; and hear meanwhile that it is cancelled or lost."""

from __future__ import annotations

import asyncio
import random
import secrets
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

import structlog
from sqlalchemy import Connection

from core.clock import Clock
from core.database import Database
from core.errors import (
    Busy,
    Cancelled,
    ConsentNeeded,
    DatabaseError,
    FloodWait,
    ModelUnavailable,
    Unreachable,
    ValorError,
)
from core.logs import bound
from core.protocols import Progress
from promises import consent_store, lease_store, wording
from promises.lease_store import Claim
from promises.progress import ProgressLine
from promises.promise import CONSENT_PATIENCE, RELEASED, Ending, Evidence, Promise, Retry, Status, WaitingFor
from promises.rings import Rings
from promises.settle_store import Settled
from promises.takes import Takes
from runtime import store as run_store
from runtime.accounts import IS_OURS
from runtime.store import Step

BUSY_SECONDS = 5  # how long work waits at most that found its directory taken
DATABASE_SECONDS = 5  # and that found the database out of order
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run brought: the agent's `text`, and what the runner saw tools do (P10), in order.

    Evidence is JSON: `{"kind": "file", "path", "before", "after"}` (hashes or None), `{"kind": "command", "command",
    "exit_code"}`, `{"kind": "source", "url"}`. `refused` names the tools that the fence or a person refused.
    """

    text: str
    evidence: tuple[Evidence, ...] = ()
    refused: tuple[str, ...] = ()


class Work(Protocol):
    """The run of an agent for a promise, under `promise.run_id`, which is the same in every attempt.

    Raises ModelUnavailable, Unreachable or FloodWait for what may pass (tried again), Busy when the working directory
    is taken and DatabaseError (tried again, not counted), TimeoutError, and other ValorErrors for what will not pass.
    When cancelled it ends its tools' process groups before it returns.
    """

    async def __call__(self, promise: Promise, progress: Progress) -> Outcome: ...


class Why(StrEnum):
    """Why work was stopped from outside."""

    CANCELLED = "cancelled"
    LOST = "lost"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Terms:
    """How promises are kept by this process. Times are in seconds."""

    owner: str
    clock: Clock
    retry: Retry = field(default_factory=Retry)
    lease: float = 30.0
    limit: float = 6 * 3600.0  # of one attempt
    chance: random.Random = field(default_factory=random.Random)


@dataclass(slots=True)
class _Hold:
    """Until when the work is kept for this process, as far as it knows; by the boot clock."""

    clock: Clock
    until: float

    def is_ours(self) -> bool:
        return self.clock.boot() < self.until


@dataclass(slots=True)
class _Held:
    """A promise under work here."""

    promise: Promise
    task: asyncio.Task[Outcome]
    progress: ProgressLine
    hold: _Hold
    why: Why | None = None

    def stop(self, why: Why) -> None:
        if self.why is None:
            self.why = why
            self.task.cancel()


class Keeper:
    """Keeps promises, many at once, on one event loop."""

    def __init__(self, database: Database, work: Work, rings: Rings, terms: Terms) -> None:
        self._database = database
        self._work = work
        self._rings = rings
        self._terms = terms
        self._held: dict[tuple[int, int], _Held] = {}
        self._takes = Takes()
        self._closing = False
        self.busy = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()

    def take(self, promise_id: int) -> Promise | None:
        """Claim a promise in the thread that was rung, for each hop to another one costs time; None when it is not
        there to take."""
        if not self._takes.begin():
            return None
        promise = None
        try:
            promise = self._claim(promise_id)
        finally:
            if promise is None:
                self._takes.end()
        if promise is not None:
            with bound(promise=promise.id, run=promise.run_id, chat=promise.chat.key):
                log.info("promise claimed", epoch=promise.epoch, attempt=promise.attempts)
        return promise

    async def keep(self, promise: Promise) -> None:
        """Work on a promise that was taken until it is settled or let go."""
        if self._closing:
            await self._give_back(promise)
            return
        with bound(promise=promise.id, run=promise.run_id, chat=promise.chat.key):
            held = self._hold(promise)
            self._takes.end()
            try:
                await asyncio.wait({held.task})
                await held.progress.close()
                await self._end(held)
            finally:
                self._drop(held)

    async def renew(self) -> None:
        """Lengthen the leases of all work under way; stop what is not ours any more."""
        asked = dict(self._held)
        if not asked:
            return
        numbers = [promise_id for promise_id, _ in asked]
        now, lease = self._terms.clock.now(), self._lease()
        still = await self._database.write(
            "promise-renew", lambda connection: lease_store.renew(connection, numbers, lease, now), is_synced=False
        )
        for key in still & asked.keys():
            asked[key].hold.until = lease.until
        for key in asked.keys() - still:
            log.warning("promise lost: its lease ran out", promise=key[0], epoch=key[1])
            asked[key].stop(Why.LOST)

    async def hear(self) -> None:
        """Stop work that somebody cancelled."""
        unwanted = await self._database.read(lambda connection: lease_store.unwanted(connection, self._terms.owner))
        for key in unwanted & self._held.keys():
            self._held[key].stop(Why.CANCELLED)

    async def release_all(self) -> None:
        """Claim nothing more and leave all work under way claimable for others."""
        self._closing = True
        for held in self._held.values():
            held.stop(Why.RELEASED)
        await self._takes.close()
        await self.idle.wait()

    async def _give_back(self, promise: Promise) -> None:
        try:
            await self._settle(promise, RELEASED)
        finally:
            self._takes.end()

    def _claim(self, promise_id: int) -> Promise | None:
        now = self._terms.clock.now()
        return self._database.write_here(
            "promise-claim",
            lambda connection: lease_store.claim(connection, promise_id, self._lease(), now),
            is_synced=False,  # nothing is begun on its account before the run's own first commit
        )

    def _lease(self) -> Claim:
        return Claim(self._terms.owner, self._terms.clock.boot() + self._terms.lease)

    async def _steps_before(self, promise: Promise) -> list[Step]:
        """What earlier attempts have done, as far as the live line counts it."""
        if promise.progress is None:
            return []
        return await self._database.read(lambda connection: run_store.tools_done(connection, promise.run_id))

    def _hold(self, promise: Promise) -> _Held:
        progress = ProgressLine(lambda line: self._tell(promise, line), self._terms.clock)
        hold = _Hold(self._terms.clock, promise.lease_until or 0)
        held = _Held(promise, asyncio.create_task(self._run(promise, progress, hold)), progress, hold)
        self._held[promise.id, promise.epoch] = held
        self.idle.clear()
        self.busy.set()
        return held

    def _drop(self, held: _Held) -> None:
        del self._held[held.promise.id, held.promise.epoch]
        if not self._held:
            self.busy.clear()
            self.idle.set()

    async def _run(self, promise: Promise, progress: ProgressLine, hold: _Hold) -> Outcome:
        IS_OURS.set(hold.is_ours)
        progress.resume(await self._steps_before(promise))
        async with asyncio.timeout(self._terms.limit):
            return await self._work(promise, progress)

    async def _tell(self, promise: Promise, line: str) -> None:
        now = self._terms.clock.now()
        if await self._database.write(
            "promise-progress", lambda connection: lease_store.report(connection, promise, line, now)
        ):
            self._rings.call_server()

    async def _end(self, held: _Held) -> None:
        if held.why is Why.LOST:
            return
        try:
            settled = await self._settle(held.promise, replace(self._ending(held), progress=held.progress.line))
        except DatabaseError:
            raise
        except Exception as error:  # the outermost loop of a promise: an end that cannot be written would come again
            settled = await self._settle(held.promise, _unexpected(error))
        if settled is None:
            log.warning("late settle refused: a later epoch holds the promise", epoch=held.promise.epoch)
            return
        log.info("promise settled", status=settled.promise.status, error=settled.promise.error_message)
        if settled.told:
            self._rings.call_server()
        if settled.promise.status is Status.WAITING:
            self._rings.call_keepers()  # so that the reconciler knows when to wake
        await self._rings.call_worker(settled.ring)

    async def _settle(self, promise: Promise, ending: Ending) -> Settled | None:
        """Settle, however long the database is out of order: what the run did is not done again for that."""

        def work(connection: Connection) -> Settled | None:
            return consent_store.settle(connection, promise, ending, self._terms.clock.now())

        while True:
            try:
                return await self._database.write("promise-settle", work)
            except DatabaseError as error:
                if self._closing:
                    raise
                log.warning("promise cannot be settled yet", error=str(error))
                await self._terms.clock.sleep(1)

    def _ending(self, held: _Held) -> Ending:
        """What became of the work."""
        promise, task = held.promise, held.task
        error = None if task.cancelled() else task.exception()
        if not task.cancelled() and error is None:
            return _verify(promise, task.result())
        if held.why is Why.RELEASED:
            return RELEASED
        if held.why is Why.CANCELLED or isinstance(error, Cancelled):
            return Ending(Status.CANCELLED)
        return self._failed(promise, error)

    def _failed(self, promise: Promise, error: BaseException | None) -> Ending:
        match error:
            case Busy():
                waiting = self._again(str(error), BUSY_SECONDS, attempts=-1)
                return replace(waiting, waiting_for=WaitingFor.DIRECTORY)
            case ModelUnavailable() | Unreachable() | FloodWait():
                delay = self._terms.retry.delay(promise.failures, self._terms.chance)
                if delay is not None:
                    return self._again(str(error), max(delay, _patience(error)))
                return _fail(f"{error} Given up after {promise.failures} attempts.")
            case DatabaseError():  # the owner's matter: none of the promise's attempts is used up by it
                return self._again(str(error), DATABASE_SECONDS, attempts=-1)
            case ConsentNeeded():
                return self._until_allowed(error)
            case TimeoutError():
                return _fail("The work took longer than it may.")
            case ValorError():
                return _fail(str(error))
            case _:
                return _unexpected(error)

    def _until_allowed(self, needed: ConsentNeeded) -> Ending:
        until = self._terms.clock.now() + CONSENT_PATIENCE
        return Ending(Status.WAITING, waiting_for=WaitingFor.APPROVAL, not_before=until, attempts=-1, needed=needed)

    def _again(self, reason: str, seconds: float, attempts: int = 0) -> Ending:
        return Ending(
            Status.WAITING,
            error_message=reason,
            waiting_for=WaitingFor.SCHEDULE,
            not_before=self._terms.clock.now() + timedelta(seconds=seconds),
            attempts=attempts,
        )


def _verify(promise: Promise, outcome: Outcome) -> Ending:
    """Completed means verified (P10)."""
    doubt = wording.summarise(_doubt(promise, outcome) or "")
    ending = Ending(
        Status.COMPLETED,
        result_summary=wording.summarise(outcome.text),
        evidence=outcome.evidence,
        draft=wording.tell_completed(promise, outcome.text, outcome.evidence),
        whole=outcome.text if wording.is_summarised(outcome.text) else None,
    )
    if not doubt:
        return ending
    draft = wording.tell_failed(promise, doubt, outcome.evidence, outcome.text)
    return replace(ending, status=Status.FAILED, result_summary=None, error_message=doubt, draft=draft)


def _doubt(promise: Promise, outcome: Outcome) -> str | None:
    """What speaks against the work being done: from what tools were seen to do, not from the model's words."""
    if outcome.refused:
        return f"Refused: {', '.join(dict.fromkeys(outcome.refused))}."
    if not outcome.text.strip():
        return "The agent ended without an answer."
    if outcome.evidence and outcome.evidence[-1].get("kind") == "interrupted":
        return f"{outcome.evidence[-1]['tool']} was cut short by a restart, and nothing was done after it."
    if promise.task_type != "code":
        return None
    if not outcome.evidence:
        return "No tool was seen to do anything."
    last = next((item for item in reversed(outcome.evidence) if item.get("kind") == "command"), {"exit_code": 0})
    return None if last["exit_code"] == 0 else f"The last command ended with exit code {last['exit_code']}."


def _unexpected(error: BaseException | None) -> Ending:
    error_id = secrets.token_hex(4)
    log.error("work failed unexpectedly", error_id=error_id, exc_info=error)
    return _fail(f"Something went wrong inside Valor (error {error_id}).")


def _fail(reason: str) -> Ending:
    return Ending(Status.FAILED, error_message=wording.summarise(reason))


def _patience(error: BaseException) -> float:
    """What the service asked for, in seconds."""
    match error:
        case ModelUnavailable(retry_after=float() | int() as seconds):
            return seconds
        case FloodWait(seconds=seconds):
            return seconds
        case _:
            return 0.0
