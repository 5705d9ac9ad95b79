"""Promises kept: claimed once, run, settled once, stopped from outside."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from conversations.delivery import Draft
from core.doorbell import Doorbell, own_bell
from core.errors import (
    Busy,
    Cancelled,
    DatabaseError,
    FloodWait,
    ModelRefused,
    ModelUnavailable,
    NotAllowed,
    Unreachable,
)
from promises import settle_store, store, wording
from promises.keeper import Outcome
from promises.promise import Ending, Promise, Retry, Status
from tests.promises.stage import DEADLINE, OWNER, STRANGER, Stage, keep_with

FILE = {"kind": "file", "path": "src/a.py", "before": "3f2a" * 8, "after": "9bc1" * 8}
RAN = {"kind": "command", "command": "pytest", "exit_code": 0}


async def test_p3_a_result_is_settled_and_told_in_one_transaction(stage: Stage) -> None:
    number = await stage.make("fix it")
    row = await stage.keep(number, Outcome("All fixed.", (FILE, RAN)))
    assert (row.status, row.result_summary, row.error_message) == ("completed", "All fixed.", None)
    assert (row.attempts, row.epoch, row.owner, row.lease_until) == (1, 1, None, None)
    assert row.evidence == [FILE, RAN]
    assert row.started_at == row.completed_at == stage.clock.now()
    [result] = await stage.told("result")
    assert (result.reply_to, result.status, result.promise_id) == (5, "ready", number)
    assert result.text == (
        "Promise #1 is done: fix it\n\nAll fixed.\n\n- changed: `src/a.py` (3f2a3f2a… → 9bc19bc1…)\n- ran: `pytest` → 0"
    )


async def test_p3_a_settle_whose_delivery_cannot_be_written_settles_nothing(stage: Stage) -> None:
    number = await stage.make()
    await stage.run_sql("CREATE TRIGGER no_result BEFORE INSERT ON deliveries BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(IntegrityError, match="no"):
        await stage.keep(number, Outcome("done"))
    assert (await stage.row(number)).status == "in_progress"
    assert await stage.told("result") == []


async def test_p2_a_second_ring_finds_nothing_to_claim(stage: Stage) -> None:
    number = await stage.make()
    keeper, other = stage.keeper(), stage.keeper("boot/ns/2/1.00")
    keeping = await stage.begin(number, keeper)
    async with asyncio.timeout(DEADLINE):
        await asyncio.gather(keep_with(keeper, number), keep_with(other, number), keep_with(other, 99))
    stage.work.ends.put_nowait(Outcome("done"))
    await keeping
    await keep_with(keeper, number)
    row = await stage.row(number)
    assert (row.status, row.attempts, row.epoch) == ("completed", 1, 1)
    assert len(await stage.told("result")) == 1


async def test_p7_what_is_not_due_or_follows_open_work_is_not_claimed(stage: Stage) -> None:
    first = await stage.make("a")
    second = await stage.make("b", after=(first,))
    await stage.run_sql(f"UPDATE promises SET status = 'pending', waiting_for = NULL WHERE id = {second}")
    await stage.run_sql(f"UPDATE promises SET not_before = '2999-01-01 00:00:00.000000' WHERE id = {first}")
    for number in (first, second):
        async with asyncio.timeout(DEADLINE):
            await keep_with(stage.keeper(), number)
        assert (await stage.row(number)).attempts == 0


async def test_p3_an_old_epoch_settles_and_tells_nothing(stage: Stage) -> None:
    number = await stage.make()
    old, new = stage.keeper("boot/ns/1/1.00"), stage.keeper("boot/ns/2/1.00")
    sleeping = await stage.begin(number, old)
    stage.time.advance(31)
    await stage.run_sql("UPDATE promises SET owner = replace(owner, 'boot', 'gone')")
    await stage.reconciler.reconcile()
    working = await stage.begin(number, new)
    stage.work.ends.put_nowait(Outcome("from the old one"))
    await sleeping
    assert ((row := await stage.row(number)).status, row.epoch) == ("in_progress", 2)
    stage.work.ends.put_nowait(Outcome("from the new one"))
    await working
    assert (await stage.row(number)).result_summary == "from the new one"
    assert [row.text.splitlines()[-1] for row in await stage.told("result")] == ["from the new one"]


async def test_p3_the_epoch_alone_decides_who_settles(stage: Stage) -> None:
    number = await stage.make()
    await stage.run_sql("UPDATE promises SET status = 'in_progress', epoch = 2")
    promise = await stage.database.read(lambda connection: store.find(connection, number))
    assert promise is not None
    ending = Ending(Status.COMPLETED, draft=wording.tell_completed(promise, "12 files", ()))

    async def settle(epoch: int) -> bool:
        held = replace(promise, epoch=epoch)
        work = partial(settle_store.settle, held=held, ending=ending, now=stage.clock.now())
        return await stage.database.write("test", work) is not None

    assert [await settle(1), await settle(2), await settle(2)] == [False, True, False]
    assert len(await stage.told("result")) == 1


async def test_p3_work_whose_lease_was_lost_is_stopped(stage: Stage) -> None:
    number = await stage.make()
    keeper = stage.keeper()
    keeping = await stage.begin(number, keeper)
    await stage.run_sql("UPDATE promises SET owner = 'boot/ns/2/1.00', epoch = 2")
    await keeper.renew()
    await keeping
    assert stage.work.stopped == [number]
    assert ((row := await stage.row(number)).status, row.epoch) == ("in_progress", 2)


async def test_p3_a_lease_is_renewed_while_work_goes_on(stage: Stage) -> None:
    number = await stage.make()
    keeper = stage.keeper()
    await keeper.renew()
    keeping = await stage.begin(number, keeper)
    assert (await stage.row(number)).lease_until == 1030
    stage.time.advance(10)
    await keeper.renew()
    assert (await stage.row(number)).lease_until == 1040
    stage.work.ends.put_nowait(Outcome("done"))
    await keeping


async def test_p9_work_that_slept_past_its_lease_knows_that_it_may_be_anothers(stage: Stage) -> None:
    keeper = stage.keeper()
    keeping = await stage.begin(await stage.make(), keeper)
    seen = [stage.work.is_ours()]
    for seconds in (29.5, 0.5):
        stage.time.advance(seconds)
        seen.append(stage.work.is_ours())
    await keeper.renew()
    assert [*seen, stage.work.is_ours()] == [True, True, False, True]
    stage.work.ends.put_nowait(Outcome("done"))
    await keeping


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (ModelUnavailable("The model is overloaded."), 2),
        (ModelUnavailable("The model is overloaded.", 60), 60),
        (Unreachable("No answer."), 2),
        (FloodWait(90), 90),
    ],
)
async def test_p6_what_can_pass_is_tried_again_later(stage: Stage, error: Exception, seconds: float) -> None:
    number = await stage.make()
    row = await stage.keep(number, error)
    assert (row.status, row.waiting_for, row.error_message, row.attempts) == ("waiting", "schedule", str(error), 1)
    assert (row.not_before - stage.clock.now()).total_seconds() == seconds
    assert (row.owner, row.completed_at) == (None, None)
    assert await stage.told("result", "notice") == []
    run = row.run_id
    stage.time.advance(seconds)
    await stage.reconciler.reconcile()
    row = await stage.keep(number, Outcome("done"))
    assert (row.status, row.attempts, row.error_message, row.run_id) == ("completed", 2, None, run)


async def test_p6_a_parked_promise_tells_the_reconciler_of_its_process(stage: Stage, tmp_path: Path) -> None:
    doorbell = Doorbell(own_bell(tmp_path / "workers"))
    await stage.keep(await stage.make(), Unreachable("No answer."))
    async with asyncio.timeout(DEADLINE):
        assert await doorbell.rung.wait()
    doorbell.close()


async def test_p6_the_last_attempt_fails_with_the_last_error(stage: Stage) -> None:
    number = await stage.make()
    for _ in range(5):
        await stage.keep(number, ModelUnavailable("The model is overloaded."))
        stage.time.advance(300)
        await stage.reconciler.reconcile()
    row = await stage.row(number)
    assert (row.status, row.attempts) == ("failed", 5)
    assert row.error_message == "The model is overloaded. Given up after 5 attempts."
    assert [told.text.splitlines()[-1] for told in await stage.told("result")] == [row.error_message]


def test_p6_backoff_grows_to_its_limit_and_jitter_only_shortens_it() -> None:
    class Always:
        def __init__(self, value: float) -> None:
            self.random = lambda: value

    late: Any = Always(0.0)
    early: Any = Always(1.0)
    retry = Retry(attempts=9)
    assert [retry.delay(n, late) for n in (1, 2, 3, 8, 9)] == [2, 6, 18, 300, None]
    assert [retry.delay(n, early) for n in (1, 2, 3, 8)] == [1, 3, 9, 150]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ModelRefused("The key is refused."), "The key is refused."),
        (NotAllowed("The fence is off."), "The fence is off."),
        (TimeoutError(), "The work took longer than it may."),
    ],
)
async def test_p6_what_cannot_pass_fails_at_once(stage: Stage, error: Exception, sentence: str) -> None:
    row = await stage.keep(await stage.make(), error)
    assert (row.status, row.attempts, row.error_message) == ("failed", 1, sentence)
    assert [told.text for told in await stage.told("result")] == [f"Promise #1 failed: count the files\n\n{sentence}"]


async def test_b12_an_unexpected_error_is_one_sentence_with_an_id(
    stage: Stage, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    row = await stage.keep(await stage.make(), ZeroDivisionError("secret detail"))
    assert row.status == "failed"
    assert row.error_message.startswith("Something went wrong inside Valor (error ")
    error_id = row.error_message.split("error ")[1].strip(").")
    assert error_id in caplog.text + capsys.readouterr().out
    assert "secret detail" not in (await stage.told("result"))[0].text


async def test_b12_an_end_that_cannot_be_told_as_it_is_fails_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(promise: Promise, text: str, evidence: object) -> Draft:
        raise UnicodeError("a result that nobody can typeset")

    monkeypatch.setattr(wording, "tell_completed", stumble)
    row = await stage.keep(await stage.make(), Outcome("\udcff"))
    assert row.status == "failed"
    assert row.error_message.startswith("Something went wrong inside Valor (error ")
    assert len(await stage.told("result")) == 1


async def test_p10_a_run_that_stops_itself_is_a_failure(stage: Stage) -> None:
    row = await stage.keep(await stage.make(), asyncio.CancelledError())
    assert row.status == "failed"


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (Outcome(" \n", (RAN,)), "The agent ended without an answer."),
        (Outcome("Done!", (RAN,), ("run_command", "write_file")), "Refused: run_command, write_file."),
    ],
)
async def test_p10_an_empty_answer_and_a_refused_tool_are_failures(
    stage: Stage, outcome: Outcome, sentence: str
) -> None:
    row = await stage.keep(await stage.make(), outcome)
    assert (row.status, row.error_message, row.evidence) == ("failed", sentence, [RAN])
    told = (await stage.told("result"))[0].text
    assert told.startswith(f"Promise #1 failed: count the files\n\n{sentence}")
    assert told.endswith("- ran: `pytest` → 0")


async def test_p10_an_attempt_over_its_time_limit_fails(stage: Stage) -> None:
    number = await stage.make()
    await keep_with(stage.keeper(limit=0.01), number)
    assert (await stage.row(number)).error_message == "The work took longer than it may."
    assert stage.work.stopped == [number]


@pytest.mark.parametrize(
    ("error", "waiting_for"),
    [(Busy("Promise #4 writes there since 14:02."), "directory"), (DatabaseError("The disk is full."), "schedule")],
)
async def test_p8_work_that_finds_its_directory_taken_waits_without_counting(
    stage: Stage, error: Exception, waiting_for: str
) -> None:
    """And so does work that finds the database out of order."""
    number = await stage.make()
    row = await stage.keep(number, error)
    assert (row.status, row.waiting_for, row.attempts) == ("waiting", waiting_for, 0)
    assert row.error_message == str(error)
    stage.time.advance(5)
    await stage.reconciler.reconcile()
    assert (await stage.keep(number, Outcome("done"))).status == "completed"


async def test_p8_who_waits_for_a_directory_goes_on_when_its_writer_ends(stage: Stage) -> None:
    writer, first, urgent, elsewhere = [
        await stage.make(name, asker, priority=priority)
        for name, asker, priority in (("a", OWNER, 0), ("b", OWNER, 0), ("c", OWNER, 5), ("d", STRANGER, 9))
    ]
    keeping = await stage.begin(writer, stage.keeper())
    for number in (first, urgent, elsewhere):
        await stage.keep(number, Busy("Promise #1 writes there."))
    stage.bell.rung.clear()
    stage.work.ends.put_nowait(Outcome("done", (RAN,)))
    await keeping
    assert stage.bell.rung == [urgent]
    statuses = [(await stage.row(number)).status for number in (first, urgent, elsewhere)]
    assert statuses == ["waiting", "pending", "waiting"]
    await stage.keep(urgent, Busy("Tom's turn 4 writes there."))  # who finds it taken lets nobody in
    assert (await stage.row(first)).status == "waiting"


async def test_p5_running_work_is_cancelled_with_one_notice(stage: Stage, tmp_path: Path) -> None:
    doorbell = Doorbell(own_bell(tmp_path / "workers"))
    number = await stage.make()
    keeper = stage.keeper()
    keeping = await stage.begin(number, keeper)
    assert stage.work.progress is not None
    await stage.work.progress.finished("read_file")
    await stage.until(lambda row: row.progress is not None, number)
    assert (await stage.service.cancel(number, OWNER)).status == "in_progress"
    await stage.service.cancel(number, OWNER)
    async with asyncio.timeout(DEADLINE):
        await doorbell.rung.wait()
    doorbell.close()
    await keeper.hear()
    await keeping
    row = await stage.row(number)
    assert (row.status, row.error_message) == ("cancelled", "Cancelled by Olga.")
    assert stage.work.stopped == [number]
    [notice] = await stage.told("notice")
    assert notice.text == "Promise #1 is cancelled: count the files\n\nDone until then: 1 step, last: read_file"
    assert [told.text for told in await stage.told("progress")] == ["Promise #1: cancelled (1 step, last: read_file)"]


async def test_p5_work_that_ended_before_it_heard_is_completed(stage: Stage) -> None:
    number = await stage.make()
    keeping = await stage.begin(number, stage.keeper())
    await stage.service.cancel(number, OWNER)
    stage.work.ends.put_nowait(Outcome("done"))
    await keeping
    assert (await stage.row(number)).status == "completed"
    [told] = await stage.told("result", "notice")
    assert told.text.endswith("done\n\nOlga cancelled it, but it was over by then.")


async def test_p5_cancelled_work_that_would_be_tried_again_is_cancelled(stage: Stage) -> None:
    number = await stage.make()
    keeping = await stage.begin(number, stage.keeper())
    await stage.service.cancel(number, OWNER)
    stage.work.ends.put_nowait(Unreachable("No answer."))
    await keeping
    assert (await stage.row(number)).status == "cancelled"
    assert len(await stage.told("notice")) == 1


async def test_p5_work_that_says_it_was_stopped_is_cancelled(stage: Stage) -> None:
    row = await stage.keep(await stage.make(), Cancelled("stopped"))
    assert (row.status, row.error_message) == ("cancelled", "Cancelled.")


async def test_s2_a_leaving_worker_leaves_its_work_claimable_and_claims_nothing_more(stage: Stage) -> None:
    first, second = await stage.make("a"), await stage.make("b")
    keeper = stage.keeper()
    keeping = await stage.begin(first, keeper)
    await keeper.release_all()
    await keeping
    await keep_with(keeper, second)
    row = await stage.row(first)
    assert (row.status, row.attempts, row.deaths, row.owner) == ("pending", 0, 0, None)
    assert (await stage.row(second)).status == "pending"
    assert (await stage.keep(first, Outcome("done"))).status == "completed"


async def test_s2_a_leaving_worker_does_not_wait_for_a_database_out_of_order(stage: Stage) -> None:
    number = await stage.make()
    keeper = stage.keeper()
    keeping = await stage.begin(number, keeper)
    await stage.service.cancel(number, OWNER)
    await stage.run_sql("ALTER TABLE promises RENAME TO away")
    leaving = asyncio.create_task(keeper.release_all())
    with pytest.raises(DatabaseError):
        await keeping
    await leaving
    await stage.run_sql("ALTER TABLE away RENAME TO promises")
    assert (await stage.row(number)).status == "in_progress"


async def test_s2_work_that_is_cancelled_while_its_worker_leaves_is_cancelled(stage: Stage) -> None:
    number = await stage.make()
    keeper = stage.keeper()
    keeping = await stage.begin(number, keeper)
    await stage.service.cancel(number, OWNER)
    await asyncio.gather(keeper.release_all(), keeper.hear())
    await keeping
    assert (await stage.row(number)).status == "cancelled"
    assert len(await stage.told("notice")) == 1
