"""How long work stands still when the process that does it is ended by `kill -9` in the middle of a model call."""

from __future__ import annotations

import json
import secrets
import time
from asyncio.subprocess import Process
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path

from core.owner import Owner
from core.protocols import PromiseOrder
from scripts.benchmarks.keys import quantile
from scripts.benchmarks.ledger_speed import Ground, asker_in, open_ground
from scripts.benchmarks.processes import WORKER_LOG, Product, Side, beside, running
from scripts.benchmarks.service import is_ready, warm_caches
from scripts.benchmarks.stage import Stage, furnish, open_stage, reach
from tests.acceptance.installation import until

PATIENCE = 60.0


class Deaths:
    """One installation with one worker, or for a while two, in which promises are left hanging."""

    def __init__(self, product: Product, ground: Ground, model: Side) -> None:
        self._product = product
        self._ground = ground
        self._model = model

    async def recover_alone(self) -> float:
        """Seconds until a worker that is started at once has claimed what the dead one had."""
        assert self._product.worker is not None
        number, killed = await self._kill_in_a_call([self._product.worker])
        await self._product.start_worker()
        return await self._claimed(number, killed) - killed

    async def recover_beside(self) -> float:
        """Seconds until another worker, which was there already, has claimed it."""
        assert self._product.worker is not None
        workers = [self._product.worker, await self._product.start_another()]
        number, killed = await self._kill_in_a_call(workers)
        self._product.worker = next(worker for worker in workers if worker.returncode is None)
        return await self._claimed(number, killed) - killed

    async def _kill_in_a_call(self, workers: list[Process]) -> tuple[int, float]:
        """Have a promise begun and its worker ended in the model call; its number, and when (by the wall clock)."""
        order = PromiseOrder(f"HANG-{secrets.token_hex(4)}")
        promise = await self._ground.promises().make(order, asker_in(0), None)
        await self._model.hear_fact("hangs")
        owner = Owner.parse(self._product.installation.value("SELECT owner FROM promises WHERE id = ?", promise.id))
        holder = next(worker for worker in workers if worker.pid == owner.pid)
        killed = time.time()
        await self._product.kill(holder)
        return promise.id, killed

    async def _claimed(self, promise_id: int, after: float) -> float:
        log = self._product.home / "logs" / WORKER_LOG
        return await until(lambda: find_claim(log, promise_id, after), PATIENCE)


def find_claim(log: Path, promise_id: int, after: float) -> float | None:
    """When the promise was claimed first after that moment, by the workers' log; None before it was."""
    lines = log.read_text().splitlines() if log.exists() else []
    facts = (json.loads(line) for line in lines if '"promise claimed"' in line)
    times = (datetime.fromisoformat(fact["time"]).timestamp() for fact in facts if fact["promise"] == promise_id)
    return next((at for at in times if at > after), None)


async def measure_workers(folder: Path, samples: int) -> dict[str, float]:
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(beside("model_process"))
        product = Product(furnish(folder / "home", await reach(model)))
        ground = await stack.enter_async_context(open_ground(product.home))
        await stack.enter_async_context(running(product))
        await product.start_worker()
        deaths = Deaths(product, ground, model)
        alone = [await deaths.recover_alone() for _ in range(samples)]
        beside_another = [await deaths.recover_beside() for _ in range(samples)]
    return {"recovery_worker_cold_s": quantile(alone, 0.5), "recovery_worker_s_p50": quantile(beside_another, 0.5)}


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
