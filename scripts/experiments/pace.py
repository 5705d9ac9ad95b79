"""How slow this machine is just now, whatever else it has to do: every wait of the experiment is stretched by it."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from statistics import median

ROUNDS = 50_000
USUAL = 0.018  # seconds for so many rounds on a processor of 2023 that has nothing else to do
EVERY, SAMPLES = 2.0, 5
SLOWEST = 60.0


class Pace:
    """`pace(seconds)` is how long that takes here and now; never less."""

    def __init__(self) -> None:
        self._took: deque[float] = deque(maxlen=SAMPLES)

    @property
    def factor(self) -> float:
        return min(max(median(self._took) / USUAL, 1.0), SLOWEST) if self._took else 1.0

    def __call__(self, seconds: float) -> float:
        return seconds * self.factor

    def note(self, seconds: float) -> None:
        """The usual work has taken so long."""
        self._took.append(seconds)

    @asynccontextmanager
    async def measured(self) -> AsyncGenerator[None]:
        """Within the block it is measured again and again."""
        self.note(await asyncio.to_thread(work))
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            self.note(await asyncio.to_thread(work))


def work() -> float:
    """Do the usual work; how long it took, with all the waiting for a processor."""
    began = time.perf_counter()
    hashlib.pbkdf2_hmac("sha256", b"pace", b"pace", ROUNDS)
    return time.perf_counter() - began
