# pyright: basic, reportArgumentType=false
"""The listening server: connections, who is authorised, and every request's way to its answer."""

from __future__ import annotations

import asyncio
import logging
import struct

from telethon.tl.tlobject import TLObject

from tests.world.telegram import rpc_account, rpc_chats, rpc_files, rpc_history, rpc_messages, rpc_updates
from tests.world.telegram.faults import Fault, FaultKind, Faults
from tests.world.telegram.keys import Authorization, ServerKey
from tests.world.telegram.link import Link
from tests.world.telegram.model import RefusalError
from tests.world.telegram.rpc import Answer, Call
from tests.world.telegram.society import Society

ANSWERS = (
    rpc_account.ANSWERS
    | rpc_chats.ANSWERS
    | rpc_messages.ANSWERS
    | rpc_history.ANSWERS
    | rpc_updates.ANSWERS
    | rpc_files.ANSWERS
)
LOG = logging.getLogger(__name__)
VECTOR = 0x1CB5C415
TRUE, FALSE = struct.pack("<I", 0x997275B5), struct.pack("<I", 0xBC799737)


class Server:
    """Speaks MTProto for a Society. `dc_id` is what it calls itself; address and port are known once it listens."""

    def __init__(self, society: Society, key: ServerKey, dc_id: int = 2) -> None:
        self.society = society
        self.ledger = society.ledger
        self.faults = Faults()
        self.key = key
        self.dc_id = dc_id
        self.host = "127.0.0.1"
        self.port = 0
        self.authorizations: dict[int, Authorization] = {}
        self.links: set[Link] = set()
        self.bugs: list[Exception] = []
        self._listening: asyncio.Server | None = None

    async def listen(self) -> None:
        """Open the port (the same as before when it was open once)."""
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(lambda: Link(self), self.host, self.port)
        self.port = self._listening.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Refuse connections and cut those that are open."""
        if self._listening:
            self._listening.close()
            self._listening = None
        for link in tuple(self.links):
            link.drop()
        await asyncio.sleep(0)

    def admit(self, authorization: Authorization) -> None:
        self.authorizations[authorization.key_id] = authorization

    def refuse_unknown(self, link: Link, msg_id: int, name: str) -> None:
        self.ledger.unknown.append(name)
        self.ledger.answered(link.person, name, "METHOD_UNKNOWN")
        link.fail(msg_id, 400, f"METHOD_UNKNOWN_{name}")

    def serve(self, link: Link, msg_id: int, request: TLObject, *, updates: bool) -> None:
        """Answer one request, or misbehave as planned."""
        method = method_name(type(request))
        answer = ANSWERS.get(type(request))
        if answer is None:
            self.refuse_unknown(link, msg_id, method)
            return
        person = link.person
        faults = self.faults.take(person, method)
        if any(fault.kind is FaultKind.CUT for fault in faults):
            self.ledger.answered(person, method, "cut")
            link.drop()
            return
        reply = Reply(link, msg_id, method)
        try:
            self._reply(reply, Call(self, link, request, faults), answer, faults)
        except (
            Exception
        ) as bug:  # the outermost loop of this server: a bug of ours must not look like a lost connection
            LOG.exception("the played Telegram failed to answer %s", method)
            self.bugs.append(bug)
            reply.fail(400, "INTERNAL_BUG_OF_THE_TEST_WORLD", 0.0)
        is_elsewhere = link.authorization is not None and link.authorization.dc_id is not None
        if updates and link.open and not is_elsewhere:
            link.listen()

    def _reply(self, reply: Reply, call: Call, answer: Answer, faults: list[Fault]) -> None:
        person = call.link.person
        try:
            refuse_as_planned(faults)
            result = encode(answer(call))
        except RefusalError as refusal:
            self.ledger.answered(person, reply.method, refusal.name)
            reply.fail(refusal.code, refusal.name, delay_of(faults))
            return
        lost = next((fault for fault in faults if fault.kind is FaultKind.LOSE), None)
        self.ledger.answered(call.link.person or person, reply.method, "lost" if lost else "ok")
        if lost is None:
            reply.send(result, delay_of(faults))
        elif lost.seconds:
            call.link.drop()


class Reply:
    """Where a result goes, now or later."""

    def __init__(self, link: Link, msg_id: int, method: str) -> None:
        self._link = link
        self._msg_id = msg_id
        self.method = method

    def send(self, result: bytes, delay: float) -> None:
        if delay:
            asyncio.get_running_loop().call_later(delay, self._link.answer, self._msg_id, result)
        else:
            self._link.answer(self._msg_id, result)

    def fail(self, code: int, name: str, delay: float) -> None:
        if delay:
            asyncio.get_running_loop().call_later(delay, self._link.fail, self._msg_id, code, name)
        else:
            self._link.fail(self._msg_id, code, name)


def refuse_as_planned(faults: list[Fault]) -> None:
    for fault in faults:
        if fault.kind is FaultKind.ERROR:
            raise RefusalError(fault.name, fault.code)


def delay_of(faults: list[Fault]) -> float:
    return sum(fault.seconds for fault in faults if fault.kind is FaultKind.SLOW)


def encode(result: object) -> bytes:
    """A result as its boxed bytes: objects, booleans, and vectors of objects or of longs."""
    if result is True or result is False:
        return TRUE if result else FALSE
    if isinstance(result, list):
        items = [struct.pack("<q", item) if isinstance(item, int) else bytes(item) for item in result]
        return struct.pack("<Ii", VECTOR, len(items)) + b"".join(items)
    assert isinstance(result, TLObject), result
    return bytes(result)


def method_name(request: type) -> str:
    """`messages.sendMessage` for SendMessageRequest, as Telegram's pages name it."""
    family = request.__module__.rpartition(".")[2]
    name = request.__name__.removesuffix("Request")
    name = name[:1].lower() + name[1:]
    return name if family in ("functions", "types") else f"{family}.{name}"
