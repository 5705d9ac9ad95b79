"""A database that was out of order for a while: the owner is told once it can be written again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from core.clock import Clock
from core.database import Database, touch
from core.errors import DatabaseError

LOOK_SECONDS = 2.0


@dataclass
class DatabaseWatch:
    """While there is trouble it tries a write of its own, so that the end is noticed though nobody else has work.

    Until then the log and `/health` say it: a message to the owner is a row, too.
    """

    database: Database
    clock: Clock
    tell_owner: Callable[[str], Awaitable[None]]
    _seen: str | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.clock.sleep(LOOK_SECONDS)
            with suppress(DatabaseError):  # looked at again
                await self.look()

    async def look(self) -> None:
        """Raises DatabaseError while the trouble lasts."""
        trouble, past = self.database.trouble, self.database.take_past_trouble()
        self._seen = trouble or past or self._seen
        if trouble is not None:
            await self.database.write("touch", touch)
        if self._seen is not None:
            await self.tell_owner(f"For a while nothing could be written: {self._seen} That is over.")
            self._seen = None
