"""The order in which a chat was told things, against the order in which they were written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.experiments.stage import Key

ANSWER = "answer"
Row = Mapping[str, Any] | Any  # a row of `deliveries`, by column name
Span = tuple[int, int]


def find_disorder(rows: Iterable[Row], told: Mapping[Key, Span]) -> Iterator[str]:
    """Deliveries, in order of writing, that came later than one written after them.

    `told` says when each message was accepted, and when it was changed for the last time, or was to read what it read
    already; by front, chat and number. An acknowledgement is held until its turn ends and holds back what speaks of the
    same promise; an answer that has grown and acknowledges promises holds back whatever speaks of promises until it is
    changed: those may come late by that much, and no more.
    """
    chats: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        chats[row["front"], row["chat_id"]].append(row)
    for (front, chat), written in chats.items():
        keys = ((row["id"], (front, chat, row["message_id"])) for row in written)
        spans = {number: told[key] for number, key in keys if key in told}
        yield from (f"out of order: {line} in {chat}" for line in _Chat(written, spans).late())


@dataclass(frozen=True, slots=True)
class _Chat:
    """One chat's rows, in order of writing, and when each was told and last changed, by number of the row."""

    written: Sequence[Row]
    spans: Mapping[int, Span]

    def late(self) -> Iterator[str]:
        told = sorted((row for row in self.written if row["id"] in self.spans), key=_place_in(self.written))
        released, last = self._released(), dict[object, int]()
        speaking = [row for row in told if not _acknowledges(row)]
        earliest = self._earliest_after(speaking)
        for row in told:
            moment, promise = self._at(row), row["promise_id"]
            if promise is not None and moment < last.get(promise, 0):
                yield f"{_name(row)} before something of its promise"
            elif earliest.get(row["id"], moment) < moment:
                waited = self._waited(row, released.get(promise, 0))
                yield from (f"{_name(row)} after {_name(one)}" for one in self._first_past(row, speaking, waited))
            last[promise] = moment

    def _at(self, row: Row) -> int:
        return self.spans[row["id"]][0]

    def _first_past(self, row: Row, speaking: Sequence[Row], waited: Sequence[Span]) -> Sequence[Row]:
        """The first one written after a row that was told before it, and not while it had to wait."""
        place, moment = _place_in(self.written), self._at(row)
        behind = (one for one in speaking if place(one) > place(row) and self._at(one) < moment)
        past = [one for one in behind if not any(begin < self._at(one) < end for begin, end in waited)]
        return sorted(past, key=self._at)[:1]

    def _waited(self, row: Row, released: int) -> list[Span]:
        """When a row had to wait for another one."""
        covering = [self.spans[one["id"]] for one in self.written if self._is_told_cover(one)]
        return [(-1, released), *(covering if row["promise_id"] is not None else ())]

    def _released(self) -> dict[object, int]:
        """When what a promise says was let go: with its acknowledgement, or with what covers that in its turn."""
        acknowledgements = [row for row in self.written if _acknowledges(row)]
        first: dict[object, int] = {}
        for row in acknowledgements:
            if row["id"] in self.spans:
                first.setdefault(row["turn_id"], self._at(row))
        covered = {row["turn_id"]: self.spans[row["id"]][1] for row in self.written if self._is_told_cover(row)}
        last = covered | first
        return {
            row["promise_id"]: self._at(row) if row["id"] in self.spans else last.get(row["turn_id"], 0)
            for row in acknowledgements
        }

    def _is_told_cover(self, row: Row) -> bool:
        return _covers(row) and row["id"] in self.spans

    def _earliest_after(self, rows: Sequence[Row]) -> dict[int, int]:
        """For each row, when the earliest of those written after it was told."""
        found: dict[int, int] = {}
        earliest: int | None = None
        for row in reversed(rows):
            if earliest is not None:
                found[row["id"]] = earliest
            earliest = self._at(row) if earliest is None else min(earliest, self._at(row))
        return found


def _name(row: Row) -> str:
    return f"{row['kind']} {row['id']}"


def _place_in(written: Sequence[Row]) -> Callable[[Row], int]:
    """By number; an answer that had grown stands for an earlier acknowledgement that its change covers."""
    first: dict[object, int] = {}
    for row in written:
        if _acknowledges(row):
            first.setdefault(row["turn_id"], row["id"])

    def place(row: Row) -> int:
        own = int(row["id"])
        return min(own, first.get(row["turn_id"], own)) if _covers(row) else own

    return place


def _acknowledges(row: Row) -> bool:
    """Whether a row may be held until its turn ends: it says that something is promised, or promised once more."""
    return row["kind"] == "ack" or row["kind"].startswith("retry ")


def _covers(row: Row) -> bool:
    return row["kind"] == ANSWER and row["promise_id"] is not None
