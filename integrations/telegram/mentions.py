"""Whom a text names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.message import Entity
from integrations.telegram.offsets import Offsets

PERSON_LINK = "tg://user?id="
_NAME = re.compile(r"(?<![\w/])@([A-Za-z0-9_]{2,32})(?!\w)")
_UNREAD = frozenset({"code", "pre", "url", "email", "text_link"})


@dataclass(frozen=True, slots=True)
class Mentions:
    """`names`: lower-case usernames, and ids as text for mentions without a username; the spans as in core.message."""

    names: frozenset[str] = frozenset()
    spans: tuple[tuple[int, int], ...] = ()
    unread: tuple[tuple[int, int], ...] = ()


def find_mentions(text: str, entities: Sequence[Entity]) -> Mentions:
    """Mentions by entity, and by exact name in text that Telegram marks as nothing else (code, links, addresses)."""
    if not entities and "@" not in text:
        return Mentions()
    offsets = Offsets(text)
    found: dict[tuple[int, int], str] = {}
    covered: list[tuple[int, int]] = []
    unread: list[tuple[int, int]] = []
    for entity in entities:
        start, end = offsets.index(entity.offset), offsets.index(entity.offset + entity.length)
        if entity.type == "text_mention":
            found[start, end - start] = (entity.url or "").removeprefix(PERSON_LINK)
            covered.append((start, end))
        elif entity.type == "mention":
            found[start, end - start] = text[start:end].removeprefix("@").lower()
        if entity.type in _UNREAD:
            covered.append((start, end))
            unread.append((start, end - start))
    for match in _NAME.finditer(text):
        if not any(start < match.end() and match.start() < end for start, end in covered):
            found[match.start(), match.end() - match.start()] = match[1].lower()
    return Mentions(frozenset(found.values()), tuple(sorted(found)), tuple(unread))
