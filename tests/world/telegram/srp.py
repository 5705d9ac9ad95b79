"""Two-step verification as the server does it: it keeps a verifier, and checks a proof that never holds the password.

Written from Telegram's own description (core.telegram.org/api/srp), not from Telethon, which is what it is to test.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass, field
from functools import cache

from tests.world.telegram.handshake import GENERATOR, PRIME

SIZE = 256  # bytes of every number that is hashed
ROUNDS = 100_000
PRIME_BYTES = PRIME.to_bytes(SIZE, "big")


@dataclass(frozen=True)
class Verifier:
    """All that a server knows of a password: two salts, and the generator to the power of a hash of it."""

    salt1: bytes = field(repr=False)
    salt2: bytes = field(repr=False)
    value: int = field(repr=False)


@cache
def verifier_of(password: str) -> Verifier:
    """Once for each password of this process: the many rounds take a while."""
    salt1, salt2 = os.urandom(40), os.urandom(16)
    first = _salted(_salted(password.encode(), salt1), salt2)
    exponent = _salted(hashlib.pbkdf2_hmac("sha512", first, salt1, ROUNDS), salt2)
    return Verifier(salt1, salt2, pow(GENERATOR, int.from_bytes(exponent, "big"), PRIME))


class Challenge:
    """One question for a password: `id` and `public` go to the client, the secret exponent stays here."""

    def __init__(self, verifier: Verifier) -> None:
        self.id = int.from_bytes(os.urandom(8), "little", signed=True)
        self.verifier = verifier
        self._secret = int.from_bytes(os.urandom(SIZE), "big")
        multiplier = _number(PRIME_BYTES, _padded(GENERATOR))
        power = pow(GENERATOR, self._secret, PRIME)
        self.public = _padded((multiplier * verifier.value + power) % PRIME)

    def is_met(self, public: bytes, proof: bytes) -> bool:
        """Whether the client's number and proof (A and M1) show that it knows the password."""
        theirs = int.from_bytes(public, "big")
        if not 1 < theirs < PRIME - 1:  # with 0 or a multiple of the prime anybody could prove anything
            return False
        return hmac.compare_digest(proof, self._expected(theirs))

    def _expected(self, theirs: int) -> bytes:
        known = self.verifier
        mixed = _number(_padded(theirs), self.public)
        shared = pow(theirs * pow(known.value, mixed, PRIME), self._secret, PRIME)
        groups = zip(_hash(PRIME_BYTES), _hash(_padded(GENERATOR)), strict=True)
        return _hash(
            bytes(one ^ other for one, other in groups),
            _hash(known.salt1),
            _hash(known.salt2),
            _padded(theirs),
            self.public,
            _hash(_padded(shared)),
        )


def _hash(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def _number(*parts: bytes) -> int:
    return int.from_bytes(_hash(*parts), "big")


def _salted(data: bytes, salt: bytes) -> bytes:
    return _hash(salt, data, salt)


def _padded(number: int) -> bytes:
    return number.to_bytes(SIZE, "big")
