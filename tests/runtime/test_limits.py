from __future__ import annotations

import random
from pathlib import Path

from runtime.limits import RunLimits
from tests.runtime.stage import settings_for


def test_p6_the_wait_doubles_with_jitter_and_ends() -> None:
    limits = RunLimits(attempts=5, first_wait=1, most_wait=3, jitter=0.5, chance=random.Random(1))
    waits = [limits.wait(failures, None) for failures in range(1, 6)]
    full = (1, 2, 3, 3)
    assert all(wait is not None and most / 2 <= wait <= most for wait, most in zip(waits, full, strict=False))
    assert waits[4] is None


def test_p6_the_wait_asked_for_is_kept_when_it_is_not_too_long() -> None:
    limits = RunLimits(most_wait=20)
    assert (limits.wait(1, 7), limits.wait(1, 21)) == (7, None)


def test_the_silence_is_a_setting(tmp_path: Path) -> None:
    assert RunLimits.of(settings_for(tmp_path, agent_timeout_seconds=12)).silence == 12


def test_a_promise_may_do_more_than_a_turn() -> None:
    turn, promise = (RunLimits().usage(is_promise=kind) for kind in (False, True))
    assert (turn.tool_calls_limit, promise.tool_calls_limit) == (50, 200)
