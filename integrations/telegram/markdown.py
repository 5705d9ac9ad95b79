# pyright: basic
"""Markdown becomes plain text and entities, and nothing that was written disappears on the way.

A Markdown renderer swallows raw HTML, unused link definitions, the dollars of what it takes for mathematics, and the
address of a link that Telegram cannot follow. What would be swallowed is escaped first, so that it shows as written;
a text that loses letters nevertheless is shown as it stands.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from html import unescape
from itertools import pairwise
from typing import Any

from core.message import Entity

LINKABLE = ("http://", "https://", "tg://")
MAX_PASSES = 20
_PIPES = re.compile(rb"(?<!\\)\|\|")
_TICK = re.compile(r"\[[xX]\]")
_DEFINITION = re.compile(rb"\[(?:[^\]\\]|\\.)+\]:\s*<?([^\s>]*)")


def render(markdown: str) -> tuple[str, list[Entity]]:
    """Plain text and its entities, in UTF-16 units."""
    # Here, because it takes a tenth of a second that a start without an answer need not pay.
    from telegramify_markdown import convert

    text, entities = convert(keep_all(markdown), latex_escape=False, config=_style())
    shown = [text, *(f"{entity.url or ''}{entity.language or ''}" for entity in entities)]
    if _letters(_TICK.sub("", unescape(markdown))) - _letters("".join(shown)):
        return markdown, []
    return text, [
        Entity(entity.type, entity.offset, entity.length, entity.url, (entity.language or "").partition(" ")[0] or None)
        for entity in entities
        if entity.type != "custom_emoji" and (entity.type != "text_link" or (entity.url or "").startswith(LINKABLE))
    ]


def _letters(text: str) -> Counter[str]:
    """How often each letter stands in a text; digits do not count, since lists are numbered anew."""
    return Counter(character for character in text if character.isalpha())


@cache
def _style() -> Any:
    from telegramify_markdown import RenderConfig

    style = RenderConfig.isolated()
    symbols = style.markdown_symbol
    symbols.heading_level_1 = symbols.heading_level_2 = symbols.heading_level_3 = symbols.heading_level_4 = ""
    symbols.task_uncompleted, symbols.unordered_list_item = "☐", "•"
    return style


def keep_all(markdown: str) -> str:
    """The same Markdown with everything escaped that a renderer would swallow."""
    source = markdown.encode()
    for _ in range(MAX_PASSES):
        patches = dict(_patches(source))
        if not patches:
            break
        bounds = sorted({0, *patches, len(source)})
        pieces = [patches.get(start, b"") + source[start:end] for start, end in pairwise(bounds)]
        source = b"".join(pieces)
    return source.decode()


def _patches(source: bytes) -> Iterator[tuple[int, bytes]]:
    """What to insert where (byte offsets)."""
    events = _parse(source)
    code = [span for kind, _, *span in events if kind in ("Code", "CodeBlock")]
    tables = [span for kind, _, *span in events if kind == "Table"]
    for kind, data, start, end in events:
        yield from _swallowed(source, (kind, data, start, end), tables)
    for match in _PIPES.finditer(source):
        if not _is_inside(match.start(), code):
            in_table = _is_inside(match.start(), tables)
            yield match.start() + in_table, b" " if in_table else b"\\"
    yield from _unused_definitions(source, events)


def _parse(source: bytes) -> list[tuple[str, Any, int, int]]:
    """The parser's events as (kind, data, start, end); an end event has kind "End"."""
    import pyromark
    from telegramify_markdown.converter import STANDARD_OPTIONS

    found: list[tuple[str, Any, int, int]] = []
    events: Any = pyromark.events_with_range(source.decode(), options=STANDARD_OPTIONS)
    for event, place in events:
        kind, data = next(iter(event.items())) if isinstance(event, dict) else (str(event), None)
        if kind == "Start":
            kind, data = next(iter(data.items())) if isinstance(data, dict) else (str(data), None)
        found.append((kind, data, place["start"], place["end"]))
    return found


def _swallowed(source: bytes, event: tuple[str, Any, int, int], tables: list[list[int]]) -> Iterator[tuple[int, bytes]]:
    kind, data, start, end = event
    if kind in ("Html", "InlineHtml"):
        at = source.find(b"<", start, end)
        yield from [(at, b"\\")] if at >= 0 else []
    elif kind in ("InlineMath", "DisplayMath"):
        width = 1 + (kind == "DisplayMath")
        yield from ((at, b"\\") for at in (*range(start, start + width), *range(end - width, end)))
    elif kind in ("Link", "Image") and (not data["dest_url"].startswith(LINKABLE) or _is_inside(start, tables)):
        at = min(position for position in (source.find(mark, start, end) for mark in (b"[", b"<")) if position >= 0)
        yield at, b"\\"


def _unused_definitions(source: bytes, events: list[tuple[str, Any, int, int]]) -> Iterator[tuple[int, bytes]]:
    """`[name]: address` that no link of the text uses: no event covers it."""
    used = {data["dest_url"].encode() for kind, data, *_ in events if kind in ("Link", "Image")}
    spans = [span for kind, _, *span in events if kind in ("Text", "Code", "CodeBlock", "Link", "Image")]
    for match in _DEFINITION.finditer(source):
        if match[1] not in used and not _is_inside(match.start(), spans):
            yield match.start(), b"\\"


def _is_inside(offset: int, spans: list[list[int]]) -> bool:
    return any(start <= offset < end for start, end in spans)
