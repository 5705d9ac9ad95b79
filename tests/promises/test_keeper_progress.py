"""Promises kept: claimed once, run, settled once, stopped from outside."""

from __future__ import annotations

import asyncio
from pathlib import Path

from core.clock import SystemClock
from core.errors import ModelRefused, ModelUnavailable
from promises.keeper import Outcome
from tests.promises.stage import DEADLINE, OWNER, Stage, open_stage


async def test_p4_the_first_progress_makes_the_line_and_later_ones_change_it(stage: Stage) -> None:
    number = await stage.make()
    keeping = await stage.begin(number, stage.keeper())
    progress = stage.work.progress
    assert progress is not None
    await progress.finished("read_file")
    await stage.until(lambda row: row.progress == "1 step, last: read_file", number)
    await progress.finished("edit_file")
    await progress.report("half of it\nis done")
    await progress.finished("run_command")
    assert (await stage.row(number)).progress == "1 step, last: read_file"
    stage.time.advance(1)
    await stage.until(lambda row: row.progress == "half of it is done · 3 steps, last: run_command", number)
    [line] = await stage.told("progress")
    assert (line.version, line.text) == (2, "Promise #1: half of it is done · 3 steps, last: run_command")
    stage.work.ends.put_nowait(Outcome("done"))
    await keeping
    [line] = await stage.told("progress")
    assert line.text == "Promise #1: done (half of it is done · 3 steps, last: run_command)"
    assert [row.kind for row in await stage.told()] == ["ack", "progress", "result"]


async def test_p4_the_line_ends_with_the_last_step_though_it_was_not_told_yet(stage: Stage) -> None:
    number = await stage.make()
    keeping = await stage.begin(number, stage.keeper())
    assert stage.work.progress is not None
    await stage.work.progress.finished("read_file")
    await stage.until(lambda row: row.progress == "1 step, last: read_file", number)
    await stage.work.progress.finished("edit_file")
    stage.work.ends.put_nowait(Outcome("done"))
    await keeping
    assert (await stage.row(number)).progress == "2 steps, last: edit_file"
    assert [told.text for told in await stage.told("progress")] == ["Promise #1: done (2 steps, last: edit_file)"]


async def test_p4_a_second_attempt_goes_on_counting(stage: Stage) -> None:
    number = await stage.make()
    keeping = await stage.begin(number, stage.keeper())
    assert stage.work.progress is not None
    await stage.work.progress.finished("edit_file")
    await stage.until(lambda row: row.progress is not None, number)
    await stage.write_steps(number, ("done", "edit_file", []), ("intent", "run_command", []))
    stage.work.ends.put_nowait(ModelUnavailable("The model is overloaded."))
    await keeping
    stage.time.advance(10)
    await stage.reconciler.reconcile()
    again = await stage.begin(number, stage.keeper())
    assert (await stage.row(number)).progress == "1 step, last: edit_file"
    await stage.work.progress.finished("run_command")
    await stage.until(lambda row: row.progress == "2 steps, last: run_command", number)
    stage.work.ends.put_nowait(Outcome("done"))
    await again
    assert len(await stage.told("progress")) == 1


async def test_p4_progress_of_an_old_epoch_is_not_told(stage: Stage) -> None:
    number = await stage.make()
    keeping = await stage.begin(number, stage.keeper())
    await stage.run_sql("UPDATE promises SET epoch = 7")
    assert stage.work.progress is not None
    await stage.work.progress.report("ghost")
    stage.work.ends.put_nowait(Outcome("done"))
    await keeping
    assert await stage.told("progress", "result") == []
    assert (await stage.row(number)).progress is None


async def test_p7_a_completed_promise_starts_its_followers(stage: Stage) -> None:
    first, second = await stage.make("a"), await stage.make("b")
    third = await stage.make("c", after=(first, second))
    await stage.keep(first, Outcome("done"))
    assert (await stage.row(third)).status == "waiting"
    await stage.keep(second, Outcome("done"))
    assert (await stage.row(third)).status == "pending"
    assert stage.bell.rung == [first, second, third]


async def test_p7_a_failed_promise_fails_its_followers_and_theirs_with_its_reason(stage: Stage) -> None:
    first = await stage.make("a")
    second = await stage.make("b", after=(first,))
    third = await stage.make("c", after=(second,))
    await stage.keep(first, ModelRefused("The key is refused."))
    reason = "Promise #1, which it follows, failed: The key is refused."
    for number in (second, third):
        assert ((row := await stage.row(number)).status, row.error_message) == ("failed", reason)
    assert [told.promise_id for told in await stage.told("result")] == [first, second, third]


async def test_p7_a_cancelled_promise_fails_its_followers(stage: Stage) -> None:
    first = await stage.make("a")
    second = await stage.make("b", after=(first,))
    await stage.service.cancel(first, OWNER)
    assert (await stage.row(second)).error_message == "Promise #1, which it follows, was cancelled."


async def test_p3_a_result_outlasts_a_database_out_of_order(folder: Path) -> None:
    async with open_stage(folder, SystemClock()) as stage:
        number = await stage.make()
        keeper = stage.keeper()
        keeping = await stage.begin(number, keeper)
        await stage.run_sql("ALTER TABLE deliveries RENAME TO away")
        stage.work.ends.put_nowait(Outcome("done"))
        await asyncio.wait({keeping}, timeout=0.05)
        await stage.run_sql("ALTER TABLE away RENAME TO deliveries")
        async with asyncio.timeout(DEADLINE):
            await keeping
        assert (await stage.row(number)).status == "completed"
