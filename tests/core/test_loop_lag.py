from __future__ import annotations

import asyncio

from core.checks import LOOP, Board, Finding, Status
from core.clock import FakeClock
from core.loop_lag import EVERY, POST_EVERY, LoopLag


async def watched(board: Board, clock: FakeClock, late: list[float]) -> Finding:
    """What the board says after the looks came so late."""
    watching = asyncio.create_task(LoopLag(board, clock).watch())
    for seconds in late:
        await clock.until_asleep()
        clock.advance(EVERY + seconds)
    await clock.until_asleep()
    watching.cancel()
    [part] = [part for part in board.snapshot().components if part.name == LOOP]
    return part.finding


async def test_s4_a_loop_that_is_blocked_now_and_then_says_how_long() -> None:
    clock = FakeClock()
    finding = await watched(Board(clock), clock, [0.0] * (2 * POST_EVERY - 1) + [0.02])
    assert finding == Finding(
        Status.HEALTHY, "The event loop was late by at most 20 ms (99 of 100 looks, last minute)."
    )


async def test_s4_a_loop_that_is_blocked_for_long_is_degraded() -> None:
    clock = FakeClock()
    assert (await watched(Board(clock), clock, [0.0] * (POST_EVERY - 1) + [0.6])).status is Status.DEGRADED
