"""Files as the Bot API has them: how messages tell them, what is asked for by an id, what is sent as a form."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.message import Message
from typing import Any

from core.content import picture_type
from tests.world.telegram.model import Media, RefusalError

JSON = dict[str, Any]
MOST_FETCHED = 20 * 1024 * 1024
MOST_SENT = 50 * 1024 * 1024
WHERE = {"latitude": 52.52, "longitude": 13.405}


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in a form."""

    name: str
    mime: str
    content: bytes = field(repr=False)

    def media(self, number: int, kind: str) -> Media:
        """As a message carries it. Raises RefusalError as the service does."""
        if len(self.content) > MOST_SENT:
            raise RefusalError("TOO_LARGE", 413)
        if kind == "photo" and picture_type(self.content) is None:
            raise RefusalError("IMAGE_PROCESS_FAILED")
        return Media(number, kind, self.name, self.mime, self.content)


def read_form(kind: str, body: bytes) -> tuple[dict[str, str], dict[str, Upload]]:
    """Fields and files of a multipart form."""
    fields, files = dict[str, str](), dict[str, Upload]()
    for part in body.split(f"--{_header(kind).get_param('boundary')}".encode())[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        told = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        told = {name.lower(): value for name, value in told.items()}
        said = _header(told["content-disposition"])
        name, content = str(said.get_param("name")), content.removesuffix(b"\r\n")
        if (file := said.get_param("filename")) is None:
            fields[name] = content.decode()
        else:
            files[name] = Upload(str(file), told.get("content-type", ""), content)
    return fields, files


def _header(value: str) -> Message:
    """A header's value, whose parameters can be asked for."""
    made = Message()
    made["content-type"] = value
    return made


def media(file: Media | None) -> JSON:
    """What a message tells of what it carries."""
    if file is None:
        return {}
    match file.kind:
        case "photo":
            return {"photo": [{**_told(file), "width": 640, "height": 480}]}
        case "poll":
            return {"poll": _poll(file)}
        case "contact":
            return {"contact": {"phone_number": "+49 30 1", "first_name": file.name}}
        case "location":
            return {"location": WHERE}
        case "sticker":
            shape = {"width": 512, "height": 512, "type": "regular", "is_animated": False, "is_video": False}
            return {"sticker": {**_told(file), **shape, "emoji": file.name}}
        case _:
            return {file.kind: _playable(file)}


def _told(file: Media) -> JSON:
    return {"file_id": f"file-{file.id}", "file_unique_id": f"unique-{file.id}", "file_size": file.told_size}


def _playable(file: Media) -> JSON:
    told: JSON = {**_told(file), "file_name": file.name, "mime_type": file.mime}
    if file.kind != "document":
        told["duration"] = file.seconds
    if file.kind in {"video", "animation"}:
        told |= {"width": 640, "height": 480}
    if file.thumb:
        number = {"file_id": f"thumb-{file.id}", "file_unique_id": f"small-{file.id}", "file_size": len(file.thumb)}
        told["thumbnail"] = {**number, "width": 320, "height": 200}
    return told


def _poll(file: Media) -> JSON:
    options = [{"persistent_id": text, "text": text, "voter_count": 0} for text in file.choices]
    flags = {"is_closed": False, "is_anonymous": True, "allows_multiple_answers": False, "allows_revoting": False}
    kind = {"type": "regular", "members_only": False, "total_voter_count": 0}
    return {"id": str(file.id), "question": file.name, "options": options, **flags, **kind}


def content_of(files: dict[int, Media], file_id: str) -> bytes:
    """What a file id stands for. Raises RefusalError for one that stands for nothing."""
    kind, _, number = file_id.partition("-")
    found = files.get(int(number)) if number.isdecimal() else None
    if found is None or kind not in {"file", "thumb"}:
        raise RefusalError("wrong file_id or the file is temporarily unavailable")
    return found.content if kind == "file" else found.thumb


def told_file(files: dict[int, Media], file_id: str) -> JSON:
    """The answer to getFile. Raises RefusalError for what is too much for bots."""
    size = len(content_of(files, file_id))
    if size > MOST_FETCHED:
        raise RefusalError("file is too big")
    return {"file_id": file_id, "file_unique_id": file_id, "file_size": size, "file_path": f"files/{file_id}"}
