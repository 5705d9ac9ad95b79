"""Promises through the stores alone: whole lives a second, and how long making one takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection

from conversations import delivery_store
from conversations.delivery import Shown
from core.access import Role
from core.clock import SystemClock
from core.database import Database, Edge, no_edge, sqlite_url
from core.message import Chat
from core.migrate import migrate
from core.protocols import Asker, PromiseOrder
from promises import lease_store, settle_store, wording
from promises.lease_store import Claim
from promises.promise import Ending, Promise, Status
from promises.rings import Bell
from promises.service import Promises
from promises.worker import Places
from scripts.benchmarks.keys import quantile
from scripts.benchmarks.stage import WORKSPACE

CHATS = 64
LEASE = 30.0


class MuteBell:
    """A bell that nobody hears: the ring is measured by itself."""

    def offer(self, promise_id: int, priority: int = 0) -> bool:
        """Nothing rings."""
        return True

    def ring(self, promise_id: int, priority: int = 0) -> None:
        """Never called: nothing has to wait."""

    def waiting(self) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Ground:
    """One fresh installation's database."""

    folder: Path
    database: Database
    clock: SystemClock

    def promises(self, bell: Bell | None = None) -> Promises:
        """With a bell given, that one; else the product's own."""
        places = Places(self.folder / "huey.db", self.folder / "data")
        real, rings = places.open_rings()
        return Promises(self.database, replace(rings, bell=bell or real), self.clock)


@asynccontextmanager
async def open_ground(folder: Path, edge: Edge = no_edge) -> AsyncGenerator[Ground]:
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    database = Database(sqlite_url(folder / "system.db"), edge)
    try:
        await migrate(database)
        yield Ground(folder, database, SystemClock())
    finally:
        await database.close()


def asker_in(chat: int) -> Asker:
    return Asker(Chat("local", f"chat {chat}"), 1, chat + 1, "Bench", Role.OWNER, WORKSPACE)


async def measure_lives(folder: Path, lives: int) -> dict[str, float]:
    """Each life: made with its acknowledgement, claimed, settled with its result, both rows marked as sent."""
    async with open_ground(folder) as ground:
        await _live_all(ground, CHATS)
        began = time.perf_counter()
        await _live_all(ground, lives)
        return {"promises_per_s": lives / (time.perf_counter() - began)}


async def _live_all(ground: Ground, lives: int) -> None:
    promises, numbers = ground.promises(MuteBell()), iter(range(lives))

    async def live_on(chat: int) -> None:
        for _ in numbers:
            await _live(ground, promises, asker_in(chat))

    await asyncio.gather(*(live_on(chat) for chat in range(CHATS)))


async def _live(ground: Ground, promises: Promises, asker: Asker) -> None:
    database, clock = ground.database, ground.clock
    view = await promises.make(PromiseOrder("Count the files"), asker, None)
    claim = Claim("bench", clock.boot() + LEASE)
    held = await database.write(
        "promise-claim", lambda connection: lease_store.claim(connection, view.id, claim, clock.now())
    )
    assert held is not None
    ending = Ending(Status.COMPLETED, result_summary="12", draft=wording.tell_completed(held, "12", ()))
    settled = await database.write(
        "promise-settle", lambda connection: settle_store.settle(connection, held, ending, clock.now())
    )
    assert settled is not None
    await database.write("sent", lambda connection: _send(connection, held, clock))


def _send(connection: Connection, promise: Promise, clock: SystemClock) -> None:
    for number, row in enumerate(delivery_store.owed_in(connection, promise.chat)):
        if row.promise_id == promise.id:
            delivery_store.mark_sent(connection, row, Shown(row.chat, promise.id * 10 + number), clock.now())


async def measure_making(folder: Path, samples: int) -> dict[str, float]:
    """One after the other, the product's own bell included; no worker takes time away."""
    async with open_ground(folder) as ground:
        promises, asker = ground.promises(), asker_in(0)
        taken: list[float] = []
        for _ in range(samples):
            began = time.perf_counter()
            await promises.make(PromiseOrder("Count the files"), asker, None)
            taken.append((time.perf_counter() - began) * 1000)
        return {"promise_create_ms_p99": quantile(taken, 0.99)}
