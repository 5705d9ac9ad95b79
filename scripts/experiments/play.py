"""A play: the scene, the processes that serve it, and the moments when everything has to come to rest."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from scripts.experiments.checker import Checker
from scripts.experiments.lives import BrokenError, Life, Lives
from scripts.experiments.pace import Pace
from scripts.experiments.people import Asked
from scripts.experiments.scene import Excuses, Scene
from scripts.experiments.spoken import key_of
from scripts.experiments.stage import Key
from scripts.experiments.strays import find_strays
from scripts.experiments.tally import Tally
from tests.acceptance.installation import until

LOOK_SECONDS = 0.03
END_SECONDS = 30.0
LINGER_SECONDS = 8.0  # a tool that is being ended, or a look whether the fence works, may take that long
LONGEST_REST = 1_200.0
PARTS = ("server", "worker")


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a play is played. `patience`: nothing has changed for so many seconds, so nothing will."""

    seed: str
    patience: float
    pace: Pace
    tally: Tally

    def chance(self, name: str) -> random.Random:
        """The same luck for the same name and seed, whatever else goes on beside."""
        return random.Random(f"{self.seed}/{name}")


@dataclass(slots=True)
class Play:
    """One installation with its people. `now` is which life plays which part."""

    scene: Scene
    lives: Lives
    terms: Terms
    now: dict[str, Life] = field(default_factory=dict[str, Life])
    outcomes: Counter[str] = field(default_factory=Counter[str])
    excused: Excuses = field(default_factory=Excuses)
    _unseen: list[Asked] = field(default_factory=list[Asked])
    _heard: int = 0

    @property
    def tally(self) -> Tally:
        return self.terms.tally

    @property
    def pace(self) -> Pace:
        return self.terms.pace

    # -- processes

    async def begin(self, part: str, die_at: str = "") -> Life:
        life = self.now[part] = await self.lives.begin(part, die_at)
        return life

    async def ensure(self) -> None:
        """See to it that every part runs, with no fail point set."""
        for part in PARTS:
            life = self.now.get(part)
            if life is None or life.is_over or life.order.die_at:
                await self.end(part)
                await self.begin(part)

    async def end(self, part: str) -> None:
        life = self.now.get(part)
        if life is not None and not life.is_over:
            life.kill()
        if life is not None:
            await self.reap(life)

    async def end_all(self) -> None:
        """The end of the play, and what it adds to the tally."""
        for life in self.lives.living:
            life.go_on()
            life.kill()
            await self.reap(life)
        people, mind, tally = self.scene.people, self.scene.mind, self.tally
        tally.plays += 1
        tally.outcomes += self.outcomes
        tally.messages += len(people.asked)
        tally.promises += people.promises
        tally.presses += len(people.pressed)
        tally.appending += people.appending
        tally.requests += mind.requests
        tally.repeated += mind.repeated

    async def reap(self, life: Life) -> None:
        """Wait for the end of a life, and learn from it. One that ended by itself is a violation."""
        if not await life.wait(self.pace(END_SECONDS)):
            raise BrokenError(f"{life.order.part} {life.pid} does not end")
        if self.now.get(life.order.part) is life:
            del self.now[life.order.part]
            self.tally.note_life(life)
            if life.ended_by_itself:
                self.violate([f"ended by itself: {life.order.part} with {life.ended.result()}"])

    def violate(self, lines: list[str]) -> None:
        self.tally.violations += [f"{line} [play {self.terms.seed}]" for line in lines]

    async def comes(self, condition: Callable[[], object], seconds: float) -> bool:
        """Whether it becomes true within the time, as this machine counts it."""
        with suppress(TimeoutError):
            await until(condition, self.pace(seconds), pause=0.01)
            return True
        return False

    def is_something_open(self) -> bool:
        return any(self.scene.tables.unfinished())

    # -- rest

    async def come_to_rest(self) -> None:
        """Let everything finish, undisturbed, and look at what came of it."""
        await self.scene.people.rest()
        await self.ensure()
        rested = await self._until_rest()
        self.scene.people.look()
        checker = Checker(self.scene, self.excused)
        wrong = checker.violations()
        self.outcomes = checker.counts
        self.tally.looks += 1
        if not rested and not wrong:
            wrong = [f"not at rest: {self.scene.tables.unfinished()} deliveries, turns and promises stay open"]
        self.violate(wrong + [f"left running: {line}" for line in await self._left_running()])

    async def _until_rest(self) -> bool:
        """Whether everything has come to its end; given up only when nothing has changed for long."""
        last, since, latest = None, time.monotonic(), time.monotonic() + self.pace(LONGEST_REST)
        while self.is_something_open() or self._is_one_missing():
            self.scene.people.decide()
            state = (self.scene.tables.state(), self.scene.mind.requests, len(self._unseen))
            if state != last:
                last, since = state, time.monotonic()
            if time.monotonic() - since > self.pace(self.terms.patience) or time.monotonic() > latest:
                return False
            await asyncio.sleep(LOOK_SECONDS)
        return True

    def _is_one_missing(self) -> bool:
        """Whether a message that is to be answered has no turn yet: the edit that asks may still be on its way."""
        asked = self.scene.people.asked
        self._unseen += asked[self._heard :]
        self._heard = len(asked)
        rows = self.scene.tables.keys_of_messages() if self._unseen else set[Key]()
        self._unseen = [one for one in self._unseen if one.wanted and key_of(one.message, self.scene.cast) not in rows]
        return bool(self._unseen)

    async def _left_running(self) -> list[str]:
        """What runs although nothing is at work: tools, and whatever no living process of the product has begun."""
        home, runs = self.scene.home, self.scene.tables.runs()
        await self.comes(lambda: not find_strays(home, self.lives.pids, runs), min(LINGER_SECONDS, self.terms.patience))
        return find_strays(home, self.lives.pids, runs)
