# pyright: basic, reportArgumentType=false
"""One TCP connection of a client: from frames to requests, from answers and events to frames."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING

from telethon.errors import TypeNotFoundError
from telethon.extensions import BinaryReader
from telethon.tl import functions as fn
from telethon.tl import types as tl
from telethon.tl.core import GzipPacked, RpcResult
from telethon.tl.tlobject import TLObject

from tests.world.telegram import render
from tests.world.telegram.handshake import Handshake
from tests.world.telegram.keys import Authorization
from tests.world.telegram.model import Event, Person
from tests.world.telegram.wire import NOT_FOUND, BadFrameError, Frames, Incoming, MessageIds, open_packet, seal, unpack

if TYPE_CHECKING:
    from tests.world.telegram.server import Server

GZIP_OVER = 16_384
HEADER = struct.Struct("<qqqii")
WRAPPERS = (
    fn.InvokeWithLayerRequest,
    fn.InitConnectionRequest,
    fn.InvokeWithoutUpdatesRequest,
    fn.InvokeAfterMsgRequest,
    fn.InvokeAfterMsgsRequest,
)


class Link(asyncio.Protocol):
    """A connection; a Listener of its account once that account has asked something over it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.authorization: Authorization | None = None
        self.session = 0
        self.transport: asyncio.Transport | None = None
        self._frames = Frames()
        self._ids = MessageIds()
        self._seq = 0
        self._handshake: Handshake | None = None

    @property
    def person(self) -> Person | None:
        return self.authorization.person if self.authorization else None

    @property
    def open(self) -> bool:
        return self.transport is not None and not self.transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.server.links.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.links.discard(self)
        self.transport = None
        self.forget()

    def data_received(self, data: bytes) -> None:
        try:
            for packet in self._frames.feed(data):
                if self.open:
                    self._take(packet)
        except BadFrameError:
            self.drop()

    def drop(self) -> None:
        """Cut the connection at once, as a network does."""
        if self.transport:
            self.transport.abort()

    def forget(self) -> None:
        """Stop hearing events of the account."""
        if self.person and self in self.person.listeners:
            self.person.listeners.remove(self)
            self.server.ledger.wake()

    def hear(self, event: Event) -> None:
        person = self.person
        assert person
        for due in self.server.faults.updates_due(person, event):
            self.tell(bytes(render.push(due, person)))

    def tell(self, body: bytes) -> None:
        """Send something nobody asked for."""
        self._send(body, answer=False)

    def answer(self, msg_id: int, result: bytes) -> None:
        """Send the result of a request (packed with gzip when it is long)."""
        if len(result) > GZIP_OVER:
            result = bytes(GzipPacked(result))
        self._send(struct.pack("<Iq", RpcResult.CONSTRUCTOR_ID, msg_id) + result, answer=True)

    def fail(self, msg_id: int, code: int, name: str) -> None:
        self.answer(msg_id, bytes(tl.RpcError(code, name)))

    def listen(self) -> None:
        """From now on this connection is told what happens in its account."""
        if self.person and self not in self.person.listeners:
            self.person.listeners.append(self)
            self.server.ledger.wake()

    def _take(self, packet: bytes) -> None:
        if len(packet) < 24:
            raise BadFrameError("short")
        (key_id,) = struct.unpack_from("<q", packet)
        if key_id == 0:
            self._shake(packet)
            return
        authorization = self.server.authorizations.get(key_id & 0xFFFF_FFFF_FFFF_FFFF)
        if authorization is None:
            self._write(NOT_FOUND)
            return
        self.authorization = authorization
        self._open(authorization, open_packet(authorization.key, packet))

    def _shake(self, packet: bytes) -> None:
        self._handshake = self._handshake or Handshake(self.server.key)
        reply = bytes(self._handshake.answer(BinaryReader(packet[20:]).tgread_object()))
        self._write(struct.pack("<qqi", 0, self._ids.next(answer=True), len(reply)) + reply)
        if self._handshake.key:
            self.server.admit(Authorization(self._handshake.key))
            self._handshake = None

    def _open(self, authorization: Authorization, incoming: Incoming) -> None:
        if self.session != incoming.session:
            self.session, self._seq = incoming.session, 0
        if incoming.salt != authorization.salt:
            notice = tl.BadServerSalt(incoming.msg_id, incoming.seq, 48, authorization.salt)
            self._send(bytes(notice), answer=True)
            return
        if incoming.session not in authorization.sessions:
            authorization.sessions.add(incoming.session)
            self.tell(bytes(tl.NewSessionCreated(incoming.msg_id, incoming.session, authorization.salt)))
        for msg_id, body in unpack(incoming.msg_id, incoming.body):
            if self.open:
                self._serve(msg_id, body)

    def _serve(self, msg_id: int, body: bytes) -> None:
        try:
            request = BinaryReader(body).tgread_object()
        except TypeNotFoundError as error:
            self.server.refuse_unknown(self, msg_id, f"{error.invalid_constructor_id:08x}")
            return
        if isinstance(request, fn.PingRequest | fn.PingDelayDisconnectRequest):
            self._send(bytes(tl.Pong(msg_id, request.ping_id)), answer=True)
        elif isinstance(request, fn.DestroySessionRequest):
            self._send(bytes(tl.DestroySessionNone(request.session_id)), answer=True)
        elif not isinstance(request, tl.MsgsAck | tl.MsgsStateInfo):
            inner, updates = unwrap(request)
            self.server.serve(self, msg_id, inner, updates=updates)

    def _send(self, body: bytes, *, answer: bool) -> None:
        if self.authorization is None or not self.open:
            return
        head = HEADER.pack(
            self.authorization.salt, self.session, self._ids.next(answer=answer), self._seq * 2 + 1, len(body)
        )
        self._seq += 1
        self._write(seal(self.authorization.key, self.authorization.key_id, head + body))

    def _write(self, payload: bytes) -> None:
        if self.transport and self.open:
            self.transport.write(self._frames.pack(payload))


def unwrap(request: TLObject) -> tuple[TLObject, bool]:
    """The request inside its wrappers, and whether the caller wants updates on this connection."""
    updates = True
    while isinstance(request, WRAPPERS):
        updates = updates and not isinstance(request, fn.InvokeWithoutUpdatesRequest)
        request = request.query
    return request, updates
