from __future__ import annotations

import pytest

from scripts.experiments import pace
from scripts.experiments.pace import USUAL, Pace, work


def test_an_idle_machine_waits_as_long_as_it_says() -> None:
    own = Pace()
    assert own(3.0) == 3.0
    own.note(USUAL / 2)
    assert own(3.0) == 3.0


def test_a_slow_machine_waits_longer_and_one_hiccup_changes_nothing() -> None:
    own = Pace()
    for factor in (4, 4, 4, 50, 4):
        own.note(factor * USUAL)
    assert own(1.0) == pytest.approx(4.0)


async def test_it_is_measured_while_the_block_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "work", lambda: 2 * USUAL)
    own = Pace()
    async with own.measured():
        assert own(1.0) == pytest.approx(2.0)


def test_the_usual_work_takes_time() -> None:
    assert work() > 0
