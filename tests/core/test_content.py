from __future__ import annotations

import struct

import pytest

from core.content import picture_size, picture_type, sound_type
from tests.world.content import GIF, JPEG, PNG, WAV, make_jpeg, make_png


@pytest.mark.parametrize(
    ("content", "mime", "size"),
    [
        (PNG, "image/png", (1, 1)),
        (make_png(640, 480), "image/png", (640, 480)),
        (GIF, "image/gif", (1, 1)),
        (JPEG, "image/jpeg", (1, 1)),
        (make_jpeg(1280, 720), "image/jpeg", (1280, 720)),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp", None),
        (b"%PDF-1.7", None, None),
        (b"", None, None),
    ],
)
def test_b11_a_picture_is_known_by_its_bytes(content: bytes, mime: str | None, size: tuple[int, int] | None) -> None:
    assert (picture_type(content), picture_size(content)) == (mime, size)


@pytest.mark.parametrize("content", [PNG[:18], JPEG[:4], b"\xff\xd8\xff\xe0\xff", b"\xff\xd8\xff\x00\x00\x02ab"])
def test_b11_the_size_of_a_torn_picture_is_not_told(content: bytes) -> None:
    assert picture_size(content) is None


@pytest.mark.parametrize(
    ("content", "ending"),
    [
        (WAV, "wav"),
        (b"OggS" + bytes(10), "ogg"),
        (b"ID3\x04", "mp3"),
        (struct.pack(">I", 32) + b"ftypM4A ", "m4a"),
        (b"fLaC", "flac"),
        (b"\x1a\x45\xdf\xa3", "webm"),
        (b"MZ a program", None),
        (b"", None),
    ],
)
def test_b11_a_sound_is_known_by_its_bytes(content: bytes, ending: str | None) -> None:
    assert sound_type(content) == ending
