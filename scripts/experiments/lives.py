"""The processes of the product under experiment, as the experiment sees them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

from scripts.experiments.nursery import Order
from tests.acceptance.installation import PROJECT, Installation

BIRTH_SECONDS = 60.0


@dataclass(slots=True, eq=False)
class Life:
    """One process, from its fork to its end. `status` is its exit code, negative for a signal."""

    order: Order
    pid: int
    ended: asyncio.Future[int]
    by_us: bool = False
    stopped: bool = field(default=False)

    @property
    def is_over(self) -> bool:
        return self.ended.done()

    def kill(self) -> None:
        self.by_us = True
        self._signal(signal.SIGKILL)

    def ask_to_end(self) -> None:
        self._signal(signal.SIGTERM)

    def stop(self) -> None:
        self.stopped = True
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.stopped = False
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        """The number is its own until the warm parent has told of its end, which frees it."""
        if not self.is_over:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def wait(self, seconds: float) -> bool:
        """Whether it ends within the time."""
        await asyncio.wait({self.ended}, timeout=seconds)
        return self.is_over

    @property
    def died_at_its_point(self) -> bool:
        return bool(self.order.die_at) and not self.by_us and self.is_over and self.ended.result() == -signal.SIGKILL

    def arrivals(self) -> Counter[str]:
        """How often each point was reached."""
        path = Path(self.order.arrivals)
        return Counter(path.read_text().split()) if path.exists() else Counter()


class Lives:
    """Begins lives by way of the warm parent and hears of their ends."""

    def __init__(self, parent: Process, installation: Installation, plant: str) -> None:
        self._parent = parent
        self._plant = plant
        self._numbers = itertools.count(1)
        self._unborn: dict[int, asyncio.Future[int]] = {}
        self._living: dict[int, Life] = {}
        self.installation = installation
        self.forks = 0

    @property
    def living(self) -> list[Life]:
        return list(self._living.values())

    async def begin(self, part: str, die_at: str = "") -> Life:
        number = next(self._numbers)
        home = self.installation.home
        order = Order(number, part, die_at, self._plant, str(home / f"{part}.txt"), str(home / f"arrivals.{number}"))
        born: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._unborn[number] = born
        self._tell(order.to_json())
        async with asyncio.timeout(BIRTH_SECONDS):
            pid = await born
        life = self._living[pid]
        life.order = order
        self.forks += 1
        return life

    def skew(self, seconds: float) -> None:
        """Let every clock of the product be wrong by so many seconds from now on."""
        self._tell(json.dumps({"skew": seconds}))

    async def end_all(self) -> None:
        for life in self.living:
            life.go_on()
            life.kill()
            await life.wait(10)

    def _tell(self, line: str) -> None:
        assert self._parent.stdin is not None
        self._parent.stdin.write(line.encode() + b"\n")

    async def hear(self) -> None:
        """Until the warm parent ends."""
        assert self._parent.stdout is not None
        while line := await self._parent.stdout.readline():
            fact = json.loads(line)
            if "born" in fact:
                ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
                self._living[fact["born"]] = Life(Order(0, "", "", "", "", ""), fact["born"], ended)
                self._unborn.pop(fact["number"]).set_result(fact["born"])
            elif "ended" in fact:
                self._living.pop(fact["ended"]).ended.set_result(fact["status"])


async def start_parent(installation: Installation) -> Process:
    """The warm parent, on its way to being ready."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scripts.experiments.nursery"),
        cwd=PROJECT,
        env=installation.environment,
        stdin=PIPE,
        stdout=PIPE,
    )


@contextlib.asynccontextmanager
async def nursing(parent: Process, installation: Installation, plant: str) -> AsyncGenerator[Lives]:
    """Lives of an installation; in the end none is left, and the parent has gone."""
    assert parent.stdout is not None
    async with asyncio.timeout(BIRTH_SECONDS):
        ready = json.loads(await parent.stdout.readline())
    assert ready == {"ready": 1}, f"the warm parent has {ready} threads"
    lives = Lives(parent, installation, plant)
    hearing = asyncio.create_task(lives.hear())
    try:
        yield lives
    finally:
        await lives.end_all()
        hearing.cancel()
        parent.terminate()
        await parent.wait()
