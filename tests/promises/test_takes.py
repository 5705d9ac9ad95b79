"""A worker that leaves in peace leaves nothing behind that looks like its death."""

from __future__ import annotations

import asyncio

from promises.takes import Takes
from tests.promises.stage import DEADLINE, Stage
from tests.waiting import until


async def test_s2_who_leaves_waits_for_what_is_being_taken_and_nothing_is_taken_then() -> None:
    takes = Takes()
    assert takes.begin()
    leaving = asyncio.create_task(takes.close())
    await until(lambda: takes._is_closed)
    assert not leaving.done()
    assert not takes.begin()
    await asyncio.to_thread(takes.end)
    async with asyncio.timeout(DEADLINE):
        await leaving


async def test_s2_what_was_taken_while_its_worker_left_is_given_back_before_that_has_gone(stage: Stage) -> None:
    number, keeper = await stage.make(), stage.keeper()
    promise = await asyncio.to_thread(keeper.take, number)
    assert promise is not None
    leaving = asyncio.create_task(keeper.release_all())
    await until(lambda: keeper._takes._is_closed)
    assert not leaving.done()
    await keeper.keep(promise)
    async with asyncio.timeout(DEADLINE):
        await leaving
    row = await stage.row(number)
    assert (row.status, row.attempts, row.deaths) == ("pending", 0, 0)
    assert await asyncio.to_thread(keeper.take, number) is None
