"""One run: plays one after the other, until enough processes have died or the time is over."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from scripts.experiments.fates import Fate, Quota, Round
from scripts.experiments.lives import nursing
from scripts.experiments.ordeals import OCCASIONS, ORDEALS, undergo
from scripts.experiments.pace import Pace
from scripts.experiments.plants import PLANTS, Plant
from scripts.experiments.play import PARTS, Play, Terms
from scripts.experiments.stand import Stand, be_up, set_up
from scripts.experiments.tally import Tally
from tests.acceptance.installation import Installation

ROUND = 24  # deaths between two looks
DEATHS_IN_A_PLAY = 60
PATIENCE, PLANTED_PATIENCE = 75.0, 3.0
FULL = 1_000  # fail points; in a run of so many each point that is known must have been died at
EXTENSIONS = 12  # how often a full run goes on for points that nobody died at yet
TIMES = 3  # how often what a plant concerns is visited


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for. `minutes`: so long instead of so many; `stands`: so many plays side by side."""

    kills: int
    points: int
    seed: int
    plant: str = ""
    ordeal: str | None = None
    minutes: float | None = None
    stands: int = 1

    @property
    def is_full(self) -> bool:
        return self.points >= FULL and not self.minutes


@dataclass(slots=True)
class Experiment:
    """`tally` is what has come of it so far, in earlier sittings as well."""

    plan: Plan
    folder: Path
    note: Callable[[str], None]
    tally: Tally = field(default_factory=Tally)
    pace: Pace = field(default_factory=Pace)
    began: float = field(default_factory=time.monotonic)
    quota: Quota = field(init=False)
    _deck: list[str] = field(default_factory=list[str])
    _extensions: int = 0
    _is_called_off: bool = False

    def __post_init__(self) -> None:
        self.quota = Quota(self.plan.kills - self.tally.kills.total(), self.plan.points - self.tally.died_at.total())

    def call_off(self) -> None:
        """Let it end with what is under way, and everything at rest."""
        self._is_called_off = True

    async def run(self) -> None:
        """Until everything planned is done or something was found. Raises BrokenError."""
        async with self.pace.measured(), asyncio.TaskGroup() as group:
            for number in range(self.plan.stands):
                group.create_task(self._run_stand(f"{self.plan.seed}/{number}"))

    async def _run_stand(self, seed: str) -> None:
        installation = Installation(self.folder / seed.rpartition("/")[2] / "home", {})
        async with nursing(installation, self.plan.plant) as lives:
            number = 0
            while not self.is_done():
                number += 1
                terms = Terms(f"{seed}/{number}", self._patience, self.pace, self.tally)
                async with set_up(lives, terms) as stand:
                    await self._open(stand.play)
                    await Course(self, stand).run()

    @property
    def _patience(self) -> float:
        return PLANTED_PATIENCE if self.plan.plant else PATIENCE

    def is_done(self) -> bool:
        if self.tally.violations or self._is_called_off:
            return True
        if self.plan.minutes:
            return time.monotonic() - self.began > self.plan.minutes * 60
        self._extend()
        return self.quota.is_met

    def next_ordeal(self, chance: random.Random) -> str:
        """Each once before any comes again; in the end those that come to points at which nobody died yet."""
        never = set(self.tally.never_died_at) if self._extensions else set[str]()
        if wanted := [name for name, points in OCCASIONS.items() if not never.isdisjoint(points)]:
            return chance.choice(wanted)
        if not self._deck:
            self._deck = list(ORDEALS)
            chance.shuffle(self._deck)
        return self._deck.pop()

    def _extend(self) -> None:
        """In a full run, go on for the points that nobody died at yet."""
        is_over = self._extensions >= EXTENSIONS or not self.tally.never_died_at
        if self.quota.is_met and self.plan.is_full and not is_over:
            self._extensions += 1
            self.quota.points = ROUND

    # -- the stand

    async def _open(self, play: Play) -> None:
        """Bring everything up; the very first server may die of a point that only a first one meets."""
        chance = play.terms.chance("opening")
        never = [name.partition(" ")[2] for name in self.tally.never_died_at if name.startswith("server ")]
        if never:
            life = await play.begin("server", chance.choice(never))
            await life.wait_while_it_moves(self.pace(0.5), self.pace(2.0))
            self.quota.points -= life.died_at_its_point
        await play.ensure()
        await be_up(play)


class Course:
    """What happens in one play: first what a plant concerns, then deaths and ordeals in turn."""

    def __init__(self, experiment: Experiment, stand: Stand) -> None:
        self._experiment = experiment
        self._stand = stand
        self._play = stand.play
        self._chance = stand.play.terms.chance("course")
        chances = {part: stand.play.terms.chance(part) for part in PARTS}
        self._fates = {part: Fate(part, stand.play, experiment.quota, chances[part]) for part in PARTS}

    async def run(self) -> None:
        """Until the play is long enough, or the experiment is done."""
        plan, tally = self._experiment.plan, self._play.tally
        last = tally.deaths + DEATHS_IN_A_PLAY
        if plan.plant:
            await self._visit(PLANTS[plan.plant])
        if plan.ordeal:
            self._experiment.quota.kills = self._experiment.quota.points = 0
            await self._undergo_all((plan.ordeal,) * TIMES)
        while not self._experiment.is_done() and tally.deaths < last:
            await self._round()

    async def _visit(self, plant: Plant) -> None:
        """What a plant concerns comes first, with a look after each."""
        await self._undergo_all(plant.ordeals * TIMES)
        for name in plant.points * TIMES:
            if self._play.tally.violations:
                return
            part, _, point = name.partition(" ")
            await self._play.ensure()
            await self._play.end(part)
            for kind in ("keep", "work", "keep", "work"):
                self._stand.ask(kind)
            await self._fates[part].visit(point)
            await self._play.come_to_rest()

    async def _undergo_all(self, names: tuple[str, ...]) -> None:
        for name in names:
            if not self._play.tally.violations:
                await self._undergo(name)

    async def _round(self) -> None:
        play, this = self._play, Round(ROUND, self._experiment.is_done)
        await play.ensure()
        play.scene.people.begin()
        parts = self._chance.choice([PARTS, PARTS, PARTS[:1], PARTS[1:]])
        began = time.monotonic()
        await asyncio.gather(*(self._fates[part].rule(this) for part in parts))
        self._note(f"{ROUND} lives of {' and '.join(parts)}: {time.monotonic() - began:.1f} s")
        play.scene.people.begin()
        await self._undergo(self._experiment.next_ordeal(self._chance))

    async def _undergo(self, name: str) -> None:
        seconds = await undergo(self._stand, name)
        began = time.monotonic()
        await self._play.come_to_rest()
        rest = time.monotonic() - began
        self._note(f"{name}: {seconds:.1f} s, at rest after {rest:.1f} s; {self._play.tally.deaths} deaths")

    def _note(self, line: str) -> None:
        self._experiment.note(f"{self._play.terms.seed} {line} (pace {self._experiment.pace.factor:.1f})")
