from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from core.clock import FakeClock, SystemClock


async def test_the_machine_s_time_is_aware_and_goes_on() -> None:
    clock = SystemClock()
    before = clock.boot()
    await clock.sleep(0.001)
    assert clock.boot() > before
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


async def test_fake_time_moves_only_by_advance_and_wakes_who_slept_long_enough() -> None:
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    woken: list[float] = []

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (0, -1, 5, 10, 20)]
    await asyncio.wait(tasks[:2])
    tasks[2].cancel()
    clock.advance(10)
    await asyncio.wait(tasks[:4])
    assert woken == [0, -1, 10]
    clock.jump(100)
    assert (clock.boot(), clock.now()) == (1_010.0, datetime(2026, 1, 1, 0, 1, 50, tzinfo=UTC))
    clock.advance(10)
    await tasks[4]
