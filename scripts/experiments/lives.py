"""The processes of the product under experiment, as the experiment sees them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

from scripts.experiments.nursery import Order
from tests.acceptance.installation import PROJECT, Installation

BIRTH_SECONDS = 600.0
LOOK_SECONDS = 0.02
READY = b'{"ready": 1}\n'


class BrokenError(Exception):
    """The experiment itself cannot go on."""


@dataclass(slots=True, eq=False)
class Life:
    """One process, from its fork to its end. `status` is its exit code, negative for a signal."""

    order: Order
    pid: int
    ended: asyncio.Future[int]
    by_us: bool = False
    asked_to_end: bool = False
    cpu: float = 0.0

    @property
    def is_over(self) -> bool:
        return self.ended.done()

    @property
    def point(self) -> str:
        """The part and the fail point that it is to die at."""
        return f"{self.order.part} {self.order.die_at.partition('#')[0]}"

    def kill(self) -> None:
        self.by_us = True
        self._signal(signal.SIGKILL)

    def ask_to_end(self) -> None:
        self.asked_to_end = True
        self._signal(signal.SIGTERM)

    def stop(self) -> None:
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
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

    async def wait_while_it_moves(self, still: float, longest: float) -> bool:
        """Whether it ends before it has reached nothing new for `still` seconds."""
        until, size, since = time.monotonic() + longest, -1, time.monotonic()
        while not await self.wait(LOOK_SECONDS) and time.monotonic() < until:
            if self.size != size:
                size, since = self.size, time.monotonic()
            elif time.monotonic() - since > still:
                break
        return self.is_over

    @property
    def is_halted(self) -> bool:
        """Whether none of its threads runs any more, after `stop`."""
        threads = Path(f"/proc/{self.pid}/task").glob("*/stat")
        return self.is_over or all(file.read_text().rpartition(")")[2].split()[0] in "TtZX" for file in threads)

    @property
    def died_at_its_point(self) -> bool:
        """By its own hand, where it was told to: nobody else sends it this signal but `kill`."""
        is_own_hand = not self.by_us and self.is_over and self.ended.result() == -signal.SIGKILL
        point, _, arrival = self.order.die_at.partition("#")
        return bool(point) and is_own_hand and self.arrivals()[point] >= int(arrival or 1)

    @property
    def ended_by_itself(self) -> bool:
        """Neither by us nor where it was told to, nor in good order because it was asked to."""
        is_in_order = self.asked_to_end and self.ended.result() in {0, -signal.SIGTERM}
        return not (self.by_us or self.died_at_its_point or is_in_order)

    @property
    def size(self) -> int:
        """How much it has written of the points that it reached."""
        try:
            return Path(self.order.arrivals).stat().st_size
        except FileNotFoundError:
            return 0

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
        self._unborn: dict[int, tuple[Order, asyncio.Future[Life]]] = {}
        self._living: dict[int, Life] = {}
        self.installation = installation

    @property
    def living(self) -> list[Life]:
        return list(self._living.values())

    @property
    def pids(self) -> set[int]:
        """Of the warm parent and of all that live."""
        return {self._parent.pid, *self._living}

    async def begin(self, part: str, die_at: str = "") -> Life:
        number = next(self._numbers)
        home = self.installation.home
        order = Order(number, part, die_at, self._plant, str(home / f"{part}.txt"), str(home / f"arrivals.{number}"))
        born: asyncio.Future[Life] = asyncio.get_running_loop().create_future()
        self._unborn[number] = order, born
        self._tell(order.to_json())
        async with asyncio.timeout(BIRTH_SECONDS):
            return await born

    def skew(self, seconds: float) -> None:
        """Let every clock of the product be wrong by so many seconds from now on."""
        self._tell(json.dumps({"skew": seconds}))

    async def end_all(self) -> None:
        for life in self.living:
            life.go_on()
            life.kill()
            await life.wait(BIRTH_SECONDS)

    def _tell(self, line: str) -> None:
        assert self._parent.stdin is not None
        self._parent.stdin.write(line.encode() + b"\n")

    async def hear(self) -> None:
        """Until the warm parent ends."""
        assert self._parent.stdout is not None
        while line := await self._parent.stdout.readline():
            fact = json.loads(line)
            if "born" in fact:
                order, born = self._unborn.pop(fact["number"])
                life = Life(order, fact["born"], asyncio.get_running_loop().create_future())
                self._living[life.pid] = life
                born.set_result(life)
            elif "ended" in fact:
                life = self._living.pop(fact["ended"])
                life.cpu = fact["cpu"]
                life.ended.set_result(fact["status"])
        self._bury_all()

    def _bury_all(self) -> None:
        """Without the warm parent nobody tells of births and ends any more."""
        for _, born in self._unborn.values():
            born.set_exception(BrokenError("the warm parent has ended"))
        while self._living:
            pid, life = self._living.popitem()
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            life.by_us = True
            life.ended.set_result(-signal.SIGKILL)


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
async def nursing(installation: Installation, plant: str) -> AsyncGenerator[Lives]:
    """Lives of an installation; in the end none is left, and the parent has gone."""
    parent = await start_parent(installation)
    assert parent.stdout is not None
    try:
        async with asyncio.timeout(BIRTH_SECONDS):
            ready = await parent.stdout.readline()
        if ready != READY:  # with a second thread its forks would inherit whatever that held
            raise BrokenError(f"the warm parent is not ready for forks: {ready.decode() or 'it has ended'}")
        lives = Lives(parent, installation, plant)
        hearing = asyncio.create_task(lives.hear())
        try:
            yield lives
        finally:
            await lives.end_all()
            hearing.cancel()
    finally:
        parent.terminate()
        await parent.wait()
