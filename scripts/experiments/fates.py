"""How the processes die: by SIGKILL at any moment, after a SIGSTOP, or by their own hand at a fail point."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from scripts.experiments.lives import Life
from scripts.experiments.play import PARTS, Play, Tally

LONGEST = 0.5  # seconds that a life is left alone before it is killed
LONGEST_SLEEP = 1.5
STOPPED, TOGETHER = 0.2, 0.2  # shares of the kills
PATIENCE, LONG_PATIENCE = 1.0, 2.5
GRACE = 4.0


@dataclass(slots=True)
class Quota:
    """What is still to be done, in all and in this round."""

    kills: int
    points: int
    round: int = 0

    @property
    def is_met(self) -> bool:
        return self.kills <= 0 and self.points <= 0


class Fate:
    """Ends the lives of one part, one after the other. `first` are the points to visit before any other."""

    def __init__(self, part: str, play: Play, quota: Quota, first: list[str]) -> None:
        self._part = part
        self._play = play
        self._quota = quota
        self._first = first

    @property
    def _tally(self) -> Tally:
        return self._play.tally

    async def rule(self) -> None:
        """Until the round is over, everything is done or something was found."""
        while self._quota.round > 0 and not self._quota.is_met and not self._tally.violations:
            self._quota.round -= 1
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
        return self._play.chance.random() * (points + kills) < points

    def _choose(self) -> str:
        if self._first:
            return self._first.pop(0)
        mine = [name for name in sorted(self._tally.points) if name.startswith(f"{self._part} ")]
        if not mine:
            return ""
        weights = [self._weight(name) for name in mine]
        (name,) = self._play.chance.choices(mine, weights=weights)
        often = self._tally.points[name] // max(self._tally.lives_with[name], 1)
        arrival = self._play.chance.randint(1, max(1, min(often, 3)))
        return f"{name.partition(' ')[2]}#{arrival}"

    def _weight(self, name: str) -> float:
        """Those where nobody died yet come first, then those that are easily reached."""
        share = self._tally.lives_with[name] / max(self._tally.lives[self._part], 1)
        if not self._tally.died_at[name]:
            return 8.0 / (1 + self._tally.missed[name])
        return share / (1 + self._tally.died_at[name])

    async def _await_point(self, life: Life) -> None:
        name = f"{self._part} {life.order.die_at.partition('#')[0]}"
        is_rare = self._tally.lives_with[name] * 2 < self._tally.lives[self._part]
        if not await life.wait(LONG_PATIENCE if is_rare else PATIENCE) and self._may_be_at_the_end(name):
            life.ask_to_end()
            await life.wait(GRACE)
        if not life.is_over:
            life.kill()
        await self._play.reap(life)
        if life.died_at_its_point:
            self._quota.points -= 1

    def _may_be_at_the_end(self, name: str) -> bool:
        """Whether a point is perhaps one that only an orderly end reaches."""
        is_untouched = not self._tally.died_at[name] and self._tally.missed[name] > 1
        return is_untouched or self._play.chance.random() < 0.1

    # -- kills

    async def _kill(self, life: Life) -> None:
        await life.wait(self._play.chance.random() ** 2 * LONGEST)
        await self._until_worth_it(life)
        if not life.is_over:
            how = "stop" if await self._stops(life) else "kill"
            other = self._companion()
            self._count(f"{how} {'both' if other else self._part}")
            for one in (other, life):
                if one is not None:
                    one.kill()
        await self._play.reap(life)

    async def _stops(self, life: Life) -> bool:
        """Whether it was stopped for a while first; its death may come in its sleep or when it has just woken up."""
        chance = self._play.chance
        if chance.random() >= STOPPED:
            return False
        life.stop()
        await asyncio.sleep(chance.random() ** 2 * LONGEST_SLEEP)
        if chance.random() < 0.5:
            life.go_on()
            await life.wait(chance.random() * 0.1)
        return True

    def _companion(self) -> Life | None:
        """The other part's life, when it is to end at the same moment."""
        other = self._play.now.get(next(part for part in PARTS if part != self._part))
        is_free = other is not None and not other.order.die_at and not other.is_over
        return other if is_free and self._play.chance.random() < TOGETHER else None

    def _count(self, how: str) -> None:
        if self._play.is_something_open():
            self._tally.kills[how] += 1
            self._quota.kills -= 1
        else:
            self._tally.idle_kills += 1

    async def _until_worth_it(self, life: Life) -> None:
        """Wait for something open."""
        until = time.monotonic() + LONG_PATIENCE
        while time.monotonic() < until and not life.is_over:
            if self._play.is_something_open():
                return
            await asyncio.sleep(0.01)
