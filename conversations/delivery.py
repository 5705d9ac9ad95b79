"""A delivery: something owed to a chat, one row a message."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from conversations.typeset import LOCAL, typeset
from core.attachment import tell_size
from core.message import Button, Chat, Entity, Part, Piece
from core.protocols import Call

ANSWER = "answer"
FILE = "file"
MOST_PIECES = 5
LONGEST = 40_000  # characters that surely take more pieces than that
LONGEST_LOCAL = 400_000
BEGINNING = 3_000
CAPTION = 1_024  # UTF-16 units
FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})", re.MULTILINE)
CUT = "[This is the beginning of {size:,} characters: the full text is in the file.]"


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A file that goes with a draft: its content is `text`, or lies in data/media/out as `key`.

    `call` is the tool call that sends it, once.
    """

    name: str
    mime: str
    size: int
    key: str | None = None
    text: str | None = None
    call: Call | None = None

    @property
    def label(self) -> str:
        return f"[file {self.name}, {tell_size(self.size)}]"


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be told: Markdown `text` and below it `tail`, cut into `pieces` for its front when the draft is made.

    `kind` is `answer`, `ack`, `progress`, `result`, `notice`, `file`, `question N`, `retry N`, or `result N` and
    `notice N` where the promise was retried since; a `held` one waits for its turn to end. What takes more than
    MOST_PIECES becomes its beginning and a file with all of it. The last piece goes with
    `enclosed`, where there is one, and has the `buttons`.
    """

    chat: Chat
    kind: str
    text: str
    reply_to: int | None = None
    turn_id: int | None = None
    promise_id: int | None = None
    held: bool = False
    tail: str = ""
    file: Enclosure | None = None
    buttons: tuple[Button, ...] = ()
    pieces: tuple[Piece, ...] = field(init=False)
    enclosed: Enclosure | None = field(init=False)

    def __post_init__(self) -> None:
        whole = _below(self.text, self.tail)
        pieces = typeset(self.chat.front, whole) if len(whole) <= self._longest else None
        file = self.file
        if pieces is None or len(pieces) > MOST_PIECES:
            pieces = typeset(self.chat.front, _below(begin(self.text, len(whole)), self.tail))
            file = Enclosure(f"{self.kind}.md", "text/markdown", len(whole.encode()), text=whole)
        object.__setattr__(self, "enclosed", file)
        object.__setattr__(self, "pieces", pieces if file is None else self._captioned(pieces, file))

    @property
    def _longest(self) -> int:
        return LONGEST_LOCAL if self.chat.front == LOCAL else LONGEST

    def _captioned(self, pieces: tuple[Piece, ...], file: Enclosure) -> tuple[Piece, ...]:
        """A short text is the file's caption, a longer one stands above it; the local page shows the file's name."""
        if self.chat.front == LOCAL:
            return (*pieces, Piece(file.label))
        fits = self.kind == FILE and len(pieces) == 1 and len(pieces[0].text.encode("utf-16-le")) // 2 <= CAPTION
        return pieces if fits else (*pieces, Piece(""))

    def naming(self, promises: Iterable[int]) -> Draft:
        """The same with the numbers of these promises below it, as far as it does not name them itself."""
        missing = [number for number in promises if not re.search(rf"#{number}\b", self.text)]
        if not missing:
            return self
        numbers = " and ".join(f"#{number}" for number in missing)
        return replace(self, tail=_below(self.tail, f"Promise {numbers}."))


def begin(text: str, size: int) -> str:
    """The beginning of a Markdown text, cut where a line ends, with the sentence that says how much there is."""
    kept = text[:BEGINNING]
    gaps = (kept.rfind(gap, BEGINNING // 2) for gap in ("\n", " "))
    kept = kept[: next((gap for gap in gaps if gap > 0), BEGINNING)].rstrip()
    fences = FENCE.findall(kept)
    closed = f"{kept}\n{fences[-1]}" if len(fences) % 2 else f"{kept} …"
    return f"{closed}\n\n{CUT.format(size=size)}"


def _below(text: str, more: str) -> str:
    return "\n\n".join(part for part in (text, more) if part)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row of `deliveries` as the outbox sees it: still to be sent, or with a `message_id` to be edited.

    `came_from` is the group that its chat was when the row was written, `file` the name of the file that goes with it.
    One that `may_grow` is changed while it is being written.
    """

    id: int
    chat: Chat
    kind: str
    status: str
    text: str
    entities: tuple[Entity, ...]
    reply_to: int | None
    random_id: int
    version: int
    message_id: int | None
    attempts: int
    not_before: datetime | None
    turn_id: int | None
    promise_id: int | None
    former: tuple[str, ...] = ()
    came_from: Chat | None = None
    file_id: int | None = None
    file: str | None = None
    sends: int = 0
    may_grow: bool = False
    buttons: tuple[Button, ...] = ()

    @property
    def part(self) -> Part:
        return Part(self.chat, self.text, self.entities, self.reply_to, self.random_id, buttons=self.buttons)


@dataclass(frozen=True, slots=True)
class Shown:
    """A delivery stands in `chat`, under a number where the front tells it, with the row's text or a former one."""

    chat: Chat
    message_id: int | None
    is_current: bool = True


def new_key() -> int:
    """The key of a send: 64 bits, signed, not 0."""
    return secrets.randbits(64) - (1 << 63) or 1


def untold() -> dict[str, Any]:
    """The columns of a row that is to be told as if it had never been."""
    return {"message_id": None, "sent_at": None, "status": "ready", "random_id": new_key(), "sends": 0}
