"""A receive path that has fallen silent is found by comparing the server's count of events with ours."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from core.clock import Clock
from core.errors import FloodWait, FrontError

log = logging.getLogger(__name__)


class Reading(Protocol):
    """One comparison; `behind` is our count wherever the server's is higher, `met` tells of chats not known before."""

    @property
    def met(self) -> bool: ...

    def behind(self) -> dict[int, int]: ...


class Watch:
    """Looks every `interval` seconds. What is behind is asked for at once; what has not moved a look later, or a look
    without an answer, means that the path is silent: found within three intervals."""

    def __init__(self, look: Callable[[], Awaitable[Reading]], clock: Clock, interval: float) -> None:
        self._look = look
        self._clock = clock
        self._interval = interval

    async def run(self, mend: Callable[[list[int]], None]) -> str:
        """Watch until the path is silent; the sentence that says so."""
        before: dict[int, int] = {}
        while True:
            await self._clock.sleep(self._interval)
            try:
                reading = await self._look()
                behind = reading.behind()
            except FloodWait as patience:
                await self._clock.sleep(patience.seconds)
                continue
            except FrontError as error:
                return f"nothing is received: {error}"
            if any(before.get(key) == pts for key, pts in behind.items()):
                return "the server holds messages that do not arrive"
            if behind or reading.met:
                log.info("behind the server in %s: asking for the difference", sorted(behind))
                mend(sorted(behind))
            before = behind
