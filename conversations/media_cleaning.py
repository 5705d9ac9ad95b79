"""What lies in data/media and is not needed any more: what came is in its chat still, what went is there by now."""

from __future__ import annotations

from datetime import timedelta

import structlog

from conversations import file_store
from conversations.media_folder import MediaFolder
from core.clock import Clock
from core.database import Database
from core.errors import DatabaseError

FIRST_SECONDS = 900.0  # after a start: not while everything comes up
DAY_SECONDS = 86_400.0
CAME = timedelta(days=7)  # it is fetched again if a turn needs it later
WENT = timedelta(days=1)  # younger ones may be on their way into a row
log = structlog.get_logger("agents.media")


class MediaCleaning:
    """Runs in the server, once a day."""

    def __init__(self, database: Database, clock: Clock, folder: MediaFolder) -> None:
        self._database = database
        self._clock = clock
        self._folder = folder

    async def run(self) -> None:
        """Until cancelled."""
        await self._clock.sleep(FIRST_SECONDS)
        while True:
            try:
                await self.clean()
            except (DatabaseError, OSError) as error:
                log.warning("data/media was not cleaned; tomorrow it may go better", error=str(error))
            await self._clock.sleep(DAY_SECONDS)

    async def clean(self) -> None:
        now = self._clock.now()
        came = await self._folder.names("in", (now - CAME).timestamp())
        went = await self._folder.names("out", (now - WENT).timestamp())
        needed = await self._database.read(file_store.needed_keys)
        await self._folder.remove([f"in/{name}" for name in came])
        await self._folder.remove([f"out/{name}" for name in went if name not in needed])
