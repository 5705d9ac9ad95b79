"""What an agent reads of attachments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from conversations.attachment_store import SPOKEN, Stored
from core.attachment import Kind

PICTURES = 20
TOO_MANY = f"At most {PICTURES} pictures are looked at together."
ROOM = 24_000  # characters of documents that one prompt holds
VIDEO = "only its caption and its thumbnail can be seen here, not the video itself"


@dataclass(frozen=True, slots=True)
class MediaWords:
    """By the number of the message that carries it; `replied` is what the message replied to carries."""

    asked: Mapping[int, str] = field(default_factory=dict[int, str])
    replied: str = ""


def write_words(asked: Iterable[Stored], replied: Iterable[Stored], problems: Mapping[int, str]) -> MediaWords:
    """`problems` keep an attachment from being read just now."""
    desk, told = _Desk(problems), dict[int, str]()
    for stored in asked:
        told[stored.message_id] = f"{told.get(stored.message_id, '')}\n{desk.tell(stored)}".strip()
    return MediaWords(told, "\n".join(desk.tell(stored) for stored in replied))


class _Desk:
    """Tells attachments in order while there is room for what they say."""

    def __init__(self, problems: Mapping[int, str]) -> None:
        self._problems = problems
        self._room = ROOM
        self._pictures = 0

    def tell(self, stored: Stored) -> str:
        label, problem = stored.attachment.label, self._problem_of(stored)
        if problem is not None:
            return f"[{label}: not read. {problem}]"
        if stored.text is None:
            return f"[{label}{_seen(stored)}]"
        if stored.attachment.kind in SPOKEN:
            return f"[{label}, transcribed] {stored.text}"
        return f"[{label}: {stored.what or 'document'}, attachment {stored.id}]\n{self._shown(stored.id, stored.text)}"

    def _problem_of(self, stored: Stored) -> str | None:
        self._pictures += stored.picture is not None
        if stored.picture is not None and self._pictures > PICTURES:
            return TOO_MANY
        return self._problems.get(stored.id) or stored.problem

    def _shown(self, number: int, text: str) -> str:
        """The text as a block that it cannot end by itself."""
        begun = text[: max(self._room, 0)]
        self._room -= len(begun)
        marks = "`" * (max((len(run) for run in re.findall(r"`{3,}", begun)), default=2) + 1)
        block = f"{marks}\n{begun.rstrip()}\n{marks}" if begun else ""
        more = f"[{len(begun):,} of {len(text):,} characters; read_attachment({number}, {len(begun)}) reads on]"
        return block if len(begun) == len(text) else f"{block}\n{more}".strip()


def _seen(stored: Stored) -> str:
    shown = ", shown as a picture" if stored.picture else ""
    if stored.attachment.kind is not Kind.VIDEO:
        return shown
    return f": {VIDEO}{', which is shown as a picture' if shown else ''}"
