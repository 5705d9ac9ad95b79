"""How long it takes to read what was said while Telegram could not be reached, and how much memory that needs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from scripts.benchmarks.processes import PATIENCE, Product
from scripts.benchmarks.service import is_ready, warm_caches
from scripts.benchmarks.stage import Stage, open_stage
from tests.acceptance.installation import until
from tests.world.telegram import SentMessage

PEOPLE, GROUPS = 50, 50
LOOK = 0.05
ARE_THERE = "SELECT COUNT(*) >= ? FROM messages"
ARE_ANSWERED = """
    SELECT NOT EXISTS (SELECT 1 FROM turns WHERE status IN ('open', 'running'))
    AND NOT EXISTS (SELECT 1 FROM deliveries WHERE status <> 'sent')
"""
SILENCE = "Lunch is at {number} o'clock, and nobody has to answer that."


async def measure_return(folder: Path, each: int) -> dict[str, float]:
    """Half of the chats are DMs, where all that was missed gets one answer; in the groups nobody is asked."""
    async with open_stage(folder, PEOPLE, GROUPS) as stage:
        await warm_caches(stage.product)
        await stage.product.start_server()
        await stage.product.until_health(is_ready)
        last = _speak(stage, 1)
        await asyncio.gather(*(stage.world.answer_to(message, PATIENCE) for message in last))
        return await _return(stage, each)


async def _return(stage: Stage, each: int) -> dict[str, float]:
    product, known = stage.product, stage.product.installation.value("SELECT COUNT(*) FROM messages")
    before = product.pss_mb()
    await stage.world.go_down()
    last = _speak(stage, each)
    wanted = known + each * (PEOPLE + GROUPS)
    async with _highest(product) as peak:
        await stage.world.come_back()
        began = time.perf_counter()
        await until(lambda: product.installation.value(ARE_THERE, wanted), PATIENCE)
        read = time.perf_counter() - began
        await until(lambda: product.installation.value(ARE_ANSWERED), PATIENCE)
        answered = time.perf_counter() - began
    _check_answers(stage, last)
    return {
        "catchup_10k_s": read,
        "catchup_10k_answered_s": answered,
        "catchup_10k_pss_ratio": max(peak) / before,
    }


def _speak(stage: Stage, each: int) -> list[SentMessage]:
    """So many messages in every chat; the last one of each person."""
    world, last = stage.world, list[SentMessage]()
    for number in range(each):
        last = [world.say(person, stage.valor, f"Question {number}") for person in stage.crowd]
        for group in stage.groups:
            world.say(stage.crowd[0], group, SILENCE.format(number=number))
    return last


def _check_answers(stage: Stage, asked: list[SentMessage]) -> None:
    """Each is in an answer in its chat, though not always by itself: a turn under way takes up what comes (B5)."""
    for message in asked:
        said = stage.world.messages(message.chat, stage.valor)
        if not any(answer.text.endswith(message.text) for answer in said):
            raise RuntimeError(f"{message.text!r} of {message.sender.first_name} was never answered")


@asynccontextmanager
async def _highest(product: Product) -> AsyncGenerator[list[float]]:
    """The memory of all processes of the product, looked at again and again until the block ends."""
    seen = [product.pss_mb()]

    async def look() -> None:
        while True:
            seen.append(await asyncio.to_thread(product.pss_mb))
            await asyncio.sleep(LOOK)

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()
