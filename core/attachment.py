"""What messages carry beside their text: frozen, vendor-free."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What an attachment is. The values are stored: they do not change."""

    PHOTO = "photo"
    VOICE = "voice message"
    AUDIO = "audio"
    VIDEO = "video"
    DOCUMENT = "document"
    STICKER = "sticker"
    POLL = "poll"
    CONTACT = "contact"
    LOCATION = "location"
    OTHER = "attachment"


@dataclass(frozen=True, slots=True)
class Attachment:
    """Something in a message, as its sender's client named it: nothing of this is to be believed of the content.

    `size` is the file's in bytes, `note` what there is to read without a file (a sticker's emoji, a poll's question).
    `reference` is what the front fetches the file by, beside the message (of a video: its thumbnail); None where there
    is nothing to fetch.
    """

    kind: Kind
    mime: str = ""
    size: int = 0
    name: str = ""
    seconds: int | None = None
    note: str = ""
    reference: str | None = None

    @property
    def label(self) -> str:
        """What it is, in a few words: `document report.pdf, 120 KB`."""
        length = None if self.seconds is None else tell_length(self.seconds)
        facts = ", ".join(fact for fact in (length, tell_size(self.size) if self.size else None) if fact)
        named = " ".join(word for word in (self.kind, self.name) if word)
        known = f"{named}, {facts}" if facts else named
        return f"{known}: {self.note}" if self.note else known


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture for a model to look at: `mime` is what its bytes are, `place` where they lie in data/media."""

    mime: str
    content: bytes = field(repr=False)
    place: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """A file that is sent to a chat."""

    name: str
    mime: str
    content: bytes = field(repr=False)


def tell_length(seconds: int) -> str:
    """`1:02:03`, or `0:07`."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def tell_size(size: int) -> str:
    """A number of bytes as people read it."""
    amount, unit = float(size), "bytes"
    for larger in ("KB", "MB", "GB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if unit in {"bytes", "KB"} or amount >= 10 else f"{amount:.1f} {unit}"
