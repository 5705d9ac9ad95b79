"""Promises that come again and again: each time is kept once and told once, and the next one follows."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from scripts.experiments.mind import words_of

OCCURRENCES = """
    SELECT p.id, p.run_id, p.task_description AS task, p.status, p.due_at,
           (SELECT COUNT(*) FROM deliveries d
            WHERE d.promise_id = p.id AND d.kind IN ('result', 'notice') AND d.part = 0 AND d.status <> 'dropped'
           ) AS told
    FROM promises p WHERE p.every IS NOT NULL ORDER BY p.id"""


def find_uneven(rows: Sequence[sqlite3.Row], said: Mapping[object, int], ticks: Mapping[str, int]) -> Iterator[str]:
    """`said`: how often the chat was given the result of ("promise", number); `ticks`: the lines that a run has added.

    A series that is over ends with the time that was cancelled.
    """
    series: defaultdict[str, list[sqlite3.Row]] = defaultdict(list)
    for row in rows:
        series[words_of(row["task"])[0].nonce].append(row)
        yield from _of_time(row, said.get(("promise", row["id"]), 0), ticks.get(row["run_id"], 0))
    for nonce, times in series.items():
        yield from _of_series(nonce, times)


def _of_time(row: sqlite3.Row, said: int, lines: int) -> Iterator[str]:
    what, wanted = f"promise {row['id']}, a repeated one,", row["status"] == "completed"
    if row["status"] not in {"completed", "cancelled"}:
        yield f"never settled: {what} is {row['status']}"
    elif row["told"] != 1 or said != wanted:
        yield f"told {row['told']} times: {what} is {row['status']}, and its result stands in the chat {said} times"
    if lines > 1 or (wanted and not lines):
        yield f"{lines} lines: {what} is {row['status']}"


def _of_series(nonce: str, times: Sequence[sqlite3.Row]) -> Iterator[str]:
    if len({row["due_at"] for row in times}) < len(times):
        yield f"twice at one moment: often {nonce}"
    open_ended = [row["id"] for row in times if row["status"] != "completed"]
    if open_ended != [times[-1]["id"]]:
        numbers = [row["id"] for row in times]
        yield f"not one series: often {nonce}, whose promises {open_ended} of {numbers} were not kept"
