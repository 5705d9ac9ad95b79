"""The worker as a process of its own: real Huey, real files, real deaths."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from core.clock import SystemClock
from core.database import Database, sqlite_url
from core.doorbell import Doorbell, listeners
from core.protocols import PromiseOrder
from core.schema import deliveries, promises
from promises.keeper import Outcome
from promises.service import Promises
from promises.worker import LazyWork, Places
from tests.promises import worker_process
from tests.promises.stage import DEADLINE, OWNER, ScriptedWork, Stage, keep_with

PROGRAM = Path(worker_process.__file__)
LONG = 3600.0  # seconds; the tests wait less
SCRIPT = Path(__file__).parents[2] / "scripts" / "huey_consumer.py"


class Site:
    """The server's side of an installation in a folder, and the workers started on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = Database(sqlite_url(folder / "system.db"))
        self.places = Places(folder / "huey.db", folder)
        self.doorbell = Doorbell(self.places.server)
        _, self.rings = self.places.open_rings()
        self.service = Promises(self.database, self.rings, SystemClock())
        self.workers: list[asyncio.subprocess.Process] = []

    async def start(
        self, lease: float = 30, patience: float = 20, looks_every: float = 5
    ) -> asyncio.subprocess.Process:
        numbers = (str(number) for number in (lease, patience, looks_every))
        argv = (sys.executable, str(PROGRAM), str(self.folder), *numbers)
        worker = await asyncio.create_subprocess_exec(*argv, stdout=PIPE, stderr=PIPE)
        self.workers.append(worker)
        return worker

    async def make(self, description: str, **order: Any) -> int:
        return (await self.service.make(PromiseOrder(description, **order), OWNER, None)).id

    async def row(self, number: int) -> Any:
        query = select(promises).where(promises.c.id == number)
        return await self.database.read(lambda connection: connection.execute(query).one())

    async def until(self, status: str, number: int, progress: str = "") -> Any:
        """Wait until the promise has the status and its live line begins so, looking at each ring."""
        async with asyncio.timeout(2 * DEADLINE):
            while True:
                row = await self.row(number)
                if row.status == status and (row.progress or "").startswith(progress):
                    return row
                await self.doorbell.rung.wait()
                self.doorbell.rung.clear()

    async def run_sql(self, statement: str) -> None:
        await self.database.write("test", lambda connection: connection.exec_driver_sql(statement))

    async def count_told(self, number: int, kind: str) -> int:
        query = select(func.count()).where(deliveries.c.promise_id == number, deliveries.c.kind == kind)
        return await self.database.read(lambda connection: connection.execute(query).scalar_one())

    async def close(self) -> None:
        for worker in self.workers:
            if worker.returncode is None:
                worker.terminate()
            await asyncio.wait_for(worker.communicate(), DEADLINE)
        self.doorbell.close()
        await self.database.close()


@asynccontextmanager
async def open_site(folder: Path) -> AsyncGenerator[Site]:
    site = Site(folder)
    try:
        yield site
    finally:
        await site.close()


@pytest.fixture
async def site(folder: Path) -> AsyncIterator[Site]:
    async with open_site(folder) as opened:
        yield opened


async def test_p2_a_promise_made_in_one_process_is_kept_by_another(site: Site) -> None:
    worker = await site.start()
    number = await site.make("quick")
    row = await site.until("completed", number)
    assert row.result_summary == f"by {worker.pid}"
    assert await site.count_told(number, "result") == 1


async def test_p3_a_killed_workers_promise_is_taken_over_and_told_once(site: Site) -> None:
    first = await site.start()
    number = await site.make("hang first")
    await site.until("in_progress", number, f"pid {first.pid}")
    first.kill()
    await first.wait()
    await site.start()
    row = await site.until("completed", number)
    assert (row.attempts, row.deaths, row.epoch) == (2, 1, 2)
    assert await site.count_told(number, "result") == 1


async def test_p3_a_workers_death_is_noticed_by_another_at_once(site: Site) -> None:
    """And not when the reconciler looks next; scripts/bench measures it."""
    both = {(await site.start(looks_every=LONG)).pid, (await site.start(looks_every=LONG)).pid}
    await _while_alive(site.workers[0], until=lambda: listeners(site.places.workers) == both)
    number = await site.make("hang first")
    holder = int((await site.until("in_progress", number, "pid")).progress.split()[1])
    dying = next(worker for worker in site.workers if worker.pid == holder)
    dying.kill()
    row = await site.until("completed", number)
    assert (row.deaths, row.epoch) == (1, 2)


async def test_p3_a_promise_that_kills_its_worker_three_times_fails(site: Site) -> None:
    number = await site.make("die")
    for _ in range(3):
        worker = await site.start()
        assert await asyncio.wait_for(worker.wait(), 2 * DEADLINE) == -signal.SIGKILL
    await site.start()
    row = await site.until("failed", number)
    assert (row.deaths, row.error_message) == (3, "Its worker died 3 times over it.")
    assert await site.count_told(number, "result") == 1


async def test_p3_a_worker_that_slept_past_its_lease_settles_nothing(site: Site) -> None:
    sleeper = await site.start(lease=1)
    number = await site.make("hang first")
    await site.until("in_progress", number, f"pid {sleeper.pid}")
    sleeper.send_signal(signal.SIGSTOP)
    await site.start(lease=1)
    row = await site.until("completed", number)
    sleeper.send_signal(signal.SIGCONT)
    assert (row.deaths, row.epoch) == (0, 2)
    sleeper.terminate()
    _, said = await asyncio.wait_for(sleeper.communicate(), DEADLINE)
    assert sleeper.returncode == 0, said
    assert await site.row(number) == row
    assert await site.count_told(number, "result") == 1


async def test_p5_running_work_is_cancelled(site: Site) -> None:
    """How soon is for scripts/bench."""
    await site.start(looks_every=LONG)
    number = await site.make("hang")
    await site.until("in_progress", number, "pid")
    await site.service.cancel(number, OWNER)
    row = await site.until("cancelled", number)
    assert row.error_message == "Cancelled by Olga."
    assert await site.count_told(number, "notice") == 1


async def test_p5_a_cancel_whose_ring_was_lost_is_heard_before_the_reconciler_looks(site: Site) -> None:
    await site.start(looks_every=LONG)
    number = await site.make("hang")
    await site.until("in_progress", number, "pid")
    deaf = Promises(site.database, replace(site.rings, workers=site.folder / "nowhere"), SystemClock())
    await deaf.cancel(number, OWNER)
    assert (await site.until("cancelled", number)).error_message == "Cancelled by Olga."


async def test_p3_work_longer_than_its_lease_stays_with_its_worker(site: Site) -> None:
    await site.start(lease=0.3)
    number = await site.make("hang")
    before = await site.until("in_progress", number, "pid")
    async with asyncio.timeout(DEADLINE):
        while (await site.row(number)).lease_until < before.lease_until + 1:
            await site.make("quick")
    assert ((row := await site.row(number)).status, row.epoch) == ("in_progress", 1)


async def test_s2_a_stopped_worker_leaves_its_work_to_the_next(site: Site) -> None:
    worker = await site.start()
    number = await site.make("hang first")
    await site.until("in_progress", number, f"pid {worker.pid}")
    worker.terminate()
    assert await asyncio.wait_for(worker.wait(), DEADLINE) == 0
    row = await site.row(number)
    assert (row.status, row.attempts, row.deaths, row.owner) == ("pending", 0, 0, None)


async def test_s2_work_that_does_not_stop_cannot_hold_its_worker(site: Site) -> None:
    worker = await site.start()
    number = await site.make("stubborn")
    await site.until("in_progress", number, f"pid {worker.pid}")
    worker.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(worker.wait(), DEADLINE) == 0


async def test_p2_more_promises_than_threads_are_all_kept_once(site: Site) -> None:
    await site.start()
    await site.start()
    numbers = await asyncio.gather(*(site.make("quick") for _ in range(30)))
    for number in numbers:
        row = await site.until("completed", number)
        assert (row.attempts, await site.count_told(number, "result")) == (1, 1)


async def test_a_database_out_of_order_does_not_end_a_worker(site: Site) -> None:
    worker = await site.start()
    number = await site.make("hang")
    await site.until("in_progress", number, "pid")
    await site.run_sql("ALTER TABLE promises RENAME TO away")
    site.rings.call_keepers()
    assert worker.stdout is not None
    async with asyncio.timeout(DEADLINE):
        while b"the database failed" not in await worker.stdout.readline():
            pass
    await site.run_sql("ALTER TABLE away RENAME TO promises")
    await site.service.cancel(number, OWNER)
    await site.until("cancelled", number)


async def test_a_part_that_fails_ends_the_worker_with_its_error(site: Site) -> None:
    await site.make("quick")
    await site.run_sql("UPDATE promises SET status = 'in_progress', owner = 'nobody', lease_until = 0")
    worker = await site.start()
    _, said = await asyncio.wait_for(worker.communicate(), 2 * DEADLINE)
    assert worker.returncode == 1
    assert b"ValueError" in said


async def test_s1_a_worker_waits_for_the_tables_and_says_when_none_come(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        worker = await site.start(patience=0.2)
        _, said = await asyncio.wait_for(worker.communicate(), 2 * DEADLINE)
        assert worker.returncode == 1
        assert b"system.db has no tables yet" in said


async def test_s2_a_worker_that_waits_for_the_tables_can_be_stopped(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        worker = await site.start(patience=60)
        await _while_alive(worker, until=(tmp_path / "system.db").exists)
        worker.terminate()
        assert await asyncio.wait_for(worker.wait(), DEADLINE) == 0


async def test_s1_the_consumer_script_runs_on_settings_alone(folder: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "VALOR_HOME": str(folder)}
    consumer = await asyncio.create_subprocess_exec(sys.executable, str(SCRIPT), env=environment, stderr=PIPE)
    log = folder / "logs" / "huey.log"
    await _while_alive(consumer, until=lambda: log.exists() and "worker ready" in log.read_text())
    consumer.terminate()
    _, said = await asyncio.wait_for(consumer.communicate(), DEADLINE)
    assert (consumer.returncode, said) == (0, b"")
    assert "worker leaves" in log.read_text()


async def test_s5_the_consumer_script_says_which_setting_is_wrong(folder: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "VALOR_HOME": str(folder), "WORKER_JOBS": "none"}
    consumer = await asyncio.create_subprocess_exec(sys.executable, str(SCRIPT), env=environment, stderr=PIPE)
    _, said = await asyncio.wait_for(consumer.communicate(), 2 * DEADLINE)
    assert consumer.returncode == 1
    assert said.startswith(b"WORKER_JOBS")


async def test_work_is_loaded_at_the_first_promise_and_once(stage: Stage) -> None:
    loaded: list[ScriptedWork] = []

    def load() -> ScriptedWork:
        loaded.append(ScriptedWork())
        for _ in range(2):
            loaded[-1].ends.put_nowait(Outcome("done"))
        return loaded[-1]

    keeper = stage.keeper()
    keeper._work = LazyWork(load)
    numbers = [await stage.make(), await stage.make()]
    assert loaded == []
    await asyncio.gather(*(keep_with(keeper, number) for number in numbers))
    assert len(loaded) == 1
    assert [(await stage.row(number)).status for number in numbers] == ["completed"] * 2


async def _while_alive(process: asyncio.subprocess.Process, until: Callable[[], bool]) -> None:
    """Wait for a file to say so; the process must not end before."""
    ended = asyncio.create_task(process.wait())
    async with asyncio.timeout(2 * DEADLINE):
        while not until():
            await asyncio.wait({ended}, timeout=0.02)
            assert not ended.done()
    ended.cancel()
