# pyright: basic, reportArgumentType=false
"""The server's RSA key pair and the authorisation keys that clients agreed with it."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import rsa
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa as rsa_keys
from telethon.crypto import AuthKey
from telethon.crypto.rsa import _compute_fingerprint

from tests.world.telegram.model import Person

if TYPE_CHECKING:
    from tests.world.telegram.srp import Challenge


@dataclass(frozen=True)
class ServerKey:
    """An RSA pair: `pem` is the public half as Telethon reads it (PKCS #1)."""

    pem: str
    private_pem: str
    fingerprint: int
    modulus: int
    exponent: int

    def decrypt(self, block: bytes) -> bytes:
        """The 255 bytes that a client sealed for us."""
        return pow(int.from_bytes(block, "big"), self.exponent, self.modulus).to_bytes(256, "big")[1:]

    def write(self, folder: Path) -> Path:
        """Write both halves to a folder; returns the path of the public one."""
        public = folder / "telegram-server.pem"
        public.write_text(self.pem)
        private = folder / "telegram-server-private.pem"
        private.touch(mode=0o600)
        private.write_text(self.private_pem)
        return public


def make_key() -> ServerKey:
    pair = rsa_keys.generate_private_key(public_exponent=65537, key_size=2048)
    pem = pair.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1).decode()
    private = pair.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()
    numbers = pair.private_numbers()
    fingerprint = _compute_fingerprint(rsa.PublicKey(numbers.public_numbers.n, 65537))
    return ServerKey(pem, private, fingerprint, numbers.public_numbers.n, numbers.d)


@functools.cache
def process_key() -> ServerKey:
    """One pair for all worlds of this process: making one takes a tenth of a second."""
    return make_key()


@dataclass(eq=False)
class Authorization:
    """An authorisation key, and whose account it opens (None before sign-in).

    `dc_id` is set where it was brought from here to another data centre, to fetch files. `half_in` has given the right
    code and owes the password; `challenge` is the latest question for one, good for one answer.
    """

    key: bytes
    person: Person | None = None
    dc_id: int | None = None
    half_in: Person | None = None
    challenge: Challenge | None = None
    salt: int = field(default_factory=lambda: int.from_bytes(os.urandom(8), "little", signed=True))
    sessions: set[int] = field(default_factory=set)

    @property
    def key_id(self) -> int:
        return key_id_of(self.key)


def key_id_of(key: bytes) -> int:
    key_id = AuthKey(key).key_id
    assert key_id is not None
    return key_id
