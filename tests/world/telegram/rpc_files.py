# pyright: basic, reportArgumentType=false
"""Files: parts in, documents and photos sent, parts out."""

from __future__ import annotations

from typing import Any

from telethon.tl import functions as fn
from telethon.tl import types as tl

from core.content import picture_type
from tests.world.telegram.model import Media, RefusalError
from tests.world.telegram.rpc import Answer, Call
from tests.world.telegram.rpc_messages import draft, sent


def save_part(call: Call) -> bool:
    request = call.request
    key = (call.me.id, request.file_id)
    call.society.uploads.setdefault(key, {})[request.file_part] = request.bytes
    return True


def send_media(call: Call):
    chat = call.chat(call.request.peer)
    return sent(call, call.society.send(draft(call, chat, media=_media(call)), call.link))


def _media(call: Call) -> Media:
    given = call.request.media
    file: Any = given.file if hasattr(given, "file") else None
    if isinstance(given, tl.InputMediaUploadedDocument):
        names = [item.file_name for item in given.attributes if isinstance(item, tl.DocumentAttributeFilename)]
        name = names[0] if names else file.name
        return _made(call, "document", name, given.mime_type)
    if isinstance(given, tl.InputMediaUploadedPhoto):
        return _made(call, "photo", file.name, "image/jpeg")
    raise RefusalError("MEDIA_INVALID")


def _made(call: Call, kind: str, name: str, mime: str) -> Media:
    parts = call.society.uploads.pop((call.me.id, call.request.media.file.id), {})
    if len(parts) != call.request.media.file.parts:
        raise RefusalError("FILE_PARTS_INVALID")
    content = b"".join(parts[number] for number in sorted(parts))
    if kind == "photo" and picture_type(content) is None:
        raise RefusalError("IMAGE_PROCESS_FAILED")
    return Media(next(call.society.numbers.files), kind, name, mime, content)


def get_file(call: Call):
    request = call.request
    location = request.location
    media = call.society.files.get(getattr(location, "id", 0))
    if media is None:
        raise RefusalError("FILE_ID_INVALID")
    if location.file_reference != media.reference:
        raise RefusalError("FILE_REFERENCE_EXPIRED")
    assert call.link.authorization
    if (media.dc_id or call.server.dc_id) != (call.link.authorization.dc_id or call.server.dc_id):
        raise RefusalError(f"FILE_MIGRATE_{media.dc_id}", 303)
    is_thumb = isinstance(location, tl.InputDocumentFileLocation) and location.thumb_size
    content = media.thumb if is_thumb else media.content
    part = content[request.offset : request.offset + request.limit]
    return tl.upload.File(tl.storage.FilePartial(), 0, part)


ANSWERS: dict[type, Answer] = {
    fn.upload.SaveFilePartRequest: save_part,
    fn.upload.SaveBigFilePartRequest: save_part,
    fn.messages.SendMediaRequest: send_media,
    fn.upload.GetFileRequest: get_file,
}
