"""A text becomes pieces that Telegram shows exactly as they were handed over."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from core.message import Entity, Piece
from integrations.telegram.markdown import render
from integrations.telegram.offsets import Offsets

LIMIT = 4096
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# Control characters, directions that Telegram takes out, and halves of surrogate pairs, which no message can hold.
_REFUSED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]")
_BLANK_KINDS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"})
_BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_PROSE_CUTS = tuple(re.compile(pattern) for pattern in (r"\n\n+", r"\n", r"[ \t]"))
_CODE_CUTS = tuple(re.compile(pattern) for pattern in (r"\n(?=\S)", r"\n", r"[ \t]"))
_JOINERS = frozenset("\u200d\ufe0f")
_LONGEST_CLUSTER = 16


@dataclass(frozen=True, slots=True)
class _Span:
    """An entity's place in Python characters."""

    start: int
    end: int
    entity: Entity


def typeset(markdown: str, limit: int = LIMIT) -> list[Piece]:
    """Markdown as the messages it takes, in order; none for a text that shows nothing.

    Each piece holds at most `limit` UTF-16 units, begins and ends with something visible, and its entities lie within.
    A code block that fits into one piece is not cut; a longer one goes on as a code block of its language.
    """
    text, entities = render(clean(markdown))
    return split(text, entities, limit)


def clean(text: str) -> str:
    """The text without what Telegram refuses or would take out."""
    return _REFUSED.sub("", _LINE_ENDS.sub("\n", text))


def split(text: str, entities: list[Entity], limit: int = LIMIT) -> list[Piece]:
    """The same for text that is plain already."""
    offsets = Offsets(text)
    spans = [_Span(offsets.index(e.offset), offsets.index(e.offset + e.length), e) for e in entities]
    places = (_trim(text, start, end) for start, end in pairwise(_cuts(text, offsets, spans, limit)))
    return [_piece(text[start:end], start, spans) for start, end in places if is_visible(text[start:end])]


def is_visible(text: str) -> bool:
    """Tell whether Telegram takes the text for a message that is not empty."""
    return any(unicodedata.category(c) not in _BLANK_KINDS and c not in _BLANK_LETTERS for c in text)


def _cuts(text: str, offsets: Offsets, spans: list[_Span], limit: int) -> Iterator[int]:
    blocks = [span for span in spans if span.entity.type == "pre"]
    start = 0
    yield start
    while start < len(text):
        end = offsets.reach(start, limit)
        if end < len(text):
            end = _cut(text, start, end, blocks)
        yield end
        start = end


def _cut(text: str, start: int, end: int, blocks: list[_Span]) -> int:
    """Where a piece that may reach from `start` to `end` ends best."""
    cut = _last_gap(text, start, end, _PROSE_CUTS)
    block = next((block for block in blocks if block.start < cut < block.end), None)
    if block is None:
        return cut
    if start < block.start and block.end - block.start <= end - start and text[start : block.start].strip():
        return block.start
    return _last_gap(text, max(start, block.start), end, _CODE_CUTS)


def _last_gap(text: str, start: int, end: int, patterns: tuple[re.Pattern[str], ...]) -> int:
    """The end of the last gap in the second half of [start, end]; without one, `end` without tearing an emoji."""
    for pattern in patterns:
        gaps = [gap.end() for gap in pattern.finditer(text, (start + end) // 2, end + 1) if gap.end() <= end]
        if gaps:
            return gaps[-1]
    whole = next((at for at in range(end, max(start + 1, end - _LONGEST_CLUSTER), -1) if not _is_torn(text, at)), end)
    return max(whole, start + 1)


def _is_torn(text: str, at: int) -> bool:
    return text[at] in _JOINERS or text[at - 1] == "\u200d" or unicodedata.combining(text[at]) > 0


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    inner = text[start:end]
    return end - len(inner.lstrip()), start + len(inner.rstrip())


def _piece(text: str, start: int, spans: list[_Span]) -> Piece:
    offsets = Offsets(text)
    entities: list[Entity] = []
    for span in spans:
        first, last = max(span.start - start, 0), min(span.end - start, len(text))
        if first < last:
            unit = offsets.unit(first)
            size = offsets.unit(last) - unit
            entities.append(Entity(span.entity.type, unit, size, span.entity.url, span.entity.language))
    return Piece(text, tuple(sorted(entities, key=lambda entity: (entity.offset, -entity.length))))
