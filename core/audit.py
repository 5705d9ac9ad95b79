"""Noting refusals without waiting for the disk."""

from __future__ import annotations

import asyncio

import structlog

from core.audit_store import Refused, count_refused
from core.clock import Clock
from core.database import Database

log = structlog.get_logger("tools.audit")


class Audit:
    """Writes refusals in the background, on the event loop's database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._writes: set[asyncio.Task[None]] = set()

    def note(self, refused: Refused) -> None:
        task = asyncio.get_running_loop().create_task(self._write(refused))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)

    async def _write(self, refused: Refused) -> None:
        now = self._clock.now()
        if await self._database.write("audit", lambda connection: count_refused(connection, refused, now)):
            log.warning("Refused.", kind=refused.kind, place=refused.place, reason=refused.reason)
