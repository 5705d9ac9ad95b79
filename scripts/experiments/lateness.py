"""How late something came to what was due, over any time: looks are counted by that, and counts can be added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Told:
    """What a process said at `seconds` of all its looks since its start: how many were late by at most how many ms."""

    seconds: float
    looks: Counter[int]


def looks_within(told: Sequence[Told]) -> Counter[int]:
    """Those after the first that was told, up to the last; a process that counts from 0 again is another one."""
    new = Counter[int]()
    for before, now in pairwise(told):
        new += now.looks - before.looks if now.looks >= before.looks else now.looks
    return new


def late_99(looks: Counter[int]) -> int:
    """What 99 of 100 looks were late by at most, in milliseconds; 0 when there are none."""
    left = int(looks.total() * 0.99)
    for late, times in sorted(looks.items()):
        left -= times
        if left < 0:
            return late
    return 0


def worst_minute(told: Sequence[Told]) -> int:
    """The same of the worst minute; of all where there is less than one."""
    return max((late_99(looks_within(minute)) for minute in _minutes(told)), default=0)


def _minutes(told: Sequence[Told]) -> list[Sequence[Told]]:
    """From each that was told to the first that was told a minute later."""
    ends = (_first_after(told, one.seconds + MINUTE) for one in told)
    found = [told[at : end + 1] for at, end in enumerate(ends) if end is not None]
    return found or [told]


def _first_after(told: Sequence[Told], seconds: float) -> int | None:
    return next((at for at, one in enumerate(told) if one.seconds >= seconds), None)
