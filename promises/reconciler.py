"""Whatever a ring, a release or a worker that died left undone: found in the table and done by conditional updates."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from core.clock import Clock
from core.database import Database
from core.errors import DatabaseError
from core.owner import Owner
from promises import consent_store, lease_store, settle_store, store
from promises.promise import Lease
from promises.rings import Rings
from promises.settle_store import Settled
from runtime.process import marker_of, sweep, sweep_orphans

INTERVAL_SECONDS = 5.0
RINGS_AT_ONCE = 100
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Findings:
    """One look at the table: who holds what, what waits in vain or no more, and what can be rung for."""

    leases: list[Lease]
    next_due: datetime | None
    has_unblocked: bool
    has_forsaken: bool
    pending: list[tuple[int, int]]


class Reconciler:
    """Runs in the server and in the worker; two at once do no harm. `lease` is in seconds."""

    def __init__(self, database: Database, rings: Rings, clock: Clock, lease: float = 30.0) -> None:
        self._database = database
        self._rings = rings
        self._clock = clock
        self._lease = timedelta(seconds=lease)
        self._here = Owner.this_process()
        self._nudged = asyncio.Event()

    async def run(self) -> None:
        """Reconcile until cancelled: every five seconds, when nudged, and when the next waiting promise is due."""
        while True:
            pause = min(INTERVAL_SECONDS, self._lease.total_seconds())
            try:
                next_due = await self.reconcile()
            except DatabaseError as error:
                log.warning("cannot reconcile", error=str(error))
            else:
                if next_due is not None:
                    pause = min(max((next_due - self._clock.now()).total_seconds(), 0.01), pause)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._nudged.wait()
            self._nudged.clear()

    def nudge(self) -> None:
        """Look again now: something was parked or changed."""
        self._nudged.set()

    async def reconcile(self) -> datetime | None:
        """One pass. Returns when the first waiting promise is due, as it was before the pass."""
        now = self._clock.now()
        found = await self._database.read(lambda connection: _look(connection, now))
        over = await asyncio.to_thread(self._over, found.leases)
        # What a dead worker left running ends before somebody goes on with its work, or nobody does.
        dead = [lease for lease in over if Owner.parse(lease.owner).is_seen_dead()]
        if dead:
            await sweep([marker_of(lease.run_id, lease.epoch) for lease in dead])
            await sweep_orphans()
        is_due = found.next_due is not None and found.next_due <= now
        if over or is_due or found.has_unblocked or found.has_forsaken:
            ring = await self._database.write("promise-reconcile", lambda connection: self._mend(connection, over, now))
            self._rings.call_server()
            await self._rings.call_worker(ring)
        elif found.pending:
            await self._ring_again(found.pending)
        return found.next_due

    async def _ring_again(self, pending: list[tuple[int, int]]) -> None:
        """Through the queue, or past it to free hands while it cannot be used."""
        waiting = await asyncio.to_thread(self._rings.bell.waiting)
        if waiting is None:
            self._rings.offer(pending)
        elif not waiting:  # rings that wait already would only grow in number
            await self._rings.call_again(pending)

    def _over(self, leases: Iterable[Lease]) -> list[Lease]:
        """The leases whose holder is dead or out of time."""
        return [lease for lease in leases if self._is_over(lease)]

    def _is_over(self, lease: Lease) -> bool:
        owner = Owner.parse(lease.owner)
        if owner.is_seen_dead():
            return True
        if owner.boot == self._here.boot:
            return lease.until <= self._clock.boot()
        # Another boot's clock says nothing here: the machine was started anew, or it is another one.
        return lease.renewed_at + self._lease <= self._clock.now()

    def _mend(self, connection: Connection, over: Iterable[Lease], now: datetime) -> list[tuple[int, int]]:
        """Free, release and fail what was found; what is to be rung."""
        freed = [self._free(connection, lease, now) for lease in over]
        for promise in settle_store.forsaken(connection):
            settle_store.follow(connection, Settled(promise), now)
        freed += consent_store.expire(connection, now)
        ring = [wanted for settled in freed if settled for wanted in settled.ring]
        ring += lease_store.release_due(connection, now)
        return ring + settle_store.release_unblocked(connection, now)

    def _free(self, connection: Connection, lease: Lease, now: datetime) -> Settled | None:
        # A worker that slept past its lease, with its machine or alone, has not died over the work.
        deaths = 0 if Owner.parse(lease.owner).is_seen_alive() else 1
        settled = settle_store.free(connection, lease, deaths, now)
        if settled is not None:
            log.warning("promise freed", promise=lease.promise_id, owner=lease.owner, status=settled.promise.status)
        return settled


def _look(connection: Connection, now: datetime) -> Findings:
    return Findings(
        leases=store.leases(connection),
        next_due=store.next_due(connection, now),
        has_unblocked=bool(settle_store.unblocked(connection)),
        has_forsaken=bool(settle_store.forsaken(connection)),
        pending=store.pending(connection, RINGS_AT_ONCE),
    )
