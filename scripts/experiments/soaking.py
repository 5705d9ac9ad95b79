"""Twenty chats for a long time, with floods and lost connections; what it costs is measured from outside."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from statistics import median

from core.checks import LOOP
from scripts.benchmarks.procfs import pss_mb
from scripts.experiments.play import Play
from scripts.experiments.stand import Stand

CHATS = 20
SAMPLE_SECONDS = 5.0
TROUBLE_SECONDS = 10.0
LOOK_SECONDS = 300.0
WARM_UP = 0.2  # of the samples: what is loaded at first use is no growth
SEND, EDIT = "messages.sendMessage", "messages.editMessage"
MILLISECONDS = re.compile(r"(\d+) ms")


@dataclass(frozen=True, slots=True)
class Sample:
    """At `seconds` from the beginning: memory of all processes of the product (PSS), and how late the server's event
    loop was in 1 of 100 looks of the last minute; None before it says so."""

    seconds: float
    memory_mb: float
    lag_ms: float | None


@dataclass(slots=True)
class Soak:
    """One run and what was seen of it."""

    stand: Stand
    minutes: float
    note: Callable[[str], None]
    samples: list[Sample] = field(default_factory=list[Sample])
    troubles: Counter[str] = field(default_factory=Counter[str])
    began: float = field(default_factory=time.monotonic)

    @property
    def play(self) -> Play:
        return self.stand.play

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    @property
    def is_over(self) -> bool:
        return self.seconds > self.minutes * 60 or bool(self.play.tally.violations)

    async def run(self) -> None:
        """Until the time is over or something was found, with everything at rest now and then and in the end."""
        self.play.scene.people.crowd = CHATS
        async with asyncio.TaskGroup() as group:
            sampling = group.create_task(self._sample())
            while not self.is_over:
                self.play.scene.people.begin()
                await self._disturb(min(self.seconds + LOOK_SECONDS, self.minutes * 60))
                self.stand.world.faults.clear()
                await self.play.come_to_rest()
                self.note(f"{self.seconds:.0f} s: {len(self.play.scene.people.asked)} messages; {self.samples[-1:]}")
            sampling.cancel()

    async def _sample(self) -> None:
        while True:
            memory = await asyncio.to_thread(pss_mb, [life.pid for life in self.play.lives.living])
            lag = await asyncio.to_thread(read_lag, self.play.lives.installation.port)
            self.samples.append(Sample(self.seconds, memory, lag))
            await asyncio.sleep(SAMPLE_SECONDS)

    async def _disturb(self, until: float) -> None:
        """Let things go wrong, in turn by luck, until so many seconds have passed."""
        troubles = self._troubles()
        while self.seconds < until and not self.is_over:
            name = self.stand.chance.choice([*troubles, "telegram away"])
            self.troubles[name] += 1
            if name in troubles:
                troubles[name]()
            else:
                await self._go_away()
            await asyncio.sleep(min(TROUBLE_SECONDS, max(until - self.seconds, 0)))

    def _troubles(self) -> dict[str, Callable[[], object]]:
        faults, valor = self.stand.world.faults, self.stand.valor
        return {
            "flood of sends": lambda: faults.flood_wait(2, valor, SEND, times=2),
            "flood of edits": lambda: faults.flood_wait(2, valor, EDIT, times=2),
            "slow answers": lambda: faults.slow(0.5, valor, SEND, times=5),
            "lost answer": lambda: faults.lose_answer(valor, SEND),
            "silence": lambda: faults.lose_answer(valor, SEND, cut=False),
            "cut connection": lambda: faults.cut_before(valor, SEND),
            "doubled updates": lambda: faults.double_updates(valor, 5),
            "dropped updates": lambda: faults.drop_updates(valor, 2),
        }

    async def _go_away(self) -> None:
        await self.stand.world.go_down()
        await asyncio.sleep(0.5)
        await self.stand.world.come_back()


def read_lag(port: int) -> float | None:
    """What the server says of its event loop, in milliseconds; None while it says nothing."""
    connection = HTTPConnection("127.0.0.1", port, timeout=SAMPLE_SECONDS)
    try:
        connection.request("GET", "/health")
        component = json.load(connection.getresponse())["components"].get(LOOP)
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
    found = MILLISECONDS.search(component["sentence"]) if component else None
    return float(found[1]) if found else None


def growth(samples: list[Sample]) -> float:
    """By which share memory has grown from the first to the last third of the time after the warm-up (medians)."""
    memory = [sample.memory_mb for sample in samples[int(len(samples) * WARM_UP) :]]
    third = max(len(memory) // 3, 1)
    return median(memory[-third:]) / median(memory[:third]) - 1 if memory else 0.0


def worst_lag(samples: list[Sample]) -> float:
    """The worst minute's, in milliseconds, the warm-up left out."""
    return max((sample.lag_ms or 0.0 for sample in samples[int(len(samples) * WARM_UP) :]), default=0.0)


def usual_lag(samples: list[Sample]) -> float:
    """The median of the minutes."""
    told = [sample.lag_ms for sample in samples if sample.lag_ms is not None]
    return median(told) if told else 0.0
