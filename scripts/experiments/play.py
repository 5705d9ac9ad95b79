"""A play: the scene, the processes that serve it, and the moments when everything has to come to rest."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field

from scripts.experiments.checker import Checker, Scene, chat_id
from scripts.experiments.lives import Life, Lives

LOOK_SECONDS = 0.02
PARTS = ("server", "worker")
MESSAGES = "SELECT chat_id, message_id FROM messages WHERE front <> 'local'"


class BrokenError(Exception):
    """The experiment itself cannot go on."""


@dataclass(slots=True)
class Tally:
    """What was done, over all plays. `points` counts arrivals, `lives_with` the lives in which a point was reached."""

    kills: Counter[str] = field(default_factory=Counter[str])
    idle_kills: int = 0
    died_at: Counter[str] = field(default_factory=Counter[str])
    missed: Counter[str] = field(default_factory=Counter[str])
    points: Counter[str] = field(default_factory=Counter[str])
    lives_with: Counter[str] = field(default_factory=Counter[str])
    lives: Counter[str] = field(default_factory=Counter[str])
    outcomes: Counter[str] = field(default_factory=Counter[str])
    past: Counter[str] = field(default_factory=Counter[str])
    ordeals: Counter[str] = field(default_factory=Counter[str])
    violations: list[str] = field(default_factory=list[str])
    appended: list[float] = field(default_factory=list[float])
    messages: int = 0
    looks: int = 0
    requests: int = 0
    repeated: int = 0

    def note_points(self, life: Life) -> None:
        """Take in which points a life reached, and whether it died at its own."""
        part, reached = life.order.part, life.arrivals()
        self.lives[part] += 1
        for point, times in reached.items():
            self.points[f"{part} {point}"] += times
            self.lives_with[f"{part} {point}"] += 1
        if life.order.die_at:
            name = f"{part} {life.order.die_at.partition('#')[0]}"
            (self.died_at if life.died_at_its_point else self.missed)[name] += 1

    @property
    def outcomes_in_all(self) -> Counter[str]:
        """Of all plays."""
        return self.past + self.outcomes

    @property
    def share_appended(self) -> float:
        return sum(self.appended) / max(len(self.appended), 1)

    @property
    def never_died_at(self) -> list[str]:
        return sorted(self.points.keys() - self.died_at.keys())


class Play:
    """One installation with its people. `patience` in seconds is how long it may take to come to rest."""

    def __init__(self, scene: Scene, lives: Lives, chance: random.Random, tally: Tally, patience: float) -> None:
        self.scene = scene
        self.lives = lives
        self.chance = chance
        self.tally = tally
        self.patience = patience
        self.had_outage = False
        self.now: dict[str, Life] = {}

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
        tally, mind = self.tally, self.scene.mind
        tally.past, tally.outcomes = tally.past + tally.outcomes, type(tally.outcomes)()
        tally.requests += mind.requests
        tally.repeated += mind.repeated

    async def reap(self, life: Life) -> None:
        """Wait for the end of a life, and learn from it. One that ended by itself is a violation."""
        if not await life.wait(10):
            raise BrokenError(f"{life.order.part} {life.pid} does not end")
        if self.now.get(life.order.part) is life:
            del self.now[life.order.part]
            self.tally.note_points(life)
            status = life.ended.result()
            if not life.by_us and not life.died_at_its_point and status not in {0, -15}:
                self.tally.violations.append(f"ended by itself: {life.order.part} with {status}")

    def is_something_open(self) -> bool:
        return any(self.scene.tables.unfinished())

    # -- rest

    async def come_to_rest(self) -> list[str]:
        """Let everything finish, undisturbed, and look at what came of it."""
        await self.scene.people.rest()
        await self.ensure()
        rested = await self._until_rest()
        self.scene.people.look()
        checker = Checker(self.scene, allows_failures=self.had_outage)
        wrong = checker.violations()
        self.tally.outcomes = checker.counts
        if not rested and not wrong:
            wrong = [f"not at rest after {self.patience:g} s: {self.scene.tables.unfinished()}"]
        return wrong + [f"left running: {line}" for line in self._orphans()]

    def _orphans(self) -> list[str]:
        """Tools that run although nothing is at work."""
        return [line for line in self.lives.installation.processes().values() if "bwrap" in line]

    async def _until_rest(self) -> bool:
        until = time.monotonic() + self.patience
        while time.monotonic() < until:
            if not self.is_something_open() and not self._missing():
                return True
            await asyncio.sleep(LOOK_SECONDS)
        return False

    def _missing(self) -> bool:
        """Whether a message that is to be answered has no row yet."""
        rows = {tuple(row) for row in self.scene.tables.query(MESSAGES)}
        cast = self.scene.cast
        wanted = (
            (chat_id(one.chat, cast), one.message.id_for(cast.valor)) for one in self.scene.people.asked if one.wanted
        )
        return any(key not in rows for key in wanted)
