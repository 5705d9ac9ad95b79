"""A silent receive path is found within three looks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from core.clock import FakeClock
from core.errors import FloodWait, Unreachable
from integrations.telegram.line import Standing
from integrations.telegram.watch import Watch

Look = Standing | Exception


@dataclass
class Bench:
    """A watch on a clock of its own; `asked` are the differences it had fetched."""

    looks: list[Look]
    clock: FakeClock = field(default_factory=FakeClock)
    asked: list[list[int]] = field(default_factory=list[list[int]])

    async def look(self) -> Standing:
        look = self.looks.pop(0)
        if isinstance(look, Exception):
            raise look
        return look

    async def run(self, steps: Sequence[float]) -> str | None:
        """What the watch said after these steps of time, None when it goes on watching."""
        task = asyncio.create_task(Watch(self.look, self.clock, 9).run(self.asked.append))
        for step in steps:
            await self._at_rest(task)
            self.clock.advance(step)
        await self._at_rest(task)
        if task.done():
            return task.result()
        task.cancel()
        return None

    async def _at_rest(self, watch: asyncio.Task[str]) -> None:
        """Until the watch sleeps or is over."""
        asleep = asyncio.create_task(self.clock.until_asleep())
        await asyncio.wait({watch, asleep}, return_when=asyncio.FIRST_COMPLETED)
        asleep.cancel()


LEVEL = Standing({0: 5, 7: 3}, {0: 5, 7: 3, 8: 1})
BEHIND = Standing({0: 6}, {0: 5})
MOVED = Standing({0: 8}, {0: 6})


async def test_b9_level_counts_are_watched_on() -> None:
    bench = Bench([LEVEL, LEVEL])
    assert await bench.run([9, 9]) is None
    assert bench.asked == []


async def test_b9_what_does_not_move_is_silent_within_thirty_seconds() -> None:
    bench = Bench([LEVEL, BEHIND, BEHIND])
    assert "do not arrive" in (await bench.run([9, 9, 9]) or "")
    assert bench.asked == [[0]]


async def test_b9_what_moves_is_only_late() -> None:
    bench = Bench([BEHIND, MOVED, LEVEL])
    assert await bench.run([9, 9, 9]) is None
    assert bench.asked == [[0], [0]]


async def test_b9_no_answer_is_silence() -> None:
    assert "no answer" in (await Bench([Unreachable("no answer")]).run([9]) or "")


async def test_b9_a_flood_is_waited_for() -> None:
    bench = Bench([FloodWait(100), LEVEL])
    assert await bench.run([9, 50]) is None
    assert bench.looks == [LEVEL]
    assert await Bench([FloodWait(100), BEHIND, BEHIND]).run([9, 100, 9, 9]) is not None


@pytest.mark.parametrize("ours", [{}, {0: 7}])
def test_only_what_we_count_can_be_behind(ours: dict[int, int]) -> None:
    assert Standing({0: 6, 9: 1}, ours).behind() == {}


async def test_b8_a_chat_that_is_not_counted_yet_has_its_history_read() -> None:
    bench = Bench([Standing({0: 5, 9: 1}, {0: 5}), LEVEL])
    assert await bench.run([9, 9]) is None
    assert bench.asked == [[]]
