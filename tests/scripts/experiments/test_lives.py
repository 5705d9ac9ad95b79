from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from scripts.experiments.lives import Life
from scripts.experiments.nursery import Order
from scripts.experiments.tally import Tally


async def live(folder: Path, *arrivals: str, die_at: str = "", status: int = -signal.SIGKILL) -> Life:
    """A life that reached these points and ended with this status."""
    (folder / "arrivals").write_text("".join(f"{point}\n" for point in arrivals))
    life = Life(Order(1, "worker", die_at, "", "", str(folder / "arrivals")), 0, asyncio.Future[int]())
    life.ended.set_result(status)
    return life


async def test_a_fail_point_counts_only_when_the_process_ended_at_it(tmp_path: Path) -> None:
    assert (await live(tmp_path, "step:before", die_at="step:before")).died_at_its_point
    assert not (await live(tmp_path, "step:before", die_at="step:before", status=1)).died_at_its_point
    assert not (await live(tmp_path, "step:before", die_at="step:before#2")).died_at_its_point
    assert not (await live(tmp_path, "other", die_at="step:before")).died_at_its_point
    killed = await live(tmp_path, "step:before", die_at="step:before")
    killed.by_us = True
    assert not killed.died_at_its_point


async def test_an_end_that_nobody_asked_for_is_seen(tmp_path: Path) -> None:
    assert (await live(tmp_path, status=0)).ended_by_itself
    assert (await live(tmp_path, status=70)).ended_by_itself
    asked = await live(tmp_path, status=0)
    asked.asked_to_end = True
    assert not asked.ended_by_itself


async def test_arrivals_and_deaths_are_counted_by_point(tmp_path: Path) -> None:
    tally = Tally()
    tally.note_life(await live(tmp_path, "a", "b", "b", die_at="b#2"))
    tally.note_life(await live(tmp_path, "a", die_at="b"))
    assert tally.points == {"worker a": 2, "worker b": 2}
    assert (tally.died_at, tally.missed) == ({"worker b": 1}, {"worker b": 1})
    assert tally.never_died_at == ["worker a"]
    assert tally.lives_with["worker a"] == 2
