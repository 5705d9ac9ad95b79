"""The order in which a chat was told things, against the order in which they were written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

ACKNOWLEDGEMENT, ANSWER = "ack", "answer"
Row = Mapping[str, Any] | Any  # a row of `deliveries`, by column name


def find_disorder(rows: Iterable[Row], numbers: Mapping[tuple[str, int], int]) -> Iterator[str]:
    """Deliveries, in order of writing, that came later than one written after them.

    `numbers` says when each message was accepted, by chat and number. An acknowledgement is held until its turn ends
    and holds back what speaks of the same promise: those may come late by that much, and no more.
    """
    chats: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        chats[row["chat_id"]].append(row)
    for chat, written in chats.items():
        keys = ((row["id"], (chat, row["message_id"])) for row in written)
        at = {number: numbers[key] for number, key in keys if key in numbers}
        yield from (f"out of order: {row['kind']} {row['id']} in {chat}" for row in _late(written, at))


def _late(written: Sequence[Row], at: Mapping[int, int]) -> Iterator[Row]:
    told = sorted((row for row in written if row["id"] in at), key=_place_in(written))
    released, last = _released(written, at), dict[object, int]()
    overtaking = _earliest_after([row for row in told if row["kind"] != ACKNOWLEDGEMENT], at)
    for row in told:
        moment, promise = at[row["id"]], row["promise_id"]
        is_before_its_own = promise is not None and moment < last.get(promise, 0)
        overtaken = overtaking.get(row["id"], moment)
        if is_before_its_own or released.get(promise, 0) < overtaken < moment:
            yield row
        last[promise] = moment


def _place_in(written: Sequence[Row]) -> Callable[[Row], int]:
    """By number, but an answer that had grown stands for the acknowledgement that its change covers."""
    first: dict[object, int] = {}
    for row in written:
        if row["kind"] == ACKNOWLEDGEMENT:
            first.setdefault(row["turn_id"], row["id"])

    def place(row: Row) -> int:
        own = int(row["id"])
        return first.get(row["turn_id"], own) if _covers(row) else own

    return place


def _covers(row: Row) -> bool:
    return row["kind"] == ANSWER and row["promise_id"] is not None


def _released(written: Sequence[Row], at: Mapping[int, int]) -> dict[object, int]:
    """When what a promise says was let go: with its acknowledgement, or with the one of its turn that covers it.

    An answer that had grown covers it by a change, whose moment is not known here.
    """
    covered = {row["turn_id"] for row in written if _covers(row)}
    acknowledgements = [row for row in written if row["kind"] == ACKNOWLEDGEMENT]
    first: dict[object, int] = {}
    for row in acknowledgements:
        if row["id"] in at:
            first.setdefault(row["turn_id"], at[row["id"]])
    last = dict.fromkeys(covered, max(at.values(), default=0)) | first
    return {row["promise_id"]: at.get(row["id"], last.get(row["turn_id"], 0)) for row in acknowledgements}


def _earliest_after(rows: Sequence[Row], at: Mapping[int, int]) -> dict[int, int]:
    """For each row, when the earliest of those written after it was told."""
    earliest_after: dict[int, int] = {}
    earliest: int | None = None
    for row in reversed(rows):
        if earliest is not None:
            earliest_after[row["id"]] = earliest
        earliest = at[row["id"]] if earliest is None else min(earliest, at[row["id"]])
    return earliest_after
