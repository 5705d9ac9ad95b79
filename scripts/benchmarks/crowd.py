"""Twenty people at once, each asking again as soon as the answer is in the chat."""

from __future__ import annotations

import asyncio
import time

from scripts.benchmarks.stage import Stage
from tests.world.telegram import Deed, Person

SECONDS = 300.0


class Crowd:
    """Follows the world's record: no clients here, so that the processor is left to the product."""

    def __init__(self, stage: Stage, turns: int) -> None:
        self._stage = stage
        self._left = turns
        self._open: dict[Person, int] = {}
        self._answered = 0

    async def run(self) -> float:
        """Ask until all turns are answered; how many answers a second there were."""
        ledger = self._stage.world.ledger
        seen, wanted, began = len(ledger.deeds), self._left, time.perf_counter()
        for person in self._stage.crowd:
            self._ask(person)
        async with asyncio.timeout(SECONDS):
            while self._answered < wanted:
                await ledger.until(lambda seen=seen: len(ledger.deeds) > seen, SECONDS)
                fresh, seen = ledger.deeds[seen:], len(ledger.deeds)
                for deed in fresh:
                    self._follow(deed)
        return wanted / (time.perf_counter() - began)

    def _ask(self, person: Person) -> None:
        if self._left:
            self._left -= 1
            said = self._stage.world.say(person, self._stage.valor, f"Question {self._left} of {person.username}")
            self._open[person] = said.number

    def _follow(self, deed: Deed) -> None:
        if deed.kind != "message" or deed.person is not self._stage.valor or deed.number is None:
            return
        asker = deed.chat.other(deed.person)
        if self._stage.world.ledger.message(deed.number).reply_to == self._open.get(asker):
            self._answered += 1
            self._ask(asker)


async def measure_crowd(stage: Stage, turns: int) -> dict[str, float]:
    await Crowd(stage, len(stage.crowd)).run()
    before = stage.product.cpu_seconds()
    speed = await Crowd(stage, turns).run()
    spent = stage.product.cpu_seconds() - before
    return {"turns_per_s_20": speed, "product_cpu_ms_per_turn": spent * 1000 / turns}
