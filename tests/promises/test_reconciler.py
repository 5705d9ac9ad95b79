"""What rings, releases and dead workers left undone is found and done."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import insert

from core.clock import SystemClock
from core.errors import ModelUnavailable
from core.owner import Owner
from core.schema import promise_dependencies
from promises import settle_store, store
from promises.keeper import Outcome
from promises.promise import RELEASED
from promises.reconciler import Reconciler
from runtime.process import marker_of
from runtime.sandbox import MARKER
from tests.promises.stage import DEADLINE, OWNER, SilentBell, Stage, open_stage

HERE = Owner.this_process()
DEAD = replace(HERE, started=1.0)  # this pid, but another process
ELSEWHERE = replace(HERE, boot="other")


async def test_p3_a_lost_ring_is_rung_again(stage: Stage) -> None:
    number = await stage.make()
    stage.bell.rung.clear()
    await stage.reconciler.reconcile()
    assert stage.bell.rung == [number]


async def test_p3_rings_that_wait_already_are_not_multiplied(stage: Stage) -> None:
    await stage.make()
    stage.bell.rung.clear()
    stage.bell.stuck = 1
    await stage.reconciler.reconcile()
    assert stage.bell.rung == []


async def test_p2_a_queue_that_cannot_be_read_is_passed_by(stage: Stage) -> None:
    number = await stage.make()
    stage.bell.rung.clear()
    stage.bell.stuck = None
    offered: list[int] = []
    stage.bell.is_taken = lambda promise_id: not offered.append(promise_id)
    await stage.reconciler.reconcile()
    assert (stage.bell.rung, offered) == ([], [number])


async def test_p7_the_most_urgent_are_rung_first(stage: Stage) -> None:
    for priority in (0, 5, 1):
        await stage.make(priority=priority)
    stage.bell.rung.clear()
    await stage.reconciler.reconcile()
    assert stage.bell.rung == [2, 3, 1]


async def test_p3_the_lease_of_a_dead_process_is_freed_at_once(stage: Stage) -> None:
    number = await stage.make()
    await stage.begin(number, stage.keeper(str(DEAD)))
    stage.bell.rung.clear()
    await stage.reconciler.reconcile()
    row = await stage.row(number)
    assert (row.status, row.deaths, row.owner) == ("pending", 1, None)
    assert stage.bell.rung == [number]
    assert (await stage.keep(number, Outcome("done"))).epoch == 2


async def test_p3_the_lease_of_a_living_process_is_left_until_it_ends(stage: Stage) -> None:
    number = await stage.make()
    await stage.begin(number, stage.keeper(str(HERE)))
    stage.time.advance(29)
    await stage.reconciler.reconcile()
    assert (await stage.row(number)).status == "in_progress"
    stage.time.advance(1)
    await stage.reconciler.reconcile()
    assert (await stage.row(number)).status == "pending"


async def test_p3_a_jumping_clock_frees_nothing(stage: Stage) -> None:
    number = await stage.make()
    await stage.begin(number, stage.keeper(str(HERE)))
    stage.time.jump(86_400)
    await stage.reconciler.reconcile()
    assert (await stage.row(number)).status == "in_progress"


async def test_p3_leases_from_before_a_reboot_end_by_wall_time(stage: Stage) -> None:
    number = await stage.make()
    await stage.begin(number, stage.keeper(str(ELSEWHERE)))
    await stage.run_sql("UPDATE promises SET lease_until = 999999")
    stage.time.advance(29)
    await stage.reconciler.reconcile()
    assert (await stage.row(number)).status == "in_progress"
    stage.time.advance(1)
    await stage.reconciler.reconcile()
    assert (await stage.row(number)).status == "pending"


async def test_p3_a_promise_that_ends_three_workers_fails(stage: Stage) -> None:
    number = await stage.make()
    follower = await stage.make("next", after=(number,))
    for _ in range(3):
        await stage.begin(number, stage.keeper(str(DEAD)))
        await stage.reconciler.reconcile()
    row = await stage.row(number)
    assert (row.status, row.deaths, row.attempts) == ("failed", 3, 3)
    assert row.error_message == "Its worker died 3 times over it."
    assert (await stage.row(follower)).status == "failed"
    assert [told.promise_id for told in await stage.told("result")] == [number, follower]


async def test_p3_a_worker_that_only_slept_past_its_lease_counts_as_no_death(stage: Stage) -> None:
    number = await stage.make()
    for _ in range(4):
        await stage.begin(number, stage.keeper(str(HERE)))
        stage.time.advance(31)
        await stage.reconciler.reconcile()
    assert ((row := await stage.row(number)).status, row.deaths) == ("pending", 0)


@pytest.mark.parametrize("deaths", [0, 2])
async def test_p5_a_cancelled_promise_of_a_dead_worker_is_cancelled(stage: Stage, deaths: int) -> None:
    number = await stage.make("look", every="1h")
    await stage.run_sql(f"UPDATE promises SET status = 'pending', not_before = NULL, deaths = {deaths}")
    await stage.begin(number, stage.keeper(str(DEAD)))
    await stage.service.cancel(number, OWNER)
    await stage.reconciler.reconcile()
    row = await stage.row(number)
    assert (row.status, row.error_message, row.deaths) == ("cancelled", "Cancelled by Olga.", deaths + 1)
    [notice] = await stage.told("notice", "result")
    assert notice.text == "Promise #1 is cancelled: look\n\nIt is not repeated any more."
    assert await stage.database.read(lambda connection: store.find(connection, number + 1)) is None
    assert len(await stage.told("notice")) == 1


async def test_p5_what_a_dead_worker_left_running_is_ended_though_nobody_goes_on(folder: Path) -> None:
    async with open_stage(folder, SystemClock()) as stage:
        left, kept = await stage.make(), await stage.make()
        await stage.begin(left, stage.keeper(str(DEAD)))
        await stage.begin(kept, stage.keeper(str(HERE)))
        await stage.service.cancel(left, OWNER)
        rows = [await stage.row(number) for number in (left, kept)]
        tools = [subprocess.Popen(["sleep", "60"], env={MARKER: marker_of(row.run_id, row.epoch)}) for row in rows]
        try:
            await stage.reconciler.reconcile()
            assert tools[0].wait(5) == -signal.SIGKILL
            assert tools[1].poll() is None
        finally:
            tools[1].kill()
            tools[1].wait()
        assert (await stage.row(left)).status == "cancelled"


async def test_p3_a_lease_renewed_meanwhile_is_not_freed(stage: Stage) -> None:
    """Two reconcilers at once, and a renewal between the look and the update: each frees at most once."""
    number = await stage.make()
    keeper = stage.keeper(str(HERE))
    await stage.begin(number, keeper)
    stage.time.advance(31)
    await asyncio.gather(keeper.renew(), stage.reconciler.reconcile(), stage.reconciler.reconcile())
    row = await stage.row(number)
    assert (row.status, row.deaths) in {("in_progress", 0), ("pending", 0)}


async def test_p3_two_reconcilers_free_a_promise_once(stage: Stage) -> None:
    number = await stage.make()
    await stage.begin(number, stage.keeper(str(DEAD)))
    for _ in range(2):
        await asyncio.gather(*(stage.reconciler.reconcile() for _ in range(4)))
    assert ((row := await stage.row(number)).status, row.deaths) == ("pending", 1)


async def test_p3_a_lease_that_was_renewed_since_it_was_read_is_not_ended(stage: Stage) -> None:
    number = await stage.make()
    keeper = stage.keeper(str(HERE))
    await stage.begin(number, keeper)
    [lease] = await stage.database.read(store.leases)
    stage.time.advance(31)
    await keeper.renew()
    settle = partial(settle_store.settle, held=lease, ending=RELEASED, now=stage.clock.now())
    assert await stage.database.write("test", settle) is None
    assert (await stage.row(number)).status == "in_progress"


async def test_p7_a_follower_left_behind_is_released(stage: Stage) -> None:
    first = await stage.make("a")
    await stage.keep(first, Outcome("done"))
    second = await stage.make("b")
    await stage.run_sql(f"UPDATE promises SET status = 'waiting', waiting_for = 'dependency' WHERE id = {second}")
    await _link(stage, second, first)
    stage.bell.rung.clear()
    await stage.reconciler.reconcile()
    assert (await stage.row(second)).status == "pending"
    assert stage.bell.rung == [second]


async def test_p7_a_follower_of_a_failure_left_behind_fails(stage: Stage) -> None:
    first, second = await stage.make("a"), await stage.make("b")
    await stage.service.cancel(first, OWNER)
    await stage.run_sql(f"UPDATE promises SET status = 'waiting', waiting_for = 'dependency' WHERE id = {second}")
    await _link(stage, second, first)
    await stage.reconciler.reconcile()
    assert (await stage.row(second)).error_message == "Promise #1, which it follows, was cancelled."


async def test_p6_a_due_promise_is_released_when_its_moment_comes(stage: Stage) -> None:
    number = await stage.make()
    await stage.run_sql(
        "UPDATE promises SET status = 'waiting', waiting_for = 'schedule', not_before = '2026-01-01 00:00:09.000000'"
    )
    stage.bell.rung.clear()
    assert await stage.reconciler.reconcile() == (await stage.row(number)).not_before
    assert stage.bell.rung == []
    stage.time.advance(9)
    await stage.reconciler.reconcile()
    assert ((row := await stage.row(number)).status, row.not_before, row.waiting_for) == ("pending", None, None)
    assert stage.bell.rung == [number]


async def test_p6_what_was_put_off_by_a_clock_that_ran_ahead_is_tried_when_it_is_set_right(stage: Stage) -> None:
    stage.time.jump(86_400)
    number = await stage.make()
    await stage.keep(number, ModelUnavailable("The model is overloaded."))
    stage.time.jump(-86_400)
    await stage.reconciler.reconcile()
    assert ((row := await stage.row(number)).status, row.not_before) == ("pending", None)


async def test_p7_a_moment_that_people_chose_means_itself_whatever_the_clock_did(stage: Stage) -> None:
    stage.time.jump(86_400)
    number = await stage.make(at=stage.time.now() + timedelta(hours=1))
    stage.time.jump(-86_400)
    await stage.reconciler.reconcile()
    assert (await stage.row(number)).status == "waiting"


async def test_an_idle_reconciler_writes_nothing(stage: Stage) -> None:
    await stage.run_sql("CREATE TRIGGER watched BEFORE UPDATE ON promises BEGIN SELECT RAISE(ABORT, 'wrote'); END")
    await stage.make()
    assert await stage.reconciler.reconcile() is None


async def test_p6_a_nudge_makes_it_look_and_wake_in_time(stage: Stage) -> None:
    class Heard(SilentBell):
        def __init__(self) -> None:
            super().__init__()
            self.heard: asyncio.Queue[int] = asyncio.Queue()
            self.loop = asyncio.get_running_loop()

        def ring(self, promise_id: int, priority: int = 0) -> None:
            self.loop.call_soon_threadsafe(self.heard.put_nowait, promise_id)

    bell = Heard()
    reconciler = Reconciler(stage.database, replace(stage.rings, bell=bell), SystemClock())
    running = asyncio.create_task(reconciler.run())
    number = await stage.make()
    for due in ("2000-01-01 00:00:00.000000", "2000-01-01 00:00:00.000000"):
        await stage.run_sql(f"UPDATE promises SET status = 'waiting', waiting_for = 'schedule', not_before = '{due}'")
        reconciler.nudge()
        async with asyncio.timeout(4):
            assert await bell.heard.get() == number
    running.cancel()


async def test_a_database_out_of_order_does_not_end_it(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    reconciler = Reconciler(stage.database, stage.rings, SystemClock())
    number = await stage.make()
    stage.bell.rung.clear()
    await stage.run_sql("ALTER TABLE promises RENAME TO away")
    running = asyncio.create_task(reconciler.run())
    await asyncio.wait({running}, timeout=0.05)
    await stage.run_sql("ALTER TABLE away RENAME TO promises")
    reconciler.nudge()
    async with asyncio.timeout(DEADLINE):
        while not stage.bell.rung:
            await stage.row(number)
    running.cancel()
    assert stage.bell.rung[0] == number


async def _link(stage: Stage, follower: int, after: int) -> None:
    row = insert(promise_dependencies).values(promise_id=follower, after_id=after)
    await stage.database.write("test", lambda connection: connection.execute(row))
