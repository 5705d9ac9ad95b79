"""What the tests of promises share: a real database, people who ask, work whose end the test decides."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import select, text

from core.access import Role
from core.clock import Clock, FakeClock
from core.database import Database, sqlite_url
from core.doorbell import Doorbell
from core.message import Chat
from core.migrate import migrate
from core.protocols import Asker, Call, Progress, PromiseOrder
from core.schema import deliveries, promises
from promises.keeper import Keeper, Outcome, Terms
from promises.promise import Promise, Retry
from promises.reconciler import Reconciler
from promises.rings import Rings
from promises.service import Promises
from runtime.accounts import IS_OURS
from runtime.store import Run, Step, StepStatus, write_step

CHAT = Chat("local", "page")
OWNER = Asker(CHAT, 5, 1, "Olga", Role.OWNER, "psy")
MEMBER = replace(OWNER, message_id=6, person_id=2, name="Max", role=Role.MEMBER)
GUEST = replace(OWNER, message_id=7, person_id=3, name="Gus", role=Role.GUEST)
STRANGER = replace(OWNER, workspace="flex")
DEADLINE = 30  # with other work on the machine


class SilentBell:
    """A Bell that only counts; `stuck` rings wait in it (None: unknown), and a hand is free for what `is_taken`."""

    def __init__(self) -> None:
        self.is_taken: Callable[[int], bool] = set[int]().__contains__
        self.rung: list[int] = []
        self.stuck: int | None = 0

    def offer(self, promise_id: int, priority: int = 0) -> bool:
        return self.is_taken(promise_id)

    def ring(self, promise_id: int, priority: int = 0) -> None:
        self.rung.append(promise_id)

    def waiting(self) -> int | None:
        return self.stuck


class ScriptedWork:
    """Work that does what the test says: each run waits for `ends`, and raises what is an error."""

    def __init__(self) -> None:
        self.ends: asyncio.Queue[Outcome | BaseException] = asyncio.Queue()
        self.begun: asyncio.Queue[Promise] = asyncio.Queue()
        self.stopped: list[int] = []
        self.progress: Progress | None = None
        self.is_ours: Callable[[], bool] = bool

    async def __call__(self, promise: Promise, progress: Progress) -> Outcome:
        self.progress, self.is_ours = progress, IS_OURS.get()
        self.begun.put_nowait(promise)
        try:
            end = await self.ends.get()
        except asyncio.CancelledError:
            self.stopped.append(promise.id)
            raise
        if isinstance(end, BaseException):
            raise end
        return end


@dataclass
class Stage:
    """One database and everything that acts on it."""

    folder: Path
    database: Database
    clock: Clock
    doorbell: Doorbell
    bell: SilentBell = field(default_factory=SilentBell)
    work: ScriptedWork = field(default_factory=ScriptedWork)

    @property
    def time(self) -> FakeClock:
        assert isinstance(self.clock, FakeClock)
        return self.clock

    @property
    def rings(self) -> Rings:
        return Rings(self.bell, self.folder / "workers", self.folder / "server")

    @property
    def service(self) -> Promises:
        return Promises(self.database, self.rings, self.clock)

    def keeper(self, owner: str = "boot/ns/1/1.00", work: ScriptedWork | None = None, **terms: Any) -> Keeper:
        given = Terms(owner, self.clock, Retry(jitter=0), chance=random.Random(1), **terms)
        return Keeper(self.database, work or self.work, self.rings, given)

    @property
    def reconciler(self) -> Reconciler:
        return Reconciler(self.database, self.rings, self.clock)

    async def make(self, description: str = "count the files", asker: Asker = OWNER, **order: Any) -> int:
        by = order.pop("call", None)
        view = await self.service.make(PromiseOrder(description, **order), asker, by)
        return view.id

    async def row(self, promise_id: int) -> Any:
        query = select(promises).where(promises.c.id == promise_id)
        return await self.database.read(lambda connection: connection.execute(query).one())

    async def told(self, *kinds: str) -> list[Any]:
        query = select(deliveries).order_by(deliveries.c.id)
        if kinds:
            query = query.where(deliveries.c.kind.in_(kinds))
        return await self.database.read(lambda connection: list(connection.execute(query)))

    async def write_steps(self, promise_id: int, *done: tuple[str, str, Sequence[Mapping[str, object]]]) -> None:
        """Steps of the promise's run: (status, tool, evidence) each."""
        row = await self.row(promise_id)
        run = Run(row.run_id, "tester", "psy", promise_id=promise_id, epoch=row.epoch)
        now = self.clock.now()
        for n, (status, tool, evidence) in enumerate(done):
            step = Step(f"call_{n}", "tool", tool, StepStatus(status), {}, evidence=tuple(evidence))
            await self.database.write("test", lambda connection, step=step: write_step(connection, run, step, now))

    async def run_sql(self, statement: str) -> None:
        await self.database.write("test", lambda connection: connection.execute(text(statement)))

    async def until(self, is_so: Callable[[Any], bool], promise_id: int) -> Any:
        """Wait until the promise's row is so, looking at each ring that tells the server of news."""
        async with asyncio.timeout(DEADLINE):
            while True:
                await self.doorbell.rung.wait()
                self.doorbell.rung.clear()
                if is_so(row := await self.row(promise_id)):
                    return row

    async def keep(self, promise_id: int, end: Outcome | BaseException) -> Any:
        """Let a keeper of its own run the promise to this end; the row after it."""
        work = ScriptedWork()
        work.ends.put_nowait(end)
        async with asyncio.timeout(DEADLINE):
            await keep_with(self.keeper("boot/ns/9/1.00", work), promise_id)
        return await self.row(promise_id)

    async def begin(self, promise_id: int, keeper: Keeper) -> asyncio.Task[None]:
        """A keeper at work on the promise, in the middle."""
        keeping = asyncio.create_task(keep_with(keeper, promise_id))
        async with asyncio.timeout(DEADLINE):
            await self.work.begun.get()
        return keeping


async def keep_with(keeper: Keeper, promise_id: int) -> None:
    """What a worker does when it is rung: nothing when the promise is not there to take."""
    promise = await asyncio.to_thread(keeper.take, promise_id)
    if promise is not None:
        await keeper.keep(promise)


def call(name: str = "call_1", **ids: Any) -> Call:
    return Call("run_t", name, **ids)


@asynccontextmanager
async def open_stage(folder: Path, clock: Clock | None = None) -> AsyncGenerator[Stage]:
    """A stage in `folder`, whose `system.db` is current already."""
    database = Database(sqlite_url(folder / "system.db"))
    doorbell = Doorbell(folder / "server")
    try:
        yield Stage(folder, database, clock or FakeClock(), doorbell)
    finally:
        doorbell.close()
        await database.close()


async def write_current(folder: Path) -> Path:
    """An empty database of this program's version."""
    path = folder / "system.db"
    database = Database(sqlite_url(path))
    await migrate(database)
    await database.close()
    return path
