"""One run: plays one after the other, until enough processes have died."""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts.experiments.checker import Scene
from scripts.experiments.fates import Fate, Quota
from scripts.experiments.lives import Lives
from scripts.experiments.mind import Mind
from scripts.experiments.ordeals import ORDEALS, Stand, undergo
from scripts.experiments.people import People
from scripts.experiments.plants import PLANTS
from scripts.experiments.play import PARTS, BrokenError, Play, Tally
from scripts.experiments.stage import Tables, cast_in, furnish
from tests.world.anthropic import AnthropicWorld
from tests.world.telegram import TelegramWorld

ROUND = 16  # deaths between two looks
DEATHS_IN_A_PLAY = 240
START_SECONDS = 30.0
SECOND = 1.1  # Telegram tells whole seconds: what is said in that of the first start counts as older than it
PATIENCE, PLANTED_PATIENCE = 60.0, 4.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for."""

    kills: int
    points: int
    seed: int
    plant: str
    ordeal: str | None = None


@dataclass(slots=True)
class Experiment:
    """`tally` is what has come of it so far."""

    plan: Plan
    lives: Lives
    folder: Path
    note: Callable[[str], None]
    tally: Tally = field(default_factory=Tally)

    async def run(self) -> None:
        """Until everything planned is done or something was found. Raises BrokenError."""
        quota = Quota(self.plan.kills, self.plan.points)
        number = 0
        while not quota.is_met and not self.tally.violations:
            number += 1
            chance = random.Random(f"{self.plan.seed}/{number}")
            async with self._stand(chance) as stand:
                await self._play(stand, quota)

    async def _play(self, stand: Stand, quota: Quota) -> None:
        last = self._deaths() + DEATHS_IN_A_PLAY
        await self._visit_planted(stand, quota)
        if self.plan.ordeal:
            quota.kills = quota.points = 0
            for _ in range(3):
                await self._undergo(stand, self.plan.ordeal)
        while not quota.is_met and not self.tally.violations and self._deaths() < last:
            await self._round(stand, quota)
        people = stand.play.scene.people
        self.tally.messages += len(people.asked)
        self.tally.appended.append(people.appended)

    def _deaths(self) -> int:
        return self.tally.kills.total() + self.tally.died_at.total()

    async def _visit_planted(self, stand: Stand, quota: Quota) -> None:
        """What a plant concerns comes first, with a look after each."""
        plant = PLANTS.get(self.plan.plant)
        for name in plant.ordeals * 3 if plant else ():
            await self._undergo(stand, name)
            if self.tally.violations:
                return
        for name in plant.points * 3 if plant else ():
            part, _, point = name.partition(" ")
            quota.round = 1
            await stand.play.ensure()
            await stand.play.end(part)
            for kind in ("keep", "work", "keep", "work"):
                stand.ask(kind)
            await Fate(part, stand.play, quota, [point]).rule()
            await self._look(stand)
            if self.tally.violations:
                return

    async def _round(self, stand: Stand, quota: Quota) -> None:
        play, chance = stand.play, stand.play.chance
        await play.ensure()
        play.scene.people.begin()
        quota.round = ROUND
        parts = chance.choice([PARTS, PARTS, PARTS[:1], PARTS[1:]])
        began = time.monotonic()
        await asyncio.gather(*(Fate(part, play, quota, []).rule() for part in parts))
        self.note(f"{ROUND} lives of {' and '.join(parts)}: {time.monotonic() - began:.1f} s")
        play.scene.people.begin()
        await self._undergo(stand, chance.choice(list(ORDEALS)))

    async def _undergo(self, stand: Stand, name: str) -> None:
        seconds = await undergo(stand, name)
        began = time.monotonic()
        await self._look(stand)
        self.note(f"{name}: {seconds:.1f} s, at rest after {time.monotonic() - began:.1f} s; {self._deaths()} deaths")

    async def _look(self, stand: Stand) -> None:
        self.tally.looks += 1
        self.tally.violations += await stand.play.come_to_rest()

    @asynccontextmanager
    async def _stand(self, chance: random.Random) -> AsyncGenerator[Stand]:
        """A new world, a new installation, everything up."""
        installation = self.lives.installation
        for name in ("system.db", "system.db-wal", "system.db-shm", "huey.db", "huey.db-wal", "huey.db-shm"):
            (installation.home / name).unlink(missing_ok=True)
        for name in ("work", "data", "logs"):
            shutil.rmtree(installation.home / name, ignore_errors=True)
        (installation.home / "data").mkdir()
        async with AsyncExitStack() as stack:
            world = await stack.enter_async_context(TelegramWorld(self.folder))
            model = await stack.enter_async_context(AnthropicWorld())
            cast = cast_in(world)
            furnish(installation, world, cast, model.url)
            tables = Tables(installation)
            stack.callback(tables.close)
            people = People(world, cast, chance)
            scene = Scene(world, cast, installation.home, tables, people, Mind(model, chance, tables.is_on_disk))
            patience = PLANTED_PATIENCE if self.plan.plant else PATIENCE
            play = Play(scene, self.lives, chance, self.tally, patience)
            stack.push_async_callback(play.end_all)
            stack.push_async_callback(people.rest)
            await play.ensure()
            await self._until_up(tables)

            async def stop_model() -> None:
                await model.__aexit__()

            async def start_model() -> None:
                await model.__aenter__()

            yield Stand(play, world, stop_model, start_model)

    async def _until_up(self, tables: Tables) -> None:
        until = time.monotonic() + START_SECONDS
        while not tables.value("SELECT COUNT(*) FROM admitted_since"):
            if time.monotonic() > until:
                raise BrokenError("the product does not come up")
            await asyncio.sleep(0.02)
        await asyncio.sleep(SECOND)
