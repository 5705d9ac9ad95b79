from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from itertools import accumulate

import pytest

from scripts.experiments.checker import DOUBTS
from scripts.experiments.lateness import late_99, looks_within
from scripts.experiments.neighbours import Spent
from scripts.experiments.soak import LONG, find_excess, tell_late, tell_outcomes
from scripts.experiments.soaking import Sample, bystander_told, growth, loop_told, others, read_looks
from scripts.experiments.tally import Tally

CALM = Counter({3: 50})


def samples(memory: Sequence[float], looks: Sequence[Counter[int]] = ()) -> list[Sample]:
    """Samples every 5 seconds, between which the loop made these looks; the bystander came late half as much."""
    told = list(accumulate(looks or [CALM] * len(memory)))
    idle = [Counter({late // 2: times for late, times in one.items()}) for one in told]
    return [
        Sample(at * 5.0, megabytes, told[at], idle[at], Spent(at * 100, at * 60, at * 50))
        for at, megabytes in enumerate(memory)
    ]


def test_what_is_loaded_at_first_use_is_no_growth() -> None:
    assert growth(samples([50, 60] + [100] * 8)) == 0.0


def test_memory_that_goes_on_growing_is_seen_and_a_peak_is_not() -> None:
    assert growth(samples([100.0 + at for at in range(100)])) > 0.3
    assert growth(samples([100.0] * 50 + [500] + [100.0] * 49)) == 0.0


def test_nothing_sampled_is_no_growth_and_no_lag() -> None:
    assert (growth([]), late_99(looks_within(loop_told([]))), others([])) == (0.0, 0, 0.0)


def test_how_late_the_loop_was_is_told_of_the_whole_run_after_the_warm_up() -> None:
    seen = samples([1.0] * 20, [Counter({900: 50})] * 4 + [Counter({900: 50})] + [CALM] * 14 + [Counter({80: 20})])
    assert tell_late(loop_told(seen)) == "80 ms of 720 looks; worst minute 80 ms"
    assert tell_late(bystander_told(seen)) == "40 ms of 720 looks; worst minute 40 ms"
    assert others(seen) == 0.1


def test_a_sample_in_which_the_loop_said_nothing_is_left_out() -> None:
    seen = samples([1.0] * 10)
    seen[4] = Sample(20.0, 1.0, None, CALM, Spent(0, 0, 0))
    assert tell_late(loop_told(seen)) == "3 ms of 350 looks; worst minute 3 ms"


@pytest.mark.parametrize(
    ("late", "minutes", "faults"),
    [
        (50, LONG, ["the event loop was late by 50 ms in 1 of 100 looks; the limit is 50 ms"]),
        (49, LONG, []),
        (50, LONG - 1, []),
    ],
)
def test_a_long_run_is_judged_by_99_of_100_of_all_its_looks(late: int, minutes: float, faults: list[str]) -> None:
    """In most of its minutes nothing is late."""
    seen = samples([1.0] * 100, [CALM] * 90 + [Counter({late: 10})] * 10)
    assert list(find_excess(seen, minutes)) == faults


def test_a_long_run_is_judged_by_its_memory() -> None:
    seen = samples([100.0 + at for at in range(100)])
    assert [line.partition(" by ")[0] for line in find_excess(seen, LONG)] == ["memory grew"]
    assert list(find_excess(seen, LONG - 1)) == []


def test_the_bots_sends_in_doubt_stand_apart_from_the_outcomes() -> None:
    facts = tell_outcomes(Tally(outcomes=Counter({"answered": 7, DOUBTS[0]: 2, DOUBTS[1]: 1})))
    assert facts["outcomes"] == "answered 7"
    assert facts["the bot's sends in doubt"] == f"{DOUBTS[0]} 2, {DOUBTS[1]} 1, {DOUBTS[2]} 0"


@asynccontextmanager
async def serving(body: bytes) -> AsyncGenerator[int]:
    """A server that gives everybody this answer; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 No\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body))
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_how_late_the_loop_is_is_read_from_what_the_server_says_of_itself() -> None:
    said = b'{"components": {"event loop": {"sentence": "Never late.", "counts": {"1": 40, "20": 2}}}}'
    async with serving(said) as port:
        assert await asyncio.to_thread(read_looks, port) == {1: 40, 20: 2}
    async with serving(b'{"components": {}}') as port:
        assert await asyncio.to_thread(read_looks, port) is None
    assert await asyncio.to_thread(read_looks, port) is None
