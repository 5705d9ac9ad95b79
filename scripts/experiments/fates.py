"""How the processes die: by SIGKILL at any moment, after a SIGSTOP, or by their own hand at a fail point."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from scripts.experiments.lives import Life
from scripts.experiments.play import PARTS, Play, Tally

LONGEST = 0.5  # seconds that a life is left alone before it is killed
# With more the product gives up on a message or a promise at the next death, as it should.
MOST_STARTS, MOST_DEATHS = 2, 1
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
        point = self._choose() if self._may_be_armed() else ""
        life = await self._play.begin(self._part, point)
        await (self._await_point(life) if point else self._kill(life))

    # -- fail points

    def _may_be_armed(self) -> bool:
        """Whether a death at any moment now is one that everything open survives, and a point is to be visited."""
        if self._first:
            return True
        if self._quota.points <= 0:
            return False
        share = self._quota.points / (self._quota.points + max(self._quota.kills, 0))
        return self._has_room() and self._play.chance.random() < share

    def _has_room(self) -> bool:
        """Whether everything open survives a death at any moment of the next life."""
        tables = self._play.scene.tables
        return tables.starts() < MOST_STARTS if self._part == "server" else tables.deaths()[1] <= MOST_DEATHS

    def _survives(self, part: str = "", *, stopped: bool = False) -> bool:
        """Whether everything open survives the death of a part now; a lease that runs out counts as one more."""
        tables = self._play.scene.tables
        return (
            tables.starts() <= MOST_STARTS
            if (part or self._part) == "server"
            else tables.deaths()[0] <= MOST_DEATHS - stopped
        )

    def _choose(self) -> str:
        if self._first:
            return self._first.pop(0)
        mine = [name for name in sorted(self._tally.points) if name.startswith(f"{self._part} ")]
        if not mine:
            return ""
        weights = [self._weight(name) for name in mine]
        (name,) = self._play.chance.choices(mine, weights=weights)
        often = self._tally.points[name] // max(self._tally.lives_with[name], 1)
        arrival = self._play.chance.randint(1, max(1, min(often, 4)))
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
        if not await life.wait(LONG_PATIENCE if is_rare else PATIENCE):
            life.ask_to_end()
        if not await life.wait(GRACE):
            life.kill()
        await self._play.reap(life)
        if life.died_at_its_point:
            self._quota.points -= 1

    # -- kills

    async def _kill(self, life: Life) -> None:
        chance = self._play.chance
        await life.wait(chance.random() ** 2 * LONGEST)
        await self._until_worth_it(life)
        if life.is_over:  # with the other part
            await self._play.reap(life)
            return
        how = "kill"
        if chance.random() < 0.2 and self._survives(stopped=True):
            how = "stop"
            life.stop()
            await asyncio.sleep(chance.random() ** 2 * 1.5)
            if chance.random() < 0.5:
                life.go_on()
                await life.wait(chance.random() * 0.1)
        other = self._play.now.get(next(part for part in PARTS if part != self._part))
        both = other is not None and not other.order.die_at and not other.is_over and chance.random() < 0.2
        if both and other is not None and self._survives(other.order.part):
            other.kill()
        else:
            both = False
        self._count(f"{how} {'both' if both else self._part}")
        life.kill()
        await self._play.reap(life)

    def _count(self, how: str) -> None:
        if self._play.is_something_open():
            self._tally.kills[how] += 1
            self._quota.kills -= 1
        else:
            self._tally.idle_kills += 1

    async def _until_worth_it(self, life: Life) -> None:
        """Wait for something open, nothing of which this death would be one too many for."""
        until = time.monotonic() + 3 * LONG_PATIENCE
        while time.monotonic() < until and not life.is_over:
            enough = self._survives if self._quota.kills > 0 else self._has_room
            if self._play.is_something_open() and enough():
                return
            await asyncio.sleep(0.01)
