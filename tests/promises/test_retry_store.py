"""What failed or was cancelled is taken up again, and its next end is told as the first one was."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from core.errors import ModelRefused, NotAllowed, RequestError, Unknown
from core.message import Chat
from core.schema import promises, runs, turns
from promises import store
from promises.keeper import Outcome
from promises.wording import LONGEST_KEPT
from tests.promises.stage import CHAT, GUEST, MEMBER, OWNER, STRANGER, Stage, call
from tests.promises.test_retention import DAY, forget

REFUSED = ModelRefused("The key is not accepted.")
LONG = "x" * (LONGEST_KEPT + 1)
RAN = ({"kind": "command", "command": "ls", "exit_code": 0},)
ELSEWHERE = replace(OWNER, chat=Chat("local", "other"))


async def failed(stage: Stage, **order: Any) -> int:
    number = await stage.make("count the files", **order)
    assert (await stage.keep(number, REFUSED)).status == "failed"
    stage.bell.rung.clear()
    return number


async def told(stage: Stage) -> list[tuple[str, str]]:
    return [(row.kind, row.text) for row in await stage.told()]


async def add_run(stage: Stage, run_id: str, status: str) -> None:
    known = {"agent": "v", "workspace": "psy", "promise_id": 1, "started_at": stage.clock.now()}
    row = insert(runs).values(id=run_id, status=status, **known)
    await stage.database.write("test", lambda connection: connection.execute(row))


async def test_p6_what_failed_is_taken_up_again_with_its_run(stage: Stage) -> None:
    number = await failed(stage)
    before = await stage.row(number)
    view = await stage.service.retry(number, OWNER, None)
    row = await stage.row(number)
    assert view.status == row.status == "pending"
    assert (row.run_id, row.epoch) == (before.run_id, before.epoch)
    assert (row.attempts, row.deaths, row.completed_at, row.error_message) == (0, 0, None, None)
    assert stage.bell.rung == [number]


async def test_p3_the_next_end_is_told_once_more_and_the_former_one_stays(stage: Stage) -> None:
    number = await failed(stage)
    await stage.service.retry(number, OWNER, None)
    row = await stage.keep(number, Outcome("12 files"))
    assert (row.status, row.result_summary, row.error_message) == ("completed", "12 files", None)
    assert await told(stage) == [
        ("ack", "Promise #1: count the files."),
        ("result 1", "Promise #1 failed: count the files\n\nThe key is not accepted."),
        ("retry 1", "Promise #1 is taken up again: count the files. It goes on from where it stopped."),
        ("result", "Promise #1 is done: count the files\n\n12 files"),
    ]


async def test_p6_it_may_fail_and_be_retried_again_and_again(stage: Stage) -> None:
    number = await failed(stage)
    for _ in range(2):
        await stage.service.retry(number, OWNER, None)
        await stage.keep(number, REFUSED)
    assert [kind for kind, _ in await told(stage)] == ["ack", "result 1", "retry 1", "result 2", "retry 2", "result"]


async def test_p5_what_was_cancelled_goes_on_and_can_be_cancelled_again(stage: Stage) -> None:
    number = await stage.make()
    for _ in range(2):
        await stage.service.cancel(number, OWNER)
        await stage.service.retry(number, OWNER, None)
    row = await stage.row(number)
    assert (row.status, row.cancel_requested_at, row.cancel_requested_by) == ("pending", None, None)
    assert (await stage.keep(number, Outcome("done"))).status == "completed"


@pytest.mark.parametrize("said", ["short", LONG])
async def test_p3_the_result_that_is_kept_whole_is_that_of_the_attempt_which_completed(stage: Stage, said: str) -> None:
    number = await stage.make("count the files", task_type="code")
    assert (await stage.keep(number, Outcome(f"I saw nothing. {LONG}"))).status == "failed"
    await stage.service.retry(number, OWNER, None)
    assert await stage.database.read(lambda connection: store.result_of(connection, number)) is None
    row = await stage.keep(number, Outcome(said, RAN))
    assert (row.status, row.error_message) == ("completed", None)
    assert await stage.database.read(lambda connection: store.result_of(connection, number)) == said


async def test_p9_a_run_that_came_to_its_own_end_is_not_repeated_but_begun_anew(stage: Stage) -> None:
    number = await stage.make()
    former = (await stage.row(number)).run_id
    await add_run(stage, former, "done")
    await stage.keep(number, Outcome(""))
    await stage.service.retry(number, OWNER, None)
    row = await stage.row(number)
    assert row.run_id != former
    assert row.metadata["former_runs"] == [former]
    assert (await told(stage))[-1][1].endswith("It begins anew: its run had come to its end.")


@pytest.mark.parametrize("end", ["status = 'cancelled'", "status = 'failed', deaths = 3"])
async def test_p9_a_run_that_was_done_before_its_promise_could_be_told_is_not_repeated(stage: Stage, end: str) -> None:
    number = await stage.make()
    run_id = (await stage.row(number)).run_id
    await add_run(stage, run_id, "done")
    await stage.run_sql(f"UPDATE promises SET {end}")
    await stage.service.retry(number, OWNER, None)
    assert (await stage.row(number)).run_id == run_id
    assert (await told(stage))[-1][1].endswith("It goes on from where it stopped.")


async def test_p12_its_former_runs_are_forgotten_with_it(stage: Stage) -> None:
    number = await stage.make()
    await add_run(stage, (await stage.row(number)).run_id, "done")
    await stage.keep(number, Outcome(""))
    await stage.service.retry(number, OWNER, None)
    await add_run(stage, (await stage.row(number)).run_id, "done")
    await stage.keep(number, Outcome("done"))
    await stage.run_sql("UPDATE deliveries SET status = 'sent', message_id = 100 + id")
    stage.time.advance(91 * DAY)
    await forget(stage)
    for table in (promises, runs):
        query = select(func.count()).select_from(table)
        assert await stage.database.read(lambda connection, query=query: connection.execute(query).scalar()) == 0


async def test_p6_a_promise_whose_workers_died_has_all_its_chances_again(stage: Stage) -> None:
    number = await failed(stage)
    await stage.run_sql("UPDATE promises SET deaths = 3, attempts = 9")
    await stage.service.retry(number, OWNER, None)
    assert ((row := await stage.row(number)).deaths, row.attempts) == (0, 0)


@pytest.mark.parametrize("end", ["completed", "pending", "in_progress"])
async def test_p6_what_is_completed_or_open_is_not_retried(stage: Stage, end: str) -> None:
    number = await stage.make()
    if end == "completed":
        await stage.keep(number, Outcome("done"))
    await stage.run_sql(f"UPDATE promises SET status = '{end}'")
    with pytest.raises(RequestError, match=f"#1 is {end}: only what failed or was cancelled is retried"):
        await stage.service.retry(number, OWNER, None)
    assert "retry 1" not in dict(await told(stage))


async def test_p7_what_failed_with_it_stays_failed_and_is_named(stage: Stage) -> None:
    first = await stage.make("first")
    second = await stage.make("second", after=(first,))
    third = await stage.make("third", after=(second,))
    await stage.keep(first, REFUSED)
    with pytest.raises(RequestError, match="#3 follows #2, which is failed: retry that one first"):
        await stage.service.retry(third, OWNER, None)
    await stage.service.retry(first, OWNER, None)
    assert (await told(stage))[-1][1].endswith("What failed with it stays failed: #2 and #3.")
    assert [(await stage.row(number)).status for number in (first, second, third)] == ["pending", "failed", "failed"]


async def test_p7_a_follower_that_is_retried_waits_for_its_lead(stage: Stage) -> None:
    first = await stage.make("first")
    second = await stage.make("second", after=(first,))
    await stage.keep(first, REFUSED)
    for number in (first, second):
        await stage.service.retry(number, OWNER, None)
    assert ((row := await stage.row(second)).status, row.waiting_for) == ("waiting", "dependency")
    assert (await told(stage))[-1][1].endswith("It waits for what it follows.")
    await stage.keep(first, Outcome("done"))
    assert (await stage.keep(second, Outcome("done"))).status == "completed"


async def test_p7_a_moment_to_come_is_still_waited_for(stage: Stage) -> None:
    number = await stage.make("later", every="1d")
    due = (await stage.row(number)).due_at
    await stage.service.cancel(number, OWNER)
    view = await stage.service.retry(number, OWNER, None)
    row = await stage.row(number)
    assert (view.status, row.waiting_for, row.not_before, row.every) == ("waiting", "schedule", due, "1d")
    assert "It starts on 2026-01-02 00:00 (UTC)." in (await told(stage))[-1][1]


async def test_p7_an_occurrence_whose_next_one_waits_is_retried_by_itself(stage: Stage) -> None:
    number = await stage.make("daily", every="1d")
    stage.time.advance(DAY)
    await stage.reconciler.reconcile()
    await stage.keep(number, REFUSED)
    await stage.service.retry(number, OWNER, None)
    assert (await stage.row(number)).every is None
    assert (await stage.keep(number, Outcome("done"))).status == "completed"
    assert ((following := await stage.row(number + 1)).former_id, following.every) == (number, "1d")


async def test_p7_what_a_retry_notes_of_an_occurrence_is_nothing_to_the_next_one(stage: Stage) -> None:
    number = await stage.make("daily", every="1d")
    await add_run(stage, (await stage.row(number)).run_id, "done")
    await stage.service.cancel(number, OWNER)
    await stage.run_sql("UPDATE promises SET status = 'failed'")
    await stage.service.retry(number, OWNER, call())
    assert (await stage.row(number)).metadata["former_runs"]
    stage.time.advance(DAY)
    await stage.reconciler.reconcile()
    await stage.keep(number, Outcome("done"))
    assert (await stage.row(number + 1)).metadata == {"first": "2026-01-02T00:00:00+00:00"}


async def test_p5_a_cancel_of_what_is_retried_by_itself_means_that_and_then_its_series(stage: Stage) -> None:
    number = await stage.make("daily", every="1d")
    stage.time.advance(DAY)
    await stage.reconciler.reconcile()
    await stage.keep(number, REFUSED)
    for _ in range(2):
        await stage.service.retry(number, OWNER, None)
        for _ in range(2):  # the second time: this very wish, asked again after a restart
            assert (await stage.service.cancel(number, OWNER)).id == number
    await stage.service.retry(number, OWNER, None)
    assert (await stage.keep(number, Outcome("done"))).status == "completed"
    assert (await stage.row(number + 1)).status == "waiting"
    view = await stage.service.cancel(number, OWNER)
    assert (view.id, view.status) == (number + 1, "cancelled")


async def test_a9_who_may_retry(stage: Stage) -> None:
    number = await stage.make("look", MEMBER, task_type="code")
    await stage.service.cancel(number, MEMBER)
    with pytest.raises(NotAllowed, match="belongs to Max: only they or an owner may retry it"):
        await stage.service.retry(number, GUEST, None)
    with pytest.raises(NotAllowed, match="A guest may not have code run"):
        await stage.service.retry(number, replace(GUEST, person_id=MEMBER.person_id), None)
    with pytest.raises(Unknown, match="no promise #1 in flex"):
        await stage.service.retry(number, STRANGER, None)
    assert (await stage.service.retry(number, MEMBER, None)).status == "pending"


async def test_p3_the_same_wish_again_after_a_restart_changes_nothing(stage: Stage) -> None:
    await add_turn(stage)
    number = await failed(stage)
    for _ in range(2):
        assert (await stage.service.retry(number, OWNER, call(turn_id=1))).status == "pending"
    [told_again] = await stage.told("retry 1")
    assert (told_again.status, told_again.turn_id) == ("held", 1)


async def test_p6_what_failed_once_more_is_retried_by_another_call_of_the_same_run(stage: Stage) -> None:
    number = await failed(stage)
    await stage.service.retry(number, OWNER, call("call_1"))
    await stage.keep(number, REFUSED)
    assert (await stage.service.retry(number, OWNER, call("call_1"))).status == "failed"
    assert (await stage.service.retry(number, OWNER, call("call_2"))).status == "pending"


async def test_p5_from_elsewhere_its_own_chat_is_told_at_once(stage: Stage) -> None:
    await add_turn(stage)
    number = await failed(stage)
    await stage.service.retry(number, ELSEWHERE, call(turn_id=1))
    [told_again] = await stage.told("retry 1")
    assert (told_again.status, told_again.turn_id, told_again.chat_id) == ("ready", None, CHAT.key)


async def add_turn(stage: Stage) -> None:
    given = {"front": "local", "chat_id": "page", "workspace": "psy", "status": "running", "requester_id": 1}
    row = insert(turns).values(**given, role="owner", reply_to=5, run_id="run_t", created_at=stage.clock.now())
    await stage.database.write("test", lambda connection: connection.execute(row))
