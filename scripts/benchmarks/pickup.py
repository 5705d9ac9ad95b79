"""How soon an idle worker takes a promise.

From: the moment after the COMMIT that made the promise, taken in the writer's thread of this process (the database's
own edge). To: the line "promise claimed" in the worker's log, written after the claim's COMMIT; its time is of the same
wall clock in microseconds. Between the claim's commit and that line lie a hop to the worker's loop and a task's start,
under 0.1 ms, which are counted as pick-up.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path

from core.doorbell import Doorbell
from core.protocols import PromiseOrder
from promises.worker import Places
from scripts.benchmarks.keys import quantile
from scripts.benchmarks.ledger_speed import Ground, asker_in, open_ground
from scripts.benchmarks.processes import Product, beside, running
from scripts.benchmarks.procfs import cpu_seconds_exactly
from scripts.benchmarks.stage import furnish, reach

WARM_UP = 5
IDLE_SECONDS = 0.02
PATIENCE = 30.0


class Commits:
    """An edge of the database that notes when promises were committed (seconds of the wall clock)."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def __call__(self, point: str, /) -> None:
        if point == "promise-make:after-commit":
            self.times.append(time.time())


async def measure_pickup(folder: Path, samples: int, idle: float) -> dict[str, float]:
    """`samples` promises, each made when the worker is idle; then `idle` seconds of nothing."""
    commits = Commits()
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(beside("model_process"))
        product = Product(furnish(folder / "home", await reach(model)))
        ground = await stack.enter_async_context(open_ground(product.home, commits))
        await stack.enter_async_context(running(product))
        await product.start_worker()
        made = await _keep_all(ground, samples + WARM_UP)
        waited = [claimed - commits.times[at] for at, claimed in enumerate(read_claims(product, made))]
        share = await _idle_share(product, idle)
    taken = [seconds * 1000 for seconds in waited[WARM_UP:]]
    return {
        "pickup_idle_ms_p50": quantile(taken, 0.5),
        "pickup_idle_ms_p99": quantile(taken, 0.99),
        "worker_idle_cpu_pct": share * 100,
    }


async def _keep_all(ground: Ground, number: int) -> list[int]:
    """Make promises one by one, each after the one before is settled and the worker at rest; their numbers."""
    promises, made = ground.promises(), list[int]()
    doorbell = Doorbell(Places(ground.folder / "huey.db", ground.folder / "data").server)
    try:
        for _ in range(number):
            made.append((await promises.make(PromiseOrder("Count the files"), asker_in(0), None)).id)
            await _settled(ground, doorbell, made[-1])
            await asyncio.sleep(IDLE_SECONDS)
    finally:
        doorbell.close()
    return made


async def _settled(ground: Ground, doorbell: Doorbell, number: int) -> None:
    from promises import store

    async with asyncio.timeout(PATIENCE):
        while True:
            await doorbell.rung.wait()
            doorbell.rung.clear()
            found = await ground.database.read(lambda connection: store.find(connection, number))
            if found is not None and found.status.is_settled:
                return


def read_claims(product: Product, made: list[int]) -> list[float]:
    """When each promise was claimed first, by the worker's log (seconds of the wall clock)."""
    claims: dict[int, float] = {}
    for line in product.worker_log():
        if '"promise claimed"' in line:
            fact = json.loads(line)
            claims.setdefault(fact["promise"], datetime.fromisoformat(fact["time"]).timestamp())
    return [claims[number] for number in made]


async def _idle_share(product: Product, seconds: float) -> float:
    assert product.worker is not None
    await asyncio.sleep(1)
    before, began = cpu_seconds_exactly(product.worker.pid), time.perf_counter()
    await asyncio.sleep(seconds)
    return (cpu_seconds_exactly(product.worker.pid) - before) / (time.perf_counter() - began)
