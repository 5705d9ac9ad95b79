from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter

import pytest

from core.loop_lag import BUCKETS
from scripts.experiments.neighbours import Spent, read_spent, share_of_others, standing_by

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc")
WORKING = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"


def test_what_is_neither_idle_nor_ours_is_others() -> None:
    before, now = Spent(total=1000, busy=500, own=100), Spent(total=1200, busy=620, own=170)
    assert share_of_others(before, now) == 0.25
    assert share_of_others(before, before) == 0.0


def test_a_clock_that_is_a_little_behind_makes_no_share_below_zero() -> None:
    assert share_of_others(Spent(0, 0, 0), Spent(200, 100, 103)) == 0.0


def test_what_a_child_uses_is_ours_while_it_lives_and_when_it_has_ended() -> None:
    before = read_spent(os.getpid())
    with subprocess.Popen(
        [sys.executable, "-S", "-c", WORKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        alive, beside = read_spent(os.getpid()), read_spent(child.pid)
        child.communicate(b"\n")
    ended = read_spent(os.getpid())
    ticks = 0.3 * os.sysconf("SC_CLK_TCK") - 3
    assert alive.own - before.own >= ticks
    assert ended.own >= alive.own
    assert ticks <= beside.own <= alive.own
    assert before.busy < ended.busy <= ended.total


def test_nothing_descends_from_a_process_that_is_not_there() -> None:
    assert read_spent(2**31 - 1).own == 0


async def test_a_process_beside_looks_on_and_tells_how_late_it_came() -> None:
    async with asyncio.timeout(60), standing_by() as bystander:
        looks = Counter[int]()
        while looks.total() < 3:
            looks = await bystander.looks()
        assert set(looks) <= set(BUCKETS)
        assert (await bystander.looks()).total() >= looks.total()
