from __future__ import annotations

import asyncio

import pytest

from core.checks import LOOP, Board, Finding, Status
from core.clock import FakeClock
from core.loop_lag import EVERY, POST_EVERY, LoopLag, bucket_of


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
    sentence = "The event loop was late by at most 20 ms (99 of 100 looks, last minute)."
    assert (finding.status, finding.sentence) == (Status.HEALTHY, sentence)


async def test_s4_a_loop_that_is_blocked_for_long_is_degraded() -> None:
    clock = FakeClock()
    assert (await watched(Board(clock), clock, [0.0] * (POST_EVERY - 1) + [0.6])).status is Status.DEGRADED


async def test_s4_every_look_since_the_start_is_counted_by_how_late_it_was() -> None:
    clock = FakeClock()
    finding = await watched(Board(clock), clock, [0.0] * 700 + [0.0305] * 49 + [999.0])
    assert dict(finding.counts) == {"1": 700, "31": 49, "60000": 1}


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(-1, 1), (0, 1), (0.001, 1), (0.0011, 2), (0.0495, 50), (0.1, 100), (0.101, 110), (99, 60_000)],
)
def test_a_look_is_counted_by_what_it_was_late_at_most(seconds: float, bucket: int) -> None:
    assert bucket_of(seconds) == bucket
