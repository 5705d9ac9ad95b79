"""Time as a thing that is handed in, so that leases, backoff and schedules can be shown without waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

ASLEEP_SECONDS = 10.0  # of real time
BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """`now` is wall time (UTC, aware); `boot` is seconds since the machine started, which no clock change moves."""

    def now(self) -> datetime: ...
    def boot(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def boot(self) -> float:
        return time.clock_gettime(BOOT_CLOCK)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class FakeClock:
    """A public test double: time moves only by `advance`, which wakes whoever slept long enough."""

    def __init__(self, now: datetime | None = None) -> None:
        self._now = now or datetime(2026, 1, 1, tzinfo=UTC)
        self._boot = 1_000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []
        self._lain_down = asyncio.Event()

    def now(self) -> datetime:
        return self._now

    def boot(self) -> float:
        return self._boot

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return await asyncio.sleep(0)
        waked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._boot + seconds, waked))
        self._lain_down.set()
        return await waked

    @property
    def naps(self) -> list[float]:
        """How long each of those who sleep now will go on sleeping, in seconds."""
        return [until - self._boot for until, sleeper in self._sleepers if not sleeper.done()]

    async def until_asleep(self, is_so: Callable[[list[float]], object] = bool) -> None:
        """Wait until somebody sleeps, or until something else is so of the `naps`. Raises TimeoutError."""
        async with asyncio.timeout(ASLEEP_SECONDS):
            while not is_so(self.naps):
                self._lain_down.clear()
                await self._lain_down.wait()

    def jump(self, seconds: float) -> None:
        """Move wall time alone, as a changed system clock does."""
        self._now += timedelta(seconds=seconds)

    def advance(self, seconds: float) -> None:
        self._boot += seconds
        self.jump(seconds)
        due = [sleeper for until, sleeper in self._sleepers if until <= self._boot and not sleeper.done()]
        self._sleepers = [(until, sleeper) for until, sleeper in self._sleepers if until > self._boot]
        for sleeper in due:
            sleeper.set_result(None)
