# pyright: basic, reportArgumentType=false
"""What messages carry, as Telethon's TL types."""

from __future__ import annotations

from datetime import datetime

from telethon.tl import types as tl

from tests.world.telegram.model import Media

HERE = 2
POINT = tl.GeoPoint(13.405, 52.52, 1)


def media(file: Media | None, at: datetime):
    """The TL media of a message."""
    if file is None:
        return None
    dc_id, reference = file.dc_id or HERE, file.reference
    match file.kind:
        case "photo":
            sizes = [tl.PhotoStrippedSize("i", b"tiny"), tl.PhotoSize("y", 1280, 720, file.told_size)]
            return tl.MessageMediaPhoto(photo=tl.Photo(file.id, file.id, reference, at, sizes, dc_id))
        case "poll":
            choices = [tl.PollAnswer(_words(text), bytes([number])) for number, text in enumerate(file.choices)]
            return tl.MessageMediaPoll(tl.Poll(file.id, _words(file.name), choices, 0), tl.PollResults())
        case "contact":
            return tl.MessageMediaContact("+49 30 1", file.name, "", "", 0)
        case "location":
            return tl.MessageMediaGeo(POINT)
        case _:
            thumbs = [tl.PhotoSize("m", 320, 200, len(file.thumb))] if file.thumb else None
            size = file.told_size
            document = tl.Document(
                file.id, file.id, reference, at, file.mime, size, dc_id, _attributes(file), thumbs=thumbs
            )
            return tl.MessageMediaDocument(document=document)


def _attributes(file: Media) -> list:
    named = [tl.DocumentAttributeFilename(file.name)]
    match file.kind:
        case "voice":
            return [tl.DocumentAttributeAudio(file.seconds, voice=True)]
        case "audio":
            return [tl.DocumentAttributeAudio(file.seconds, title=file.name)]
        case "video":
            return [tl.DocumentAttributeVideo(file.seconds, 640, 480), *named]
        case "animation":
            return [tl.DocumentAttributeAnimated(), *named]
        case "sticker":
            return [tl.DocumentAttributeSticker(file.name, tl.InputStickerSetEmpty())]
        case _:
            return named


def _words(text: str):
    return tl.TextWithEntities(text, [])
