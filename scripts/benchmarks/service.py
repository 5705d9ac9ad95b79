"""The start of the product, its memory, and the first request of its first turn."""

from __future__ import annotations

from scripts.benchmarks.processes import Health, Product
from scripts.benchmarks.stage import Stage
from tests.acceptance.script_model import do, promise

BYTES_PER_TOKEN = 4


def is_up(_health: Health) -> bool:
    return True


def is_ready(health: Health) -> bool:
    """The nonce has come back over Telegram."""
    ping = health["components"].get("self-ping", {})
    return ping.get("status") == "healthy" and "account" in ping["sentence"]


async def warm_caches(product: Product) -> None:
    """A start that is not measured: tables made, bytecode and files in memory."""
    await product.start_server()
    await product.until_health(is_ready)
    await product.start_worker()
    await product.stop()


async def measure_start(product: Product) -> dict[str, float]:
    """Start the worker, then the server; both run afterwards."""
    await product.start_worker()
    began = await product.start_server()
    up = await product.until_health(is_up)
    cold = product.pss_mb()
    ready = await product.until_health(is_ready)
    return {"health_s": up - began, "ready_s": ready - began, "pss_cold_mb": cold}


async def measure_first(stage: Stage) -> dict[str, float]:
    """The first DM and the first promise of the running product."""
    world, asker = stage.world, stage.crowd[-1]
    await world.answer_to(world.say(asker, stage.valor, "Hello, are you there?"), 30)
    size = await stage.model.hear_fact("bytes")
    asked = world.say(asker, stage.valor, promise(do(say="All counted.")))
    await world.until(lambda: any("All counted." in one.text for one in world.answers_to(asked)), 30)
    return {
        "pss_warm_mb": stage.product.pss_mb(),
        "first_request_bytes": size,
        "first_request_tokens": size / BYTES_PER_TOKEN,
    }
