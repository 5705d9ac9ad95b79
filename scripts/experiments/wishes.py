"""What people want of promises beside their work: that one waits for another, that one ends."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from scripts.experiments.mind import words_of
from scripts.experiments.stage import Key
from scripts.experiments.writers import Stamp

FOLLOWING = """
    SELECT f.id, f.status, f.task_description AS task, f.error_message AS error,
           l.id AS led_by, l.status AS leader, l.task_description AS leading,
           EXISTS (SELECT 1 FROM deliveries d WHERE d.promise_id = l.id AND d.kind LIKE 'retry %') AS retried
    FROM promise_dependencies JOIN promises f ON f.id = promise_id JOIN promises l ON l.id = after_id"""
CANCELLED = """
    SELECT p.id, p.task_description AS task, p.epoch, d.front, d.chat_id, d.message_id
    FROM promises p LEFT JOIN deliveries d
    ON d.promise_id = p.id AND d.kind = 'notice' AND d.part = 0 AND d.status = 'sent'
    WHERE p.status = 'cancelled'"""
FOLLOWS = ", which it follows, "  # why it failed
OWN_WORK = ("append", "nap")
GRACE = 2e9  # nanoseconds by which the clock of the machine and that of its Telegram may be apart
Stamps = Mapping[str, Sequence[Stamp]]


def may_have_failed(followers: Iterable[sqlite3.Row], promise: int) -> bool:
    """Because what it followed came to nothing, though that may have been taken up again since."""
    own = (row for row in followers if row["id"] == promise and FOLLOWS in (row["error"] or ""))
    return any(row["leader"] != "completed" or row["retried"] for row in own)


def find_impatient(followers: Iterable[sqlite3.Row], stamps: Stamps) -> Iterator[str]:
    """Those that were kept though what they follow was not, or that began before it had ended."""
    for row in followers:
        ended = [at for sign, at in _stamps_of(row["leading"], stamps) if sign == "-"]
        begun = [at for sign, at in _stamps_of(row["task"], stamps) if sign == "+"]
        what = f"did not wait: promise {row['id']} for {row['led_by']}, which is {row['leader']}"
        if begun and (row["leader"] != "completed" or (ended and min(begun) < max(ended))):
            yield f"{what}, and began before that was done"
        elif row["status"] == "completed" and row["leader"] != "completed":
            yield what


def find_unstopped(cancelled: Iterable[sqlite3.Row], told: Mapping[Key, datetime], stamps: Stamps) -> Iterator[str]:
    """Those at which somebody worked though they were cancelled before, or after their chat had been told so."""
    for row in cancelled:
        begun = [at for sign, at in _stamps_of(row["task"], stamps) if sign == "+"]
        at = told.get((row["front"], row["chat_id"], row["message_id"]))
        if begun and row["epoch"] == 0:
            yield f"begun though cancelled: promise {row['id']}"
        elif begun and at is not None and max(begun) > at.timestamp() * 1e9 + GRACE:
            yield f"worked at after its cancel was told: promise {row['id']}"


def _stamps_of(task: str, stamps: Stamps) -> Iterator[Stamp]:
    """Of a promise's own work: a turn that became one may have worked before that."""
    for word in words_of(task):
        if word.kind in OWN_WORK:
            yield from stamps.get(word.nonce, ())
