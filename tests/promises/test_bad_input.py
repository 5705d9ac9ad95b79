"""What goes wrong around promises: results without end, databases out of order."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from core.database import Database, sqlite_url
from core.errors import ModelRefused
from promises import store
from promises.keeper import Outcome
from promises.service import Promises
from tests.promises.stage import DEADLINE, OWNER, Stage

HUGE = "word " * 1_000_000


async def test_bad_input_a_result_of_five_megabytes_is_kept_whole_and_told_in_part(stage: Stage) -> None:
    number = await stage.make()
    row = await stage.keep(number, Outcome(HUGE))
    assert (row.status, len(row.result_summary)) == ("completed", 2_000)
    told, file = await stage.told("result")
    assert len(told.text) < 4_000
    assert "[This is the beginning of 5,000,078 characters: the full text is in the file.]" in told.text
    assert file.text == "[file result.md, 5.0 MB]"
    assert await stage.database.read(lambda connection: store.result_of(connection, number)) == HUGE


async def test_a_result_that_fits_is_told_and_kept_whole(stage: Stage) -> None:
    number = await stage.make()
    await stage.keep(number, Outcome("x" * 15_000))
    assert "".join(told.text for told in await stage.told("result")).count("x") == 15_000
    assert await stage.database.read(lambda connection: store.result_of(connection, number)) == "x" * 15_000


async def test_bad_input_an_error_without_end_is_bounded(stage: Stage) -> None:
    row = await stage.keep(await stage.make(), ModelRefused(HUGE))
    assert len(row.error_message) == 2_000
    assert len((await stage.told("result"))[0].text) < 2_500


@pytest.mark.parametrize("pragma", ["query_only=1", "max_page_count=1"])
async def test_bad_input_a_database_that_is_read_only_or_full_for_a_while_loses_no_result(
    stage: Stage, pragma: str
) -> None:
    """The statement holds for the writer's connection, until its first error has it opened anew."""
    number = await stage.make()
    keeping = await stage.begin(number, stage.keeper())
    await stage.run_sql(f"PRAGMA {pragma}")
    stage.work.ends.put_nowait(Outcome(HUGE))
    await stage.time.until_asleep()
    assert (await stage.row(number)).status == "in_progress"
    stage.time.advance(1)
    async with asyncio.timeout(DEADLINE):
        await keeping
    assert ((await stage.row(number)).status, len(await stage.told("result"))) == ("completed", 2)


async def test_bad_input_a_database_locked_by_another_program_holds_a_result_up_and_loses_none(stage: Stage) -> None:
    path = stage.folder / "system.db"
    database = Database(sqlite_url(path), busy_seconds=0.05)
    hurried = replace(stage, database=database)
    number = await hurried.make()
    keeping = await hurried.begin(number, hurried.keeper())
    with closing(sqlite3.connect(path, isolation_level=None)) as shell:
        shell.execute("BEGIN IMMEDIATE")
        stage.work.ends.put_nowait(Outcome("done"))
        for _ in range(3):
            await stage.time.until_asleep()
            stage.time.advance(1)
    async with asyncio.timeout(DEADLINE):
        while not keeping.done():
            stage.time.advance(1)
            await asyncio.wait({keeping}, timeout=0.01)
    assert ((await stage.row(number)).status, len(await stage.told("result"))) == ("completed", 1)
    assert (await Promises(database, stage.rings, stage.clock).list_for(OWNER))[0].status == "completed"
    await database.close()
