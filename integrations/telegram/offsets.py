"""Telegram counts UTF-16 units, Python counts characters: the way between them."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate


class Offsets:
    """The UTF-16 offset of every character of one text, its end included."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *accumulate(1 + (ord(character) > 0xFFFF) for character in text)]

    @property
    def length(self) -> int:
        """How long the text is in UTF-16 units."""
        return self._starts[-1]

    def unit(self, index: int) -> int:
        """The UTF-16 offset of character `index`."""
        return self._starts[index]

    def index(self, unit: int) -> int:
        """The character that begins at or next after UTF-16 offset `unit`; the text's end for anything behind it."""
        return bisect_left(self._starts, min(max(unit, 0), self.length))

    def reach(self, start: int, units: int) -> int:
        """The furthest character index so that [start, index) takes at most `units` UTF-16 units."""
        index = bisect_left(self._starts, self._starts[start] + units + 1)
        return index - 1
