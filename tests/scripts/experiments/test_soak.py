from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from scripts.experiments.soaking import Sample, growth, read_lag, usual_lag, worst_lag


def samples(memory: Sequence[float], lag: Sequence[float | None] = ()) -> list[Sample]:
    late = lag or [1.0] * len(memory)
    return [Sample(at * 5.0, megabytes, late[at]) for at, megabytes in enumerate(memory)]


def test_what_is_loaded_at_first_use_is_no_growth() -> None:
    assert growth(samples([50, 60] + [100] * 8)) == 0.0


def test_memory_that_goes_on_growing_is_seen_and_a_peak_is_not() -> None:
    assert growth(samples([100.0 + at for at in range(100)])) > 0.3
    assert growth(samples([100.0] * 50 + [500] + [100.0] * 49)) == 0.0


def test_nothing_sampled_is_no_growth_and_no_lag() -> None:
    assert (growth([]), worst_lag([]), usual_lag([])) == (0.0, 0.0, 0.0)


def test_lag_is_told_as_it_usually_is_and_at_its_worst_after_the_warm_up() -> None:
    seen = samples([1.0] * 10, [900.0, None, 3, 3, 3, 3, 80, 3, None, 3])
    assert (worst_lag(seen), usual_lag(seen)) == (80.0, 3.0)


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


async def test_the_lag_is_read_from_what_the_server_says_of_itself() -> None:
    said = b'{"components": {"event loop": {"sentence": "The event loop was late by at most 17 ms (99 of 100)."}}}'
    async with serving(said) as port:
        assert await asyncio.to_thread(read_lag, port) == 17.0
    async with serving(b'{"components": {}}') as port:
        assert await asyncio.to_thread(read_lag, port) is None
    assert await asyncio.to_thread(read_lag, port) is None
