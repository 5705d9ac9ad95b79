"""What the Bot API's messages carry beside their text, as our attachments. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import telegram

from core.attachment import Attachment, Kind
from integrations.telegram.media import PHOTO_BYTES, clean_name

JSON = dict[str, Any]


def attachments_of(raw: telegram.Message) -> tuple[Attachment, ...]:
    """The attachment of a message, if it has one: albums come as several messages."""
    held = ((name, getattr(raw, name, None)) for name in CONTENTS)
    name, content = next(((name, content) for name, content in held if content), ("", None))
    if not content:
        return ()
    if isinstance(content, tuple):
        return (_photo([size.to_dict() for size in raw.photo]),)
    make = MAKERS.get(name)
    return (Attachment(Kind.OTHER, note=name.replace("_", " ")) if make is None else make(content.to_dict()),)


def album_of(raw: telegram.Message) -> int | None:
    group = raw.media_group_id or ""
    return int(group) if group.isdecimal() else None


def _photo(sizes: list[JSON]) -> Attachment:
    """The largest size that any model takes; where none is so small, the smallest."""
    fitting = [size for size in sizes if size.get("file_size", 0) <= PHOTO_BYTES]
    chosen = max(fitting, key=_area) if fitting else min(sizes, key=_area)
    return Attachment(Kind.PHOTO, "image/jpeg", chosen.get("file_size", 0), reference=chosen["file_id"])


def _area(size: JSON) -> int:
    return size["width"] * size["height"]


def _document(held: JSON) -> Attachment:
    return _file(Kind.DOCUMENT, held, clean_name(held.get("file_name", "")))


def _voice(held: JSON) -> Attachment:
    return _file(Kind.VOICE, held, "")


def _audio(held: JSON) -> Attachment:
    title = " - ".join(word for word in (held.get("performer"), held.get("title")) if word)
    return _file(Kind.AUDIO, held, clean_name(held.get("file_name") or title))


def _file(kind: Kind, held: JSON, name: str) -> Attachment:
    mime, size = held.get("mime_type", ""), held.get("file_size", 0)
    return Attachment(kind, mime, size, name, held.get("duration"), reference=held["file_id"])


def _video(held: JSON, note: str = "") -> Attachment:
    """Of a video its thumbnail is fetched."""
    thumb = held.get("thumbnail", {}).get("file_id")
    name, mime, size = clean_name(held.get("file_name", "")), held.get("mime_type", ""), held.get("file_size", 0)
    return Attachment(Kind.VIDEO, mime, size, name, held.get("duration"), note, thumb)


def _animation(held: JSON) -> Attachment:
    return _video(held, "animation")


def _video_note(held: JSON) -> Attachment:
    return _video(held, "video note")


def _sticker(held: JSON) -> Attachment:
    return Attachment(Kind.STICKER, note=held.get("emoji", ""))


def _poll(held: JSON) -> Attachment:
    choices = " / ".join(option["text"] for option in held["options"])
    return Attachment(Kind.POLL, note=f"{held['question']} ({choices})")


def _contact(held: JSON) -> Attachment:
    name = " ".join(word for word in (held.get("first_name"), held.get("last_name")) if word)
    return Attachment(Kind.CONTACT, note=", ".join(word for word in (name, held.get("phone_number")) if word))


def _venue(held: JSON) -> Attachment:
    return Attachment(Kind.LOCATION, note=f"{held['title']}, {held['address']}, {_place(held['location'])}")


def _location(held: JSON) -> Attachment:
    return Attachment(Kind.LOCATION, note=_place(held))


def _place(held: JSON) -> str:
    return f"{held['latitude']:.5f}, {held['longitude']:.5f}"


def _dice(held: JSON) -> Attachment:
    return Attachment(Kind.OTHER, note=f"dice {held['emoji']} {held['value']}")


MAKERS: dict[str, Callable[[JSON], Attachment]] = {
    "animation": _animation,
    "sticker": _sticker,
    "video_note": _video_note,
    "video": _video,
    "voice": _voice,
    "audio": _audio,
    "document": _document,
    "poll": _poll,
    "venue": _venue,
    "location": _location,
    "contact": _contact,
    "dice": _dice,
}
# What people send, the more telling name first where one message has two.
CONTENTS = (
    *("photo", *MAKERS),
    *("story", "live_photo", "paid_media", "checklist", "game", "invoice", "giveaway"),
)
