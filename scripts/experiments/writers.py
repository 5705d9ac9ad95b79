"""What the working directories show: each line appended once, and never two writers at a time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from scripts.experiments.mind import LINES, STAMPS, TICKS


def count_lines(places: Iterable[Path]) -> Counter[str]:
    """How often each nonce was appended, in all directories."""
    return Counter(line for place in places for line in read_lines(place / LINES))


def count_ticks(places: Iterable[Path]) -> Counter[str]:
    """How often each run of a repeated promise has added its line, in all directories."""
    return Counter(line.partition(" ")[2] for place in places for line in read_lines(place / TICKS))


def read_lines(file: Path) -> list[str]:
    """The complete lines."""
    return file.read_text().split("\n")[:-1] if file.exists() else []


def find_overlaps(places: Iterable[Path]) -> Iterator[str]:
    """Where somebody else began to write, there, above or below, before a writer had ended, by their own stamps."""
    everywhere = list(places)
    for place in everywhere:
        begun = sorted(
            (moment, nonce)
            for other in everywhere
            if place.is_relative_to(other) or other.is_relative_to(place)
            for sign, nonce, moment in _stamps(other)
            if sign == "+"
        )
        yield from (f"two writers: {line} in {place.name}" for line in _overlaps(_stamps(place), begun))


Stamp = tuple[str, int]  # `+` or `-`, and the moment


def stamps_in(places: Iterable[Path]) -> dict[str, list[Stamp]]:
    """When each nonce's work began and ended, in all directories."""
    found: defaultdict[str, list[Stamp]] = defaultdict(list)
    for place in places:
        for sign, nonce, moment in _stamps(place):
            found[nonce].append((sign, moment))
    return found


def _overlaps(own: Iterable[tuple[str, str, int]], begun: list[tuple[int, str]]) -> Iterator[str]:
    since: dict[str, int] = {}
    for sign, nonce, moment in own:
        if sign == "+":
            since[nonce] = moment
            continue
        between = [other for at, other in begun if since[nonce] < at < moment and other != nonce]
        if between:
            yield f"{between[0]} began while {nonce} wrote"


def _stamps(place: Path) -> list[tuple[str, str, int]]:
    """Each beginning (`+`) and end (`-`) of a writer's work, in order, with its moment in nanoseconds."""
    words = (line.split() for line in read_lines(place / STAMPS))
    return [(sign, nonce, int(moment)) for sign, nonce, moment in words]
