"""Twenty chats for a long time, with floods and lost connections; what it costs is measured from outside."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from statistics import median

from core.checks import LOOP
from scripts.benchmarks.procfs import pss_mb
from scripts.experiments.lateness import Told
from scripts.experiments.neighbours import Bystander, Spent, read_spent, share_of_others
from scripts.experiments.play import Play
from scripts.experiments.stand import Stand
from scripts.experiments.troubles import Troubles

CHATS = 20
SAMPLE_SECONDS = 5.0
TROUBLE_SECONDS = 10.0
LOOK_SECONDS = 300.0
WARM_UP = 0.2  # of the samples: what is loaded at first use is no growth


@dataclass(frozen=True, slots=True)
class Sample:
    """At `seconds` from the beginning: memory of all processes of the product (PSS), how late the server's event loop
    came to all its looks so far (None before it says so), and so did the bystander; whose the processors' time was."""

    seconds: float
    memory_mb: float
    loop: Counter[int] | None
    bystander: Counter[int]
    spent: Spent


@dataclass(slots=True)
class Soak:
    """One run and what was seen of it."""

    stand: Stand
    minutes: float
    note: Callable[[str], None]
    bystander: Bystander
    samples: list[Sample] = field(default_factory=list[Sample])
    rests: list[float] = field(default_factory=list[float])  # how long it took until all was done that people wanted
    troubles: Troubles = field(init=False)
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.troubles = Troubles(self.stand)

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
                silent = self.seconds
                await self.play.come_to_rest()
                self.rests.append(self.seconds - silent)
                memory = ", ".join(f"{sample.memory_mb:.0f} MB" for sample in self.samples[-1:])
                self.note(f"{self.seconds:.0f} s: {len(self.play.scene.people.asked)} messages; {memory}")
            sampling.cancel()

    async def _sample(self) -> None:
        while True:
            memory = await asyncio.to_thread(pss_mb, [life.pid for life in self.play.lives.living])
            loop = await asyncio.to_thread(read_looks, self.play.lives.installation.port)
            spent = await asyncio.to_thread(read_spent, os.getpid())
            self.samples.append(Sample(self.seconds, memory, loop, await self.bystander.looks(), spent))
            await asyncio.sleep(SAMPLE_SECONDS)

    async def _disturb(self, until: float) -> None:
        """Let things go wrong, in turn by luck, until so many seconds have passed."""
        while self.seconds < until and not self.is_over:
            await self.troubles.befall()
            await asyncio.sleep(min(TROUBLE_SECONDS, max(until - self.seconds, 0)))


def read_looks(port: int) -> Counter[int] | None:
    """How late the server says that its event loop came to its looks, in milliseconds; None while it says nothing."""
    connection = HTTPConnection("127.0.0.1", port, timeout=SAMPLE_SECONDS)
    try:
        connection.request("GET", "/health")
        component = json.load(connection.getresponse())["components"].get(LOOP)
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
    return Counter({int(late): times for late, times in component["counts"].items()}) if component else None


def warmed_up(samples: list[Sample]) -> list[Sample]:
    return samples[int(len(samples) * WARM_UP) :]


def growth(samples: list[Sample]) -> float:
    """By which share memory has grown from the first to the last third of the time after the warm-up (medians)."""
    memory = [sample.memory_mb for sample in warmed_up(samples)]
    third = max(len(memory) // 3, 1)
    return median(memory[-third:]) / median(memory[:third]) - 1 if memory else 0.0


def loop_told(samples: list[Sample]) -> Sequence[Told]:
    """What the server's event loop said of itself after the warm-up."""
    return [Told(one.seconds, one.loop) for one in warmed_up(samples) if one.loop is not None]


def bystander_told(samples: list[Sample]) -> Sequence[Told]:
    return [Told(one.seconds, one.bystander) for one in warmed_up(samples)]


def others(samples: list[Sample]) -> float:
    """Which share of the processors others used after the warm-up."""
    warm = warmed_up(samples)
    return share_of_others(warm[0].spent, warm[-1].spent) if warm else 0.0
