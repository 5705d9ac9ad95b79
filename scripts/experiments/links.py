"""Addresses that people sent: what was acknowledged as saved is saved, with what was found there."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from scripts.experiments.mind import words_of
from tests.world.telegram import SentMessage

SAVED = "SELECT url, title FROM links"
ACKNOWLEDGED = "Saved: "


def find_unsaved(
    nonces: Iterable[str], answers: Mapping[str, list[SentMessage]], rows: Iterable[sqlite3.Row]
) -> Iterator[str]:
    """`nonces` of the addresses, the `answers` that give each back, and the table's `rows`."""
    saved = Counter(word.nonce for row in rows for word in words_of(row["url"]) if row["title"] == f"re:{word.nonce}")
    for nonce in nonces:
        is_told = any(ACKNOWLEDGED in one.text for one in answers.get(f"re:{nonce}", []))
        if is_told and saved[nonce] != 1:
            yield f"saved {saved[nonce]} times: visit {nonce}"
