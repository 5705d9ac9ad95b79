"""Doors that open once the product behind them is up: `/health` answers long before that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from core.errors import OwnerError
from core.group_list import GroupList
from core.protocols import PromiseView
from web.doors import (
    Audit,
    Change,
    ChatDoor,
    ChatReply,
    Feed,
    GroupDoor,
    Line,
    Listener,
    Pinger,
    PingOutcome,
    PromiseDoor,
    Question,
    Reason,
    WhyDoor,
)

REFUSED = 1_000  # refusals that are kept until they can be written down
PATIENCE = 30.0  # seconds that a request waits for the start to finish


@dataclass(frozen=True, slots=True)
class Opened:
    """The doors of a product that is up."""

    chat: ChatDoor
    promises: PromiseDoor
    why: WhyDoor
    groups: GroupDoor
    feed: Feed
    pinger: Pinger
    audit: Audit


class LateDoors:
    """Implements every door of web.doors by waiting for `open`; raises OwnerError when that takes too long."""

    def __init__(self) -> None:
        self._up = asyncio.Event()
        self._opened: Opened | None = None
        self._refused: list[tuple[str, str]] = []

    def open(self, opened: Opened) -> None:
        self._opened = opened
        self._up.set()
        for client, reason in self._refused:
            opened.audit.refuse(client, reason)
        self._refused.clear()

    async def opened(self) -> Opened:
        """The doors, when they are open. Raises OwnerError after PATIENCE."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._up.wait()
        except TimeoutError:
            raise OwnerError("Valor is still starting: GET /health says what it waits for.") from None
        assert self._opened is not None
        return self._opened

    @property
    def chat(self) -> LateChat:
        return LateChat(self)

    @property
    def promises(self) -> LatePromises:
        return LatePromises(self)

    async def why(self, chat: str, message_id: int) -> Sequence[Reason]:
        return await (await self.opened()).why.why(chat, message_id)

    async def groups(self) -> GroupList:
        return await (await self.opened()).groups.groups()

    async def watch(self) -> AsyncGenerator[Change]:
        async for change in (await self.opened()).feed.watch():
            yield change

    async def ping(self) -> PingOutcome:
        return await (await self.opened()).pinger.ping()

    def refuse(self, client: str, reason: str) -> None:
        if self._opened is not None:
            self._opened.audit.refuse(client, reason)
        elif len(self._refused) < REFUSED:
            self._refused.append((client, reason))


@dataclass(frozen=True, slots=True)
class LateChat:
    """Implements web.doors.ChatDoor."""

    late: LateDoors

    async def ask(self, question: Question, on_event: Listener) -> ChatReply:
        return await (await self.late.opened()).chat.ask(question, on_event)

    async def lines(self, chat: str, limit: int) -> Sequence[Line]:
        return await (await self.late.opened()).chat.lines(chat, limit)

    async def workspaces(self) -> Sequence[str]:
        return await (await self.late.opened()).chat.workspaces()


@dataclass(frozen=True, slots=True)
class LatePromises:
    """Implements web.doors.PromiseDoor."""

    late: LateDoors

    async def list(self, limit: int) -> Sequence[PromiseView]:
        return await (await self.late.opened()).promises.list(limit)

    async def show(self, promise_id: int) -> PromiseView:
        return await (await self.late.opened()).promises.show(promise_id)

    async def cancel(self, promise_id: int) -> PromiseView:
        return await (await self.late.opened()).promises.cancel(promise_id)
