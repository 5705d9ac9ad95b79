"""Forgetting: what is settled and told for so many days goes, in small steps; open work never."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from conversations import retention_store as told
from conversations.retention_store import Page
from core.clock import Clock
from core.database import Database, Work
from core.errors import DatabaseError
from promises import retention_store
from runtime import store as run_store

FIRST_SECONDS = 600.0  # after a start: not while everything comes up
DAY_SECONDS = 86_400.0
Step = Callable[[Connection, Page], int | None]
# What refers to others goes before them.
WALKS: tuple[Step, ...] = (
    retention_store.forget_promises,
    told.forget_deliveries,
    told.forget_turns,
    told.forget_messages,
)
log = structlog.get_logger(__name__)


class Retention:
    """Runs in the server, once a day."""

    def __init__(self, database: Database, clock: Clock, days: int = 90) -> None:
        self._database = database
        self._clock = clock
        self._kept = timedelta(days=days)

    async def run(self) -> None:
        """Until cancelled."""
        await self._clock.sleep(FIRST_SECONDS)
        while True:
            try:
                await self.forget()
            except DatabaseError as error:
                log.warning("retention failed; tomorrow it may go better", error=str(error))
            await self._clock.sleep(DAY_SECONDS)

    async def forget(self, size: int = 500) -> None:
        """One pass over all tables, `size` rows a transaction, so that nobody waits long for the writer."""
        before = self._clock.now() - self._kept
        for step in WALKS:
            after: int | None = 0
            while after is not None:
                page = Page(after, before, size)
                after = await self._database.write(
                    "forget-old", lambda connection, page=page, step=step: step(connection, page)
                )
        await self._write("forget-strays", lambda connection: run_store.forget_strays(connection, before, size))
        await self._write("forget-audit", lambda connection: told.forget_audit(connection, before, size))
        await self._write("give-back", retention_store.give_back)

    async def _write(self, name: str, step: Work[bool]) -> None:
        """Again and again, as long as the step says that there is more."""
        while await self._database.write(name, step):
            pass
