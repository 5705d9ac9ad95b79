"""What bytes are, told from the bytes themselves: names and types that come with a file prove nothing."""

from __future__ import annotations

import struct

PICTURES = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
SOUNDS = {
    b"OggS": "ogg",
    b"fLaC": "flac",
    b"ID3": "mp3",
    b"\xff\xfb": "mp3",
    b"\xff\xf3": "mp3",
    b"\xff\xf2": "mp3",
    b"\x1a\x45\xdf\xa3": "webm",
}
FRAMES = frozenset({*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)})


def picture_type(content: bytes) -> str | None:
    """`image/png` and the like, of the pictures that models and chats show; None of everything else."""
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    return next((mime for start, mime in PICTURES.items() if content.startswith(start)), None)


def sound_type(content: bytes) -> str | None:
    """The ending that names a sound file of this kind; None of what is no sound."""
    if content.startswith(b"RIFF") and content[8:12] == b"WAVE":
        return "wav"
    if content[4:8] == b"ftyp":
        return "m4a"
    return next((ending for start, ending in SOUNDS.items() if content.startswith(start)), None)


def picture_size(content: bytes) -> tuple[int, int] | None:
    """Width and height of a JPEG, PNG or GIF; None where they cannot be told."""
    try:
        match picture_type(content):
            case "image/png":
                return struct.unpack(">II", content[16:24])
            case "image/gif":
                return struct.unpack("<HH", content[6:10])
            case "image/jpeg":
                return _jpeg_size(content)
            case _:
                return None
    except (struct.error, IndexError):
        return None


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    """From the frame's header, past the segments before it."""
    at = 2
    while content[at] == 0xFF:
        if content[at + 1] in FRAMES:
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return width, height
        at += 2 + struct.unpack(">H", content[at + 2 : at + 4])[0]
    return None
