"""How long work stands still when the process that does it is ended by `kill -9` in the middle of a model call."""

from __future__ import annotations

import json
import secrets
import time
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path

from core.protocols import PromiseOrder
from scripts.benchmarks.keys import quantile
from scripts.benchmarks.ledger_speed import Ground, asker_in, open_ground
from scripts.benchmarks.other_worker import LOG
from scripts.benchmarks.processes import Product, Side, beside, end, running
from scripts.benchmarks.service import is_ready, warm_caches
from scripts.benchmarks.stage import Stage, furnish, open_stage, reach
from tests.acceptance.installation import until

PATIENCE = 60.0


class Deaths:
    """One worker's installation, in which promises are left hanging."""

    def __init__(self, product: Product, ground: Ground, model: Side) -> None:
        self.product = product
        self._ground = ground
        self._model = model

    async def kill_in_a_call(self) -> tuple[int, float]:
        """Have a promise begun and its worker ended in the model call; its number, and when (by the wall clock)."""
        order = PromiseOrder(f"HANG-{secrets.token_hex(4)}")
        promise = await self._ground.promises().make(order, asker_in(0), None)
        await self._model.hear_fact("hangs")
        killed = time.time()
        await self.product.kill(self.product.worker)
        return promise.id, killed

    async def claimed(self, log: str, promise_id: int, after: float) -> float:
        """When the promise was claimed after that moment, by the log of a worker."""
        path = self.product.home / "logs" / log
        return await until(lambda: find_claim(path, promise_id, after), PATIENCE)


def find_claim(log: Path, promise_id: int, after: float) -> float | None:
    lines = log.read_text().splitlines() if log.exists() else []
    facts = (json.loads(line) for line in lines if '"promise claimed"' in line)
    times = (datetime.fromisoformat(fact["time"]).timestamp() for fact in facts if fact["promise"] == promise_id)
    return next((at for at in times if at > after), None)


async def measure_workers(folder: Path, samples: int) -> dict[str, float]:
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(beside("model_process"))
        product = Product(furnish(folder / "home", await reach(model), []))
        ground = await stack.enter_async_context(open_ground(product.home))
        await stack.enter_async_context(running(product))
        await product.start_worker()
        deaths = Deaths(product, ground, model)
        cold = [await _recover_alone(deaths) for _ in range(samples)]
        beside_it = [await _recover_beside(deaths) for _ in range(samples)]
    return {"recovery_worker_cold_s": quantile(cold, 0.5), "recovery_worker_s_p50": quantile(beside_it, 0.5)}


async def _recover_alone(deaths: Deaths) -> float:
    number, killed = await deaths.kill_in_a_call()
    await deaths.product.start_worker()
    return await deaths.claimed("huey.log", number, killed) - killed


async def _recover_beside(deaths: Deaths) -> float:
    other = await deaths.product.start("scripts.benchmarks.other_worker", LOG)
    try:
        number, killed = await deaths.kill_in_a_call()
        seconds = await deaths.claimed(LOG, number, killed) - killed
    finally:
        await end(other, politely=True)
    await deaths.product.start_worker()
    return seconds


async def measure_server(folder: Path, samples: int) -> dict[str, float]:
    async with open_stage(folder) as stage:
        await warm_caches(stage.product)
        await stage.product.start_server()
        await stage.product.until_health(is_ready)
        taken = [await _recover_server(stage) for _ in range(samples)]
    return {"recovery_server_s": quantile(taken, 0.5)}


async def _recover_server(stage: Stage) -> float:
    asked = stage.world.say(stage.crowd[0], stage.valor, f"HANG-{secrets.token_hex(4)}")
    await stage.model.hear_fact("hangs")
    killed = time.perf_counter()
    await stage.product.kill(stage.product.server)
    await stage.product.start_server()
    answer = await stage.world.answer_to(asked, PATIENCE)
    return answer.tick - killed
