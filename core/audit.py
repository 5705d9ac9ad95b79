"""Noting refusals without waiting for the disk."""

from __future__ import annotations

import asyncio
from collections import Counter

import structlog
from sqlalchemy import Connection

from core.audit_store import Refused, count_refused
from core.clock import Clock
from core.database import Database

log = structlog.get_logger("tools.audit")
KINDS = 1_000  # different refusals that may wait to be written; more are only logged


class Audit:
    """Counts refusals in memory and writes what has come together, one transaction at a time."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._counts: Counter[Refused] = Counter()
        self._writing: asyncio.Task[None] | None = None

    def note(self, refused: Refused) -> None:
        """Note a refusal; on the event loop."""
        if refused not in self._counts and len(self._counts) >= KINDS:
            log.warning("Refused, not written down.", kind=refused.kind, place=refused.place, reason=refused.reason)
            return
        self._counts[refused] += 1
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        while self._counts:
            counts, self._counts = self._counts, Counter()
            for refused in await self._database.write("audit", lambda one, some=counts: self._count(one, some)):
                log.warning("Refused.", kind=refused.kind, place=refused.place, reason=refused.reason)

    def _count(self, connection: Connection, counts: Counter[Refused]) -> list[Refused]:
        """Those that were never refused before."""
        now = self._clock.now()
        return [refused for refused, times in counts.items() if count_refused(connection, refused, now, times)]
