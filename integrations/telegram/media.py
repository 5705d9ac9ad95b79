# pyright: basic
"""What Telethon's messages carry beside their text, as our attachments. Pure."""

from __future__ import annotations

import re
from typing import Any

from telethon.tl import types as tl

from core.attachment import Attachment, Kind

LONGEST_NAME = 100
PHOTO_BYTES = 3_000_000  # of the sizes that Telegram keeps of a photo, the largest below this is enough for any model
PHOTO, DOCUMENT = "photo", "document"  # how a reference begins; the file's id and the size to fetch follow
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NOT_CARRIED = (type(None), tl.MessageMediaEmpty, tl.MessageMediaWebPage)


def attachments_of(raw: Any) -> tuple[Attachment, ...]:
    """The attachment of a Telethon message, if it has one: albums come as several messages."""
    media = getattr(raw, "media", None)
    if isinstance(media, _NOT_CARRIED):
        return ()
    if isinstance(media, tl.MessageMediaPhoto):
        return (_photo(media.photo),)
    if isinstance(media, tl.MessageMediaDocument):
        return (_document(media.document),)
    return (_fileless(media),)


def file_of(raw: Any) -> str | None:
    """What names the file in a message of ours, as core.message.Sent has it."""
    media = getattr(raw, "media", None)
    if isinstance(media, tl.MessageMediaPhoto):
        return PHOTO
    return _document(media.document).name if isinstance(media, tl.MessageMediaDocument) else None


def words_of(name: str) -> str:
    """`contact sign up` for ContactSignUp."""
    return _WORDS.sub(" ", name).lower()


def _photo(photo: Any) -> Attachment:
    sizes = {kind: size for kind, size in map(_size, getattr(photo, "sizes", None) or ()) if size}
    if not sizes:
        return Attachment(Kind.PHOTO)
    fitting = {kind: size for kind, size in sizes.items() if size <= PHOTO_BYTES}
    chosen = max(fitting, key=fitting.__getitem__) if fitting else min(sizes, key=sizes.__getitem__)
    return Attachment(Kind.PHOTO, "image/jpeg", sizes[chosen], reference=f"{PHOTO}/{photo.id}/{chosen}")


def _size(kept: Any) -> tuple[str, int]:
    """The type and bytes of one size that Telegram keeps of a picture; 0 of what is no file."""
    if isinstance(kept, tl.PhotoSize):
        return kept.type, kept.size
    if isinstance(kept, tl.PhotoSizeProgressive):
        return kept.type, max(kept.sizes, default=0)
    return "", 0


def _document(document: Any) -> Attachment:
    if not isinstance(document, tl.Document):
        return Attachment(Kind.DOCUMENT)
    attributes: dict[type, Any] = {type(attribute): attribute for attribute in document.attributes}
    sticker = attributes.get(tl.DocumentAttributeSticker) or attributes.get(tl.DocumentAttributeCustomEmoji)
    if sticker is not None:
        return Attachment(Kind.STICKER, note=sticker.alt or "")
    video, audio = attributes.get(tl.DocumentAttributeVideo), attributes.get(tl.DocumentAttributeAudio)
    named = attributes.get(tl.DocumentAttributeFilename)
    name = clean_name(named.file_name) if named else ""
    if video is not None or tl.DocumentAttributeAnimated in attributes:
        return _video(document, video, name)
    if audio is None:
        return Attachment(Kind.DOCUMENT, document.mime_type, document.size, name, reference=_whole(document))
    kind = Kind.VOICE if audio.voice else Kind.AUDIO
    title = name or clean_name(" - ".join(word for word in (audio.performer, audio.title) if word))
    return Attachment(kind, document.mime_type, document.size, title, audio.duration, reference=_whole(document))


def _video(document: Any, video: Any, name: str) -> Attachment:
    """Of a video its thumbnail is fetched."""
    thumbs = {kind: size for kind, size in map(_size, document.thumbs or ()) if size}
    reference = f"{DOCUMENT}/{document.id}/{max(thumbs, key=thumbs.__getitem__)}" if thumbs else None
    seconds = None if video is None else round(video.duration)
    note = "animation" if video is None else "video note" if video.round_message else ""
    return Attachment(Kind.VIDEO, document.mime_type, document.size, name, seconds, note, reference)


def _whole(document: Any) -> str:
    return f"{DOCUMENT}/{document.id}/"


def _fileless(media: Any) -> Attachment:
    """What is read without a file."""
    match media:
        case tl.MessageMediaPoll(poll=poll):
            choices = " / ".join(_plain(answer.text) for answer in poll.answers)
            return Attachment(Kind.POLL, note=f"{_plain(poll.question)} ({choices})")
        case tl.MessageMediaContact():
            name = " ".join(word for word in (media.first_name, media.last_name) if word)
            return Attachment(Kind.CONTACT, note=", ".join(word for word in (name, media.phone_number) if word))
        case tl.MessageMediaGeo() | tl.MessageMediaGeoLive():
            return Attachment(Kind.LOCATION, note=_place(media.geo))
        case tl.MessageMediaVenue():
            words = (media.title, media.address, _place(media.geo))
            return Attachment(Kind.LOCATION, note=", ".join(word for word in words if word))
        case tl.MessageMediaDice():
            return Attachment(Kind.OTHER, note=f"dice {media.emoticon} {media.value}")
        case _:
            return Attachment(Kind.OTHER, note=words_of(type(media).__name__.removeprefix("MessageMedia")))


def _place(geo: Any) -> str:
    return f"{geo.lat:.5f}, {geo.long:.5f}" if isinstance(geo, tl.GeoPoint) else ""


def _plain(text: Any) -> str:
    return str(getattr(text, "text", text))


def clean_name(name: str) -> str:
    """A name that people can read, without what would move the text around it."""
    return "".join(letter for letter in name.replace("/", "_") if letter.isprintable()).strip()[:LONGEST_NAME]
