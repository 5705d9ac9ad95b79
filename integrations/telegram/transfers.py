# pyright: basic
"""Files to and from Telegram, part by part."""

from __future__ import annotations

import random
from typing import Any

from telethon.tl import functions as fn
from telethon.tl import types as tl

from core.attachment import File
from core.content import picture_size, picture_type
from core.errors import Undeliverable
from integrations.telegram.client import CHUNK
from integrations.telegram.line import Line
from integrations.telegram.media import PHOTO
from integrations.telegram.pages import read_message

BIG = 10 * 1024 * 1024  # above this parts go another way, and pictures go as files
SIDES = 10_000  # width and height together of what Telegram shows as a photo
RATIO = 20
PHOTO_TYPES = frozenset({"image/jpeg", "image/png"})
# How Telegram says that it will not show a picture as a photo: it can still go as a file.
NO_PHOTO = frozenset(
    {
        "PHOTO_INVALID_DIMENSIONS",
        "PHOTO_EXT_INVALID",
        "PHOTO_INVALID",
        "PHOTO_SAVE_FILE_INVALID",
        "IMAGE_PROCESS_FAILED",
        "CHAT_SEND_PHOTOS_FORBIDDEN",
    }
)


async def download(line: Line, peer: Any, message_id: int, reference: str, limit: int) -> bytes:
    """What a message carries. Its message is read anew, for what it was fetched with before may have expired."""
    kind, _, size = reference.split("/")
    held = await _held_by(line, peer, message_id)
    if held is None or not reference.startswith(f"{kind}/{held.id}/"):
        raise Undeliverable("The message, or what it carried, is not there any more.")
    make = tl.InputPhotoFileLocation if kind == PHOTO else tl.InputDocumentFileLocation
    location = make(held.id, held.access_hash, held.file_reference, size)
    return await line.download(location, held.dc_id, limit)


async def _held_by(line: Line, peer: Any, message_id: int) -> Any | None:
    """Telethon's photo or document of a message."""
    media = getattr(await read_message(line, peer, message_id), "media", None)
    held = getattr(media, "photo", None) or getattr(media, "document", None)
    return held if isinstance(held, (tl.Photo, tl.Document)) else None


async def upload(line: Line, file: File) -> Any:
    """Hand over a file's content; what a message refers to it by."""
    number, size = random.getrandbits(63), len(file.content)
    parts = max(1, -(-size // CHUNK))
    for part in range(parts):
        content = file.content[part * CHUNK : (part + 1) * CHUNK]
        if size > BIG:
            await line.call(fn.upload.SaveBigFilePartRequest(number, part, parts, content))
        else:
            await line.call(fn.upload.SaveFilePartRequest(number, part, content))
    name = file.name or "file"
    return tl.InputFileBig(number, parts, name) if size > BIG else tl.InputFile(number, parts, name, "")


def media_of(uploaded: Any, file: File, *, as_photo: bool) -> Any:
    """An uploaded file as what a message carries."""
    if as_photo:
        return tl.InputMediaUploadedPhoto(uploaded)
    named: list[Any] = [tl.DocumentAttributeFilename(file.name)]
    return tl.InputMediaUploadedDocument(uploaded, file.mime, named, force_file=True)


def is_photo(file: File) -> bool:
    """Whether Telegram would show it as a photo."""
    if picture_type(file.content) not in PHOTO_TYPES or len(file.content) > BIG:
        return False
    width, height = picture_size(file.content) or (1, 1)
    return width + height <= SIDES and max(width, height) <= RATIO * min(width, height)
