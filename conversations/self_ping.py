"""The self-ping: a nonce goes out through a front, comes in, is stored, answered, delivered, and deleted."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from datetime import timedelta

from conversations import chat_store
from conversations.inbox import Inbox
from conversations.reception import Reception
from core.clock import Clock
from core.database import Database
from core.errors import Unreachable, ValorError
from core.events import Events, Told, Watch
from core.message import Part
from core.protocols import Front

DEADLINE = 15.0
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class SelfPing:
    """Shows that a front's whole road works, without a model. Asked twice, one after the other."""

    database: Database
    clock: Clock
    events: Events
    inbox: Inbox
    reception: Reception
    deadline: float = DEADLINE
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def ping(self, front: Front) -> float:
        """How long the nonce took, in seconds. Raises ValorError when it does not come back."""
        async with self.turn:
            return await self._ping(front)

    async def _ping(self, front: Front) -> float:
        nonce = secrets.token_hex(8)
        begun = self.clock.boot()
        if await front.prove():
            return self.clock.boot() - begun
        try:
            async with asyncio.timeout(self.deadline):
                with self.events.watch() as watch, self.inbox.expecting(nonce):
                    sent = await self._send(front, nonce)
                    answered = await _come_back(watch, front, nonce)
        except TimeoutError:
            raise Unreachable(f"The self-ping did not come back within {self.deadline:.0f} s.") from None
        await front.delete(front.own_chat, [sent, answered])
        await self.database.write("forget", lambda connection: chat_store.forget_chat(connection, front.own_chat))
        return self.clock.boot() - begun

    async def _send(self, front: Front, nonce: str) -> int:
        """Send it, and read it where it arrived: a session hears nothing live of what it said itself."""
        key = secrets.randbits(62) + 1
        sent = await front.send(Part(front.own_chat, f"/self-ping {nonce}", random_id=key))
        async for page in front.history(front.own_chat, sent - 1, self.clock.now() - HOUR):
            for message in page:
                await self.reception.take(message)
        return sent


async def _come_back(watch: Watch, front: Front, nonce: str) -> int:
    async for event in watch:
        if isinstance(event, Told) and event.chat == front.own_chat and event.text == nonce and event.message_id:
            return event.message_id
    raise ValorError("The self-ping was given up.")
