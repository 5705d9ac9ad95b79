"""One message at a time, seen by the person's own client: the first sign, the answer, and what the road alone costs."""

from __future__ import annotations

import time
from dataclasses import dataclass

from scripts.benchmarks.keys import quantile
from scripts.benchmarks.stage import Stage
from tests.world.telegram import Person
from tests.world.telegram.players import Heard, Player

WARM_UP = 10
EYES, DONE = "👀", "👍"


@dataclass(frozen=True, slots=True)
class Sample:
    """Milliseconds from just before the message is sent."""

    sign: float
    answer: float


async def measure_road(stage: Stage, samples: int) -> dict[str, float]:
    async with stage.world.player(stage.crowd[0]) as player:
        echoes = [await _echo(player, stage.echo, number) for number in range(WARM_UP + samples)][WARM_UP:]
        seen = [await _ask(player, stage.valor, number) for number in range(WARM_UP + samples)][WARM_UP:]
    cost = quantile(echoes, 0.5)
    return {
        "echo_ms_p50": cost,
        "echo_ms_p95": quantile(echoes, 0.95),
        **_describe("first_sign", [sample.sign for sample in seen], cost),
        **_describe("answer", [sample.answer for sample in seen], cost),
    }


def _describe(name: str, values: list[float], cost: float) -> dict[str, float]:
    shares = {"p50": quantile(values, 0.5), "p95": quantile(values, 0.95)}
    seen = {f"{name}_seen_ms_{share}": value for share, value in shares.items()}
    return seen | {f"{name}_ms_{share}": max(value - cost, 0.0) for share, value in shares.items()}


async def _echo(player: Player, echo: Person, number: int) -> float:
    player.heard.clear()
    began = time.perf_counter()
    asked = await player.say(echo, f"Echo number {number}")
    heard = await player.hear(lambda one: one.kind == "message" and one.reply_to == asked)
    return (heard.tick - began) * 1000


async def _ask(player: Player, valor: Person, number: int) -> Sample:
    """One turn, to its last sign, so that the next finds the product idle."""
    player.heard.clear()
    began = time.perf_counter()
    asked = await player.say(valor, f"Question number {number}")
    answer = await player.hear(lambda one: one.kind == "message" and one.reply_to == asked)
    await player.hear(lambda one: _is_sign(one, asked, DONE))
    sign = await player.hear(lambda one: _is_sign(one, asked, EYES))
    return Sample((sign.tick - began) * 1000, (answer.tick - began) * 1000)


def _is_sign(heard: Heard, asked: int, emoji: str) -> bool:
    return heard.kind == "reaction" and heard.message_id == asked and heard.text == emoji
