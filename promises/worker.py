"""The worker process: one event loop that keeps promises, and Huey's threads that hand it their numbers."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from core.clock import SystemClock
from core.database import Database
from core.doorbell import Doorbell, own_bell
from core.edges import Edge, no_edge
from core.errors import DatabaseError
from core.migrate import wait_until_current
from core.owner import Owner
from core.protocols import Progress
from promises.bell import HueyBell
from promises.keeper import Keeper, Outcome, Terms, Work
from promises.peers import Peers
from promises.promise import Promise, Retry
from promises.reconciler import Reconciler
from promises.rings import Rings
from promises.watchdog import Watchdog, end_process

HEAR_SECONDS = 0.5  # a cancel whose ring was lost is heard so soon
REVIVE_SECONDS = 10.0
RELEASE_SECONDS = 3.0  # after a stop was asked for, work under way has so long to end
LAST_SECONDS = 4.5  # then the process ends whatever still runs
Load = Callable[[Database], Work]
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Places:
    """Where the bells of an installation are. In the two folders each worker has a socket of its own."""

    queue: Path  # huey.db
    data: Path  # the folder of the sockets
    edge: Edge = no_edge

    @property
    def pickup(self) -> Path:
        return self.data / "bells" / "pickup"

    @property
    def workers(self) -> Path:
        return self.data / "bells" / "workers"

    @property
    def server(self) -> Path:
        return self.data / "server.bell"

    def open_rings(self) -> tuple[HueyBell, Rings]:
        """The bell of this process, and everyone it can ring for."""
        bell = HueyBell(self.queue, self.pickup)
        return bell, Rings(bell, self.workers, self.server, self.edge)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a worker needs to know. Times are in seconds."""

    database: str
    places: Places
    jobs: int = 16
    lease: float = 30.0
    retry: Retry = field(default_factory=Retry)
    patience: float = 60.0  # for the server to bring the tables up to date


class LazyWork:
    """Work that is loaded, in a thread, when the first promise comes: an idle worker is small."""

    def __init__(self, load: Callable[[], Work]) -> None:
        self._load = load
        self._loaded: Work | None = None
        self._lock = asyncio.Lock()

    async def __call__(self, promise: Promise, progress: Progress) -> Outcome:
        async with self._lock:
            if self._loaded is None:
                self._loaded = await asyncio.to_thread(self._load)
        return await self._loaded(promise, progress)


class Worker:
    """Keeps promises until it is told to stop. `load` gives the work, called at the first promise."""

    def __init__(self, plan: Plan, load: Load) -> None:
        self._plan = plan
        self._clock = SystemClock()
        self._stop = asyncio.Event()
        self._database = Database(plan.database, plan.places.edge)
        self._bell, rings = plan.places.open_rings()
        self._rings = rings
        terms = Terms(str(Owner.this_process()), self._clock, plan.retry, plan.lease)
        self._keeper = Keeper(self._database, LazyWork(lambda: load(self._database)), rings, terms)
        self._reconciler = Reconciler(self._database, rings, self._clock, plan.lease)
        self._peers = Peers(plan.places.workers, self._reconciler.nudge)

    async def run(self) -> None:
        """Until SIGTERM or SIGINT. Raises DatabaseError when no server brings the tables up to date."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        watchdog = Watchdog(end_process)
        watchdog.start(loop)
        try:
            if await self._until_stopped([wait_until_current(self._database, self._clock, self._plan.patience)]):
                await self._consume(loop)
        finally:
            watchdog.stop()
            await self._database.close()

    async def _consume(self, loop: asyncio.AbstractEventLoop) -> None:
        doorbell = Doorbell(own_bell(self._plan.places.workers))
        self._peers.look()
        self._rings.call_keepers()  # so that the others watch over this one
        self._bell.consume(lambda promise_id: self._keep(promise_id, loop), self._plan.jobs)
        log.info("worker ready", jobs=self._plan.jobs, pid=os.getpid())
        try:
            await self._until_stopped([self._listen(doorbell), self._reconciler.run(), *self._chores()])
        finally:
            self._peers.close()
            await self._leave()
            doorbell.close()

    def _keep(self, promise_id: int, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread of Huey's."""
        promise = self._keeper.take(promise_id)
        if promise is not None:
            _hand_over(self._keeper.keep(promise), loop)

    async def _until_stopped(self, parts: list[Awaitable[None]]) -> bool:
        """Run all parts until the first ends (True) or a stop is asked for (False); a part's error is raised."""
        stop = asyncio.ensure_future(self._stop.wait())
        tasks = [asyncio.ensure_future(part) for part in parts]
        done, _ = await asyncio.wait({stop, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        for task in (stop, *tasks):
            task.cancel()
        await asyncio.gather(stop, *tasks, return_exceptions=True)
        for task in done & set(tasks):
            task.result()
        return stop not in done

    async def _listen(self, doorbell: Doorbell) -> None:
        while True:
            await doorbell.rung.wait()
            doorbell.rung.clear()
            self._peers.look()
            self._reconciler.nudge()
            await _despite_the_database(self._keeper.hear)

    def _chores(self) -> list[Awaitable[None]]:
        return [
            self._repeat(HEAR_SECONDS, self._keeper.hear),
            self._repeat(self._plan.lease / 3, self._keeper.renew),
            self._repeat(REVIVE_SECONDS, self._revive),
        ]

    async def _repeat(self, seconds: float, act: Callable[[], Awaitable[None]]) -> None:
        """Do it again and again, but only while there is work."""
        while True:
            await self._keeper.busy.wait()
            await self._clock.sleep(seconds)
            await _despite_the_database(act)

    async def _revive(self) -> None:
        await asyncio.to_thread(self._bell.revive)

    async def _leave(self) -> None:
        """Hear nothing more and leave the work under way to others, soon."""
        last = threading.Timer(LAST_SECONDS, os._exit, (0,))
        last.daemon = True
        last.start()
        await asyncio.to_thread(self._bell.close)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._keeper.release_all()
        log.info("worker leaves")


def run_worker(plan: Plan, load: Load) -> None:
    """The worker process, from start to end."""

    async def work() -> None:
        await Worker(plan, load).run()

    asyncio.run(work())


def _hand_over(keeping: Awaitable[None], loop: asyncio.AbstractEventLoop) -> None:
    """Let the loop do it, and wait."""

    async def keep() -> None:
        await keeping

    with contextlib.suppress(concurrent.futures.CancelledError):
        asyncio.run_coroutine_threadsafe(keep(), loop).result()


async def _despite_the_database(act: Callable[[], Awaitable[None]]) -> None:
    try:
        await act()
    except DatabaseError as error:
        log.warning("the database failed; the next time may go better", error=str(error))
