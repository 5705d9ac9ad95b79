# pyright: basic, reportArgumentType=false
"""MTProto on the wire, server side: TCP-full frames, message encryption 2.0, message ids. Knows no request."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from zlib import crc32

from telethon.crypto import AES
from telethon.tl.core import GzipPacked, MessageContainer

HEADER = struct.Struct("<qqqii")
NOT_FOUND = struct.pack("<i", -404)


class BadFrameError(Exception):
    """The peer does not speak this transport."""


class Frames:
    """Cuts a byte stream into TCP-full packets and makes such packets."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._sent = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._buffer += data
        while len(self._buffer) >= 12:
            (size,) = struct.unpack_from("<i", self._buffer)
            if size < 12 or size > 1 << 24:
                raise BadFrameError(size)
            if len(self._buffer) < size:
                return
            packet = bytes(self._buffer[:size])
            del self._buffer[:size]
            if crc32(packet[:-4]) != struct.unpack_from("<I", packet, size - 4)[0]:
                raise BadFrameError("checksum")
            yield packet[8:-4]

    def pack(self, payload: bytes) -> bytes:
        packet = struct.pack("<ii", len(payload) + 12, self._sent) + payload
        self._sent += 1
        return packet + struct.pack("<I", crc32(packet))


def _aes(key: bytes, msg_key: bytes, side: int) -> tuple[bytes, bytes]:
    a = sha256(msg_key + key[side : side + 36]).digest()
    b = sha256(key[side + 40 : side + 76] + msg_key).digest()
    return a[:8] + b[8:24] + a[24:32], b[:8] + a[8:24] + b[24:32]


@dataclass(frozen=True)
class Incoming:
    """One decrypted packet of a client."""

    salt: int
    session: int
    msg_id: int
    seq: int
    body: bytes


def open_packet(key: bytes, packet: bytes) -> Incoming:
    """Decrypt what a client sent. Raises BadFrameError when it was not sealed with this key."""
    msg_key = packet[8:24]
    aes_key, iv = _aes(key, msg_key, 0)
    plain = AES.decrypt_ige(packet[24:], aes_key, iv)
    if sha256(key[88:120] + plain).digest()[8:24] != msg_key:
        raise BadFrameError("msg_key")
    salt, session, msg_id, seq, size = HEADER.unpack_from(plain)
    return Incoming(salt, session, msg_id, seq, plain[HEADER.size : HEADER.size + size])


def seal(key: bytes, key_id: int, plain: bytes) -> bytes:
    """Encrypt a server's message (salt, session, id, seq, size, body)."""
    plain += os.urandom(-(len(plain) + 12) % 16 + 12)
    msg_key = sha256(key[96:128] + plain).digest()[8:24]
    aes_key, iv = _aes(key, msg_key, 8)
    return struct.pack("<Q", key_id) + msg_key + AES.encrypt_ige(plain, aes_key, iv)


def unpack(msg_id: int, body: bytes) -> Iterator[tuple[int, bytes]]:
    """The messages of a packet: a container's in order, gzip opened."""
    (constructor,) = struct.unpack_from("<I", body)
    if constructor == GzipPacked.CONSTRUCTOR_ID:
        yield from unpack(msg_id, _gunzip(body))
    elif constructor == MessageContainer.CONSTRUCTOR_ID:
        (count,) = struct.unpack_from("<i", body, 4)
        at = 8
        for _ in range(count):
            inner_id, _seq, size = struct.unpack_from("<qii", body, at)
            yield from unpack(inner_id, body[at + 16 : at + 16 + size])
            at += 16 + size
    else:
        yield msg_id, body


def _gunzip(body: bytes) -> bytes:
    from telethon.extensions import BinaryReader

    return GzipPacked.read(BinaryReader(body))


class MessageIds:
    """Server message ids: time, growing, odd (1 answers, 3 tells)."""

    def __init__(self) -> None:
        self._last = 0

    def next(self, *, answer: bool) -> int:
        wanted = (int(time.time() * (1 << 32)) >> 2) << 2
        self._last = max(wanted, (self._last >> 2 << 2) + 4)
        return self._last + (1 if answer else 3)
