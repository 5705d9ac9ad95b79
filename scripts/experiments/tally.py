"""What was done in an experiment, counted over all plays."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from scripts.experiments.lives import Life


@dataclass(slots=True)
class Tally:
    """`points` counts arrivals, `lives_with` the lives in which a point was reached, `missed` those armed in vain."""

    kills: Counter[str] = field(default_factory=Counter[str])
    idle_kills: int = 0
    died_at: Counter[str] = field(default_factory=Counter[str])
    missed: Counter[str] = field(default_factory=Counter[str])
    points: Counter[str] = field(default_factory=Counter[str])
    lives_with: Counter[str] = field(default_factory=Counter[str])
    lives: Counter[str] = field(default_factory=Counter[str])
    cpu: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    outcomes: Counter[str] = field(default_factory=Counter[str])
    ordeals: Counter[str] = field(default_factory=Counter[str])
    violations: list[str] = field(default_factory=list[str])
    messages: int = 0
    promises: int = 0
    appending: int = 0
    presses: int = 0
    plays: int = 0
    looks: int = 0
    requests: int = 0
    repeated: int = 0

    def note_life(self, life: Life) -> None:
        """Take in which points a life reached, and whether it died at its own."""
        part = life.order.part
        self.lives[part] += 1
        self.cpu[part] += life.cpu
        for point, times in life.arrivals().items():
            self.points[f"{part} {point}"] += times
            self.lives_with[f"{part} {point}"] += 1
        if life.order.die_at:
            (self.died_at if life.died_at_its_point else self.missed)[life.point] += 1

    @property
    def deaths(self) -> int:
        return self.kills.total() + self.died_at.total()

    @property
    def share_open(self) -> float:
        """Which share of the kills came while work was open; only these count."""
        return self.kills.total() / max(self.kills.total() + self.idle_kills, 1)

    @property
    def share_appending(self) -> float:
        """Which share of the promises that people asked for appends a line."""
        return self.appending / max(self.promises, 1)

    @property
    def never_died_at(self) -> list[str]:
        return sorted(self.points.keys() - self.died_at.keys())
