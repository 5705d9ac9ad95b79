"""Moments, repetition, sets and priorities."""

from __future__ import annotations

import queue
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from core.errors import Busy, ModelRefused, RequestError, Unknown
from core.schema import promises
from promises.bell import HueyBell
from promises.keeper import Outcome
from promises.schedule import Schedule
from tests.promises.stage import OWNER, Stage, call

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)  # the stage's clock


@pytest.mark.parametrize(
    ("every", "zone", "now", "due", "fires"),
    [
        ("30m", "UTC", "00:40", "00:00", "01:00"),
        ("30m", "UTC", "01:00", "00:00", "01:30"),
        ("1d", "UTC", "00:00", "12:00", "12:00+1"),
        ("24h", "UTC", "00:00+3", "00:00", "00:00+4"),
        ("0 9 * * *", "Europe/Berlin", "00:00", "00:00", "08:00"),
        ("0 9 * * *", "Europe/Berlin", "08:00", "00:00", "08:00+1"),
        ("*/20 * * * mon", "UTC", "00:00", "00:00", "00:00+4"),
    ],
)
def test_p7_the_next_moment_is_the_first_to_come(every: str, zone: str, now: str, due: str, fires: str) -> None:
    assert Schedule.read(every, zone).next_after(_on_new_year(now), _on_new_year(due)) == _on_new_year(fires)


def test_p7_cron_follows_the_zones_clock() -> None:
    schedule = Schedule.read("30 2 * * *", "Europe/Berlin")
    spring = datetime(2026, 3, 28, 12, tzinfo=BERLIN)  # 02:30 does not exist on the 29th
    first = schedule.next_after(spring, spring)
    assert first is not None
    assert first == datetime(2026, 3, 29, 3, 0, tzinfo=BERLIN)
    assert schedule.next_after(first, first) == datetime(2026, 3, 30, 2, 30, tzinfo=BERLIN)
    autumn = datetime(2026, 10, 24, 12, tzinfo=BERLIN)  # 02:30 comes twice on the 25th
    first = schedule.next_after(autumn, autumn)
    assert first is not None
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert schedule.next_after(first, first) == datetime(2026, 10, 26, 2, 30, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("every", "first", "days"),
    [
        ("1d", datetime(2026, 3, 27, 9, tzinfo=BERLIN), (28, 29, 30, 31)),  # summer time begins on the 29th
        ("1d", datetime(2026, 10, 23, 9, tzinfo=BERLIN), (24, 25, 26, 27)),  # and ends on the 25th
        ("1w", datetime(2026, 3, 1, 9, tzinfo=BERLIN), (8, 15, 22, 29)),
    ],
)
def test_p7_days_and_weeks_go_by_the_zones_clock(every: str, first: datetime, days: tuple[int, ...]) -> None:
    schedule, moment = Schedule.read(every, "Europe/Berlin"), first
    for day in days:
        found = schedule.next_after(moment, first)
        assert found == first.replace(day=day)
        moment = first.replace(day=day)
    missed = first.replace(day=days[-1]).astimezone(UTC) - timedelta(seconds=1)
    assert schedule.next_after(missed, first) == first.replace(day=days[-1])


async def test_p7_a_moment_that_a_clock_change_leaves_out_shifts_that_day_alone(stage: Stage) -> None:
    first = datetime(2026, 3, 28, 2, 30, tzinfo=BERLIN)
    await stage.make("look", at=first, every="1d", zone="Europe/Berlin")
    for number in (1, 2):
        await _let_start(stage, number)
        await stage.keep(number, Outcome("seen"))
    _, shifted, after = await _all(stage)
    assert shifted.due_at == datetime(2026, 3, 29, 3, 30, tzinfo=BERLIN)
    assert after.due_at == datetime(2026, 3, 30, 2, 30, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("order", "sentence"),
    [
        ({"at": NEW_YEAR}, r"2026-01-01 00:00 \(UTC\) has passed: name a moment to come"),
        ({"at": datetime(2025, 1, 1, tzinfo=UTC), "zone": "Asia/Tokyo"}, r"09:00 \(Asia/Tokyo\) has passed"),
        ({"every": "0 0 30 2 *"}, "Bad day-of-month"),
        ({"every": "99999w"}, "more than a hundred years ahead"),
        ({"at": datetime(2199, 1, 1, tzinfo=UTC)}, r"2199-01-01 00:00 \(UTC\) lies more than a hundred years ahead"),
        ({"every": "* * */20 * 1L"}, "never comes"),
        ({"every": "* * */20 * 1L", "at": datetime(2026, 1, 2, tzinfo=UTC)}, "never comes"),
        ({"every": "* * * * * *"}, "is no schedule: write an interval such as 30m"),
        ({"every": "0m"}, "is no schedule"),
        ({"every": "now and then"}, "is no schedule"),
        ({"every": "1d", "after": (1,)}, "A repeated promise cannot follow others"),
        ({"priority": 2**70}, "A priority lies between"),
    ],
)
async def test_p7_an_order_that_cannot_be_kept_is_refused(stage: Stage, order: dict[str, Any], sentence: str) -> None:
    await stage.make()
    with pytest.raises(RequestError, match=sentence):
        await stage.make("again", **order)
    assert len(await stage.told()) == 1


async def test_p7_a_zone_of_nowhere_is_refused(stage: Stage) -> None:
    for every in (None, "1d"):
        with pytest.raises(Unknown, match="no time zone 'Mars/Olympus'"):
            await stage.make(zone="Mars/Olympus", every=every)


async def test_p7_a_promise_for_a_moment_starts_then_and_not_before(stage: Stage) -> None:
    at = NEW_YEAR + timedelta(hours=9)
    number = await stage.make("wish luck", at=at, zone="Europe/Berlin")
    [ack] = await stage.told()
    assert ack.text == "Promise #1: wish luck. It starts on 2026-01-01 10:00 (Europe/Berlin)."
    assert ((row := await stage.row(number)).status, row.waiting_for, row.due_at) == ("waiting", "schedule", at)
    assert stage.bell.rung == []
    stage.time.advance(9 * 3600 - 1)
    await stage.reconciler.reconcile()
    assert stage.bell.rung == []
    stage.time.advance(1)
    await stage.reconciler.reconcile()
    assert stage.bell.rung == [number]
    assert (await stage.keep(number, Outcome("done"))).status == "completed"
    assert len(await _all(stage)) == 1


async def test_p7_a_moment_and_a_dependency_are_both_waited_for(stage: Stage) -> None:
    first = await stage.make("a")
    at = NEW_YEAR + timedelta(hours=1)
    second = await stage.make("b", after=(first,), at=at)
    assert (await stage.told())[-1].text == "Promise #2: b. It starts after #1, not before 2026-01-01 01:00 (UTC)."
    await stage.keep(first, Outcome("done"))
    assert ((row := await stage.row(second)).status, row.waiting_for) == ("waiting", "schedule")
    assert stage.bell.rung == [first]
    stage.time.advance(3600)
    await stage.reconciler.reconcile()
    assert stage.bell.rung[-1] == second


async def test_p7_the_same_call_again_after_its_moment_returns_the_same_promise(stage: Stage) -> None:
    at = NEW_YEAR + timedelta(hours=1)
    number = await stage.make(at=at, call=call())
    stage.time.advance(7200)
    assert await stage.make(at=at, call=call()) == number


async def test_p7_a_repeated_promise_comes_again_once_each_time(stage: Stage) -> None:
    first = await stage.make("look", every="0  9 * * MON-FRI", zone="europe/berlin", priority=4)
    [ack] = await stage.told()
    assert ack.text == (
        "Promise #1: look. It starts on 2026-01-01 09:00 (Europe/Berlin). It is repeated: 0 9 * * mon-fri."
    )
    await _let_start(stage, first)
    old = await stage.keep(first, Outcome("seen"))
    await stage.keep(first, Outcome("seen twice"))
    _, new = await _all(stage)
    assert (new.status, new.waiting_for, new.former_id) == ("waiting", "schedule", first)
    assert new.due_at == new.not_before == datetime(2026, 1, 2, 9, tzinfo=BERLIN)
    copied = ("task_description", "chat_id", "front", "message_id", "requester_id", "role", "workspace", "priority")
    assert all(getattr(new, name) == getattr(old, name) for name in (*copied, "every", "zone", "metadata"))
    assert new.metadata == {"first": "2026-01-01T08:00:00+00:00"}
    assert new.run_id != old.run_id
    assert (new.attempts, new.epoch, new.completed_at, new.made_by_run) == (0, 0, None, None)
    assert [told.kind for told in await stage.told()] == ["ack", "result"]


async def test_p7_what_was_missed_runs_once(stage: Stage) -> None:
    number = await stage.make("look", every="1d")
    stage.time.advance(10 * 86_400 + 60)
    await stage.reconciler.reconcile()
    await stage.keep(number, Outcome("seen"))
    _, new = await _all(stage)
    assert new.due_at == NEW_YEAR + timedelta(days=11)
    await stage.reconciler.reconcile()
    assert (await stage.row(new.id)).status == "waiting"


async def test_p7_a_failed_occurrence_does_not_end_the_schedule(stage: Stage) -> None:
    number = await stage.make("look", every="1h")
    await _let_start(stage, number)
    assert (await stage.keep(number, Outcome(""))).status == "failed"
    assert [row.status for row in await _all(stage)] == ["failed", "waiting"]


async def test_p7_a_retried_occurrence_is_repeated_when_it_settles(stage: Stage) -> None:
    number = await stage.make("look", every="1h")
    await _let_start(stage, number)
    await stage.keep(number, Busy("taken"))
    assert len(await _all(stage)) == 1
    stage.time.advance(5)
    await stage.reconciler.reconcile()
    await stage.keep(number, Outcome("seen"))
    assert (await _all(stage))[1].due_at == NEW_YEAR + timedelta(hours=2)


async def test_p7_cancelling_an_occurrence_ends_the_schedule(stage: Stage) -> None:
    number = await stage.make("look", every="1h")
    await stage.service.cancel(number, OWNER)
    assert len(await _all(stage)) == 1
    [notice] = await stage.told("notice")
    assert notice.text == "Promise #1 is cancelled: look\n\nIt is not repeated any more."


@pytest.mark.parametrize(
    ("end", "status", "told"),
    [(Outcome("seen"), "completed", "is done: look\n\nseen"), (ModelRefused("No."), "failed", "failed: look\n\nNo.")],
)
async def test_p5_what_was_cancelled_too_late_is_told_so_and_repeated_no_more(
    stage: Stage, end: Outcome | ModelRefused, status: str, told: str
) -> None:
    number = await stage.make("look", every="1h")
    await _let_start(stage, number)
    keeping = await stage.begin(number, stage.keeper())
    await stage.service.cancel(number, OWNER)
    stage.work.ends.put_nowait(end)
    await keeping
    assert [row.status for row in await _all(stage)] == [status]
    [result] = await stage.told("result", "notice")
    late = "Olga cancelled it, but it was over by then. It is not repeated any more."
    assert result.text == f"Promise #1 {told}\n\n{late}"


async def test_p5_any_occurrence_means_the_one_that_stands_now(stage: Stage) -> None:
    await stage.make("look", every="1h")
    for number in (1, 2):
        await _let_start(stage, number)
        await stage.keep(number, Outcome("seen"))
    view = await stage.service.cancel(1, OWNER)
    assert (view.id, view.status) == (3, "cancelled")
    assert [row.status for row in await _all(stage)] == ["completed", "completed", "cancelled"]
    assert (await stage.service.cancel(2, OWNER)).id == 3
    [notice] = await stage.told("notice")
    assert notice.text == "Promise #3 is cancelled: look\n\nIt is not repeated any more."


async def test_p7_a_schedule_that_has_no_further_moment_ends(stage: Stage) -> None:
    number = await stage.make("look", every="1h")
    await stage.run_sql("UPDATE promises SET every = '* * */20 * 1L'")
    await _let_start(stage, number)
    await stage.keep(number, Outcome("seen"))
    assert len(await _all(stage)) == 1


@pytest.mark.parametrize("broken", ["zone = 'Mars/Olympus'", "every = 'now and then'"])
async def test_p7_a_schedule_that_an_update_has_broken_ends_and_keeps_its_result(stage: Stage, broken: str) -> None:
    number = await stage.make("look", every="0 9 * * *", zone="Europe/Berlin")
    await _let_start(stage, number)
    await stage.run_sql(f"UPDATE promises SET {broken}")
    assert (await stage.keep(number, Outcome("seen"))).status == "completed"
    assert len(await _all(stage)) == 1


async def test_p7_a_set_is_followed_when_all_of_it_is_done(stage: Stage) -> None:
    parts = [await stage.make(name) for name in "abc"]
    last = await stage.make("sum up", after=tuple(parts))
    assert stage.bell.rung == parts
    for number in parts:
        assert (await stage.row(last)).status == "waiting"
        await stage.keep(number, Outcome("done"))
    assert stage.bell.rung == [*parts, last]
    assert (await stage.keep(last, Outcome("6"))).status == "completed"


async def test_p7_higher_priorities_go_first(stage: Stage, tmp_path: Path) -> None:
    bell = HueyBell(tmp_path / "huey.db", tmp_path / "bells")
    for number, priority in ((1, 0), (2, -5), (3, 5), (4, 0)):
        bell.ring(number, priority)
    heard: queue.Queue[int] = queue.Queue()
    bell.consume(heard.put, 1)
    assert [heard.get(timeout=4) for _ in range(4)] == [3, 1, 4, 2]
    bell.close()


async def _let_start(stage: Stage, number: int) -> None:
    """Move to its moment."""
    row = await stage.row(number)
    stage.time.advance((row.due_at - stage.clock.now()).total_seconds())
    await stage.reconciler.reconcile()


async def _all(stage: Stage) -> list[Any]:
    query = select(promises).order_by(promises.c.id)
    return await stage.database.read(lambda connection: list(connection.execute(query)))


def _on_new_year(told: str) -> datetime:
    """`09:00+1`: at nine, a day later."""
    clock, _, days = told.partition("+")
    hours, minutes = clock.split(":")
    return NEW_YEAR + timedelta(days=int(days or 0), hours=int(hours), minutes=int(minutes))
