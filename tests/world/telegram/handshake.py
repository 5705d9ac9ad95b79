# pyright: basic, reportArgumentType=false
"""The plain-text beginning: a client and the server agree on an authorisation key."""

from __future__ import annotations

import os
import time
from functools import cache
from hashlib import sha1

from telethon import helpers
from telethon.crypto import AES, AuthKey
from telethon.crypto.rsa import get_byte_array
from telethon.extensions import BinaryReader
from telethon.tl.functions import ReqDHParamsRequest, ReqPqMultiRequest, SetClientDHParamsRequest
from telethon.tl.tlobject import TLObject
from telethon.tl.types import (
    ClientDHInnerData,
    DhGenOk,
    PQInnerData,
    ResPQ,
    ServerDHInnerData,
    ServerDHParamsOk,
)

from tests.world.telegram.keys import ServerKey
from tests.world.telegram.wire import BadFrameError

P, Q = 65_537, 65_539  # small: factoring them is work for the client alone
GENERATOR = 3
# Telegram's own published safe prime (core.telegram.org/mtproto/auth_key), in groups of 64 hex digits.
PRIME = int(
    "c71caeb9c6b1c9048e6c522f70f13f73980d40238e3e21c14934d037563d930f"
    "48198a0aa7c14058229493d22530f4dbfa336f6e0ac925139543aed44cce7c37"
    "20fd51f69458705ac68cd4fe6b6b13abdc9746512969328454f18faf8c595f64"
    "2477fe96bb2a941d5bcd1d4ac8cc49880708fa9b378e3c4f3a9060bee67cf9a4"
    "a4a695811051907e162753b56b0f6b410dba74d8a84b2a14b3144e0ef1284754"
    "fd17ed950d5965b4b9dd46582db1178d169c6bc465b0d6ff9ca3928fef5b9ae4"
    "e418fc15e83ebea0f87fa9ff5eed70050ded2849f47bf959d956850ce929851f"
    "0d8115f635b105ee2e4e15d04b2454bf6f4fadf034b10403119cd8e3b92fcc5b",
    16,
)


@cache
def _half() -> tuple[int, int]:
    """Our secret exponent and its power: one for the process, since nobody attacks a test."""
    secret = int.from_bytes(os.urandom(256), "big")
    return secret, pow(GENERATOR, secret, PRIME)


class Handshake:
    """One client's way to a key. `answer` takes its requests in turn; `key` is there after the last one."""

    def __init__(self, server: ServerKey) -> None:
        self._server = server
        self._server_nonce = int.from_bytes(os.urandom(16), "big", signed=True)
        self._new_nonce = 0
        self.key: bytes | None = None

    def answer(self, request: TLObject) -> TLObject:
        """The reply to a handshake request. Raises BadFrameError for anything else."""
        if isinstance(request, ReqPqMultiRequest):
            return ResPQ(request.nonce, self._server_nonce, get_byte_array(P * Q), [self._server.fingerprint])
        if isinstance(request, ReqDHParamsRequest):
            return self._offer(request)
        if isinstance(request, SetClientDHParamsRequest):
            return self._agree(request)
        raise BadFrameError(type(request).__name__)

    def _offer(self, request: ReqDHParamsRequest) -> ServerDHParamsOk:
        inner = BinaryReader(self._server.decrypt(request.encrypted_data)[20:]).tgread_object()
        if not isinstance(inner, PQInnerData):
            raise BadFrameError("pq_inner_data")
        self._new_nonce = inner.new_nonce
        data = bytes(
            ServerDHInnerData(
                request.nonce,
                self._server_nonce,
                GENERATOR,
                get_byte_array(PRIME),
                get_byte_array(_half()[1]),
                int(time.time()),
            )
        )
        sealed = sha1(data).digest() + data
        sealed += os.urandom(-len(sealed) % 16)
        return ServerDHParamsOk(request.nonce, self._server_nonce, AES.encrypt_ige(sealed, *self._aes()))

    def _agree(self, request: SetClientDHParamsRequest) -> DhGenOk:
        inner = BinaryReader(AES.decrypt_ige(request.encrypted_data, *self._aes())[20:]).tgread_object()
        if not isinstance(inner, ClientDHInnerData):
            raise BadFrameError("client_dh_inner_data")
        shared = pow(int.from_bytes(inner.g_b, "big"), _half()[0], PRIME)
        self.key = get_byte_array(shared)
        proof = AuthKey(self.key).calc_new_nonce_hash(self._new_nonce, 1)
        return DhGenOk(request.nonce, self._server_nonce, proof)

    def _aes(self) -> tuple[bytes, bytes]:
        return helpers.generate_key_data_from_nonce(self._server_nonce, self._new_nonce)
