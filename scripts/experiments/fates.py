"""How the processes die: by SIGKILL at any moment, after a SIGSTOP, or by their own hand at a fail point."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from scripts.experiments.lives import Life
from scripts.experiments.pace import Pace
from scripts.experiments.play import PARTS, Play
from scripts.experiments.tally import Tally

LONGEST = 0.5  # seconds that a life is left alone before it is killed
LONGEST_SLEEP = 1.5
STOPPED, TOGETHER = 0.2, 0.2  # shares of the kills
STILL, LONG_STILL = 0.7, 1.5  # a life that has reached nothing new for so long is not waited for any more
PATIENCE, LONG_PATIENCE = 2.0, 4.0
UNTOUCHED = 0.4  # in which share of the choices one is taken that nobody died at yet
VAIN = 5  # after so many waits in vain for each of those, in half of that share
GRACE = 4.0


@dataclass(slots=True)
class Quota:
    """What is still to be done, in all."""

    kills: int
    points: int

    @property
    def is_met(self) -> bool:
        return self.kills <= 0 and self.points <= 0


@dataclass(slots=True)
class Round:
    """So many lives, then a look; earlier when everything is over."""

    left: int
    is_over: Callable[[], bool]


class Fate:
    """Ends the lives of one part, one after the other. `first` are the points to visit before any other."""

    def __init__(self, part: str, play: Play, quota: Quota, chance: random.Random) -> None:
        self._part = part
        self._play = play
        self._quota = quota
        self._chance = chance
        self._first: list[str] = []

    @property
    def _tally(self) -> Tally:
        return self._play.tally

    @property
    def _pace(self) -> Pace:
        return self._play.pace

    async def rule(self, this: Round) -> None:
        """Until the round is over."""
        while this.left > 0 and not this.is_over():
            this.left -= 1
            await self._one_life()

    async def visit(self, point: str) -> None:
        """The next life dies at this point."""
        self._first.append(point)
        await self._one_life()

    async def _one_life(self) -> None:
        life = self._play.now.get(self._part)
        if life is not None and not life.is_over:
            await self._kill(life)
            return
        point = self._choose() if self._is_armed() else ""
        life = await self._play.begin(self._part, point)
        await (self._await_point(life) if point else self._kill(life))

    # -- fail points

    def _is_armed(self) -> bool:
        """Whether the next life dies by its own hand: the two kinds of death keep step with what is left of each."""
        if self._first:
            return True
        points, kills = max(self._quota.points, 0), max(self._quota.kills, 0)
        return self._chance.random() * (points + kills) < points

    def _choose(self) -> str:
        if self._first:
            return self._first.pop(0)
        mine = [name for name in sorted(self._tally.points) if name.startswith(f"{self._part} ")]
        if not mine:
            return ""
        untouched = [name for name in mine if not self._tally.died_at[name]]
        candidates = untouched if self._chance.random() < self._share_of(untouched) else mine
        (name,) = self._chance.choices(candidates, weights=[self._weight(name) for name in candidates])
        often = self._tally.points[name] // max(self._tally.lives_with[name], 1)
        arrival = self._chance.randint(1, max(1, min(often, 3)))
        return f"{name.partition(' ')[2]}#{arrival}"

    def _share_of(self, untouched: list[str]) -> float:
        """How often one is taken that nobody died at yet: what is hardly ever reached costs little time."""
        vain = sum(self._tally.missed[name] for name in untouched) / max(len(untouched), 1)
        return UNTOUCHED / (1 + vain / VAIN) if untouched else 0.0

    def _weight(self, name: str) -> float:
        """Those that are easily reached come first, and where few died or were waited for in vain."""
        died, missed = self._tally.died_at[name], self._tally.missed[name]
        return (self._share(name) + 0.01) / (1 + died + (0 if died else missed))

    def _share(self, name: str) -> float:
        """In which share of the part's lives the point is reached."""
        return self._tally.lives_with[name] / max(self._tally.lives[self._part], 1)

    async def _await_point(self, life: Life) -> None:
        is_rare = self._share(life.point) < 0.5
        still, longest = (LONG_STILL, LONG_PATIENCE) if is_rare else (STILL, PATIENCE)
        ended = await life.wait_while_it_moves(self._pace(still), self._pace(longest))
        if not ended and self._may_be_at_the_end(life.point):
            life.ask_to_end()
            await life.wait(self._pace(GRACE))
        if not life.is_over:
            life.kill()
        await self._play.reap(life)
        if life.died_at_its_point:
            self._quota.points -= 1

    def _may_be_at_the_end(self, name: str) -> bool:
        """Whether a point is perhaps one that only an orderly end reaches."""
        is_untouched = not self._tally.died_at[name] and self._tally.missed[name] > 1
        return is_untouched or self._chance.random() < 0.1

    # -- kills

    async def _kill(self, life: Life) -> None:
        await life.wait(self._pace(self._chance.random() ** 2 * LONGEST))
        await self._until_worth_it(life)
        if not life.is_over:
            other = self._companion()
            ending = [life] if other is None else [other, life]
            how = "stop" if await self._stops(ending) else "kill"
            self._count(f"{how} {'both' if other else self._part}")
            for one in ending:
                one.kill()
        await self._play.reap(life)

    async def _stops(self, lives: list[Life]) -> bool:
        """Whether they were stopped for a while first; death may come in their sleep or when they have just woken."""
        chance = self._chance
        if chance.random() >= STOPPED:
            return False
        for life in lives:
            life.stop()
        await asyncio.sleep(chance.random() ** 2 * LONGEST_SLEEP)
        if chance.random() < 0.5:
            for life in lives:
                life.go_on()
            await lives[-1].wait(chance.random() * 0.1)
        return True

    def _companion(self) -> Life | None:
        """The other part's life, when it is to end at the same moment."""
        other = self._play.now.get(next(part for part in PARTS if part != self._part))
        is_free = other is not None and not other.order.die_at and not other.is_over
        return other if is_free and self._chance.random() < TOGETHER else None

    def _count(self, how: str) -> None:
        """A kill counts only while something is open."""
        if self._play.is_something_open():
            self._tally.kills[how] += 1
            self._quota.kills -= 1
        else:
            self._tally.idle_kills += 1

    async def _until_worth_it(self, life: Life) -> None:
        """Wait for something open."""
        await self._play.comes(lambda: life.is_over or self._play.is_something_open(), LONG_PATIENCE)
