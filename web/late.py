"""Doors that open once the product behind them is up: `/health` answers long before that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.checks import Snapshot
from core.clock import Clock
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
    Kept,
    LetterDoor,
    Line,
    Listener,
    Pinger,
    PingOutcome,
    PromiseDoor,
    Question,
    Reason,
    RunDoor,
    WebDoors,
    WebhookDoor,
    WebRules,
    WhyDoor,
)

if TYPE_CHECKING:
    from conversations.dead_letter_store import DeadLetter
    from promises.agenda import Appointment
    from runtime.traces import Trace

REFUSED = 1_000  # refusals that are kept until they can be written down
PATIENCE = 30.0  # seconds that a request waits for the start to finish


@dataclass(frozen=True, slots=True)
class Opened:
    """The doors of a product that is up."""

    chat: ChatDoor
    promises: PromiseDoor
    letters: LetterDoor
    runs: RunDoor
    why: WhyDoor
    groups: GroupDoor
    feed: Feed
    pinger: Pinger
    webhook: WebhookDoor
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

    def doors(self, health: Callable[[], Snapshot], clock: Clock, rules: WebRules) -> WebDoors:
        """All doors of the web: these, and what answers before they are open."""
        return WebDoors(
            chat=LateChat(self),
            promises=LatePromises(self),
            letters=LateLetters(self),
            runs=self,
            why=self,
            groups=self,
            feed=self,
            pinger=self,
            webhook=self,
            audit=self,
            health=health,
            clock=clock,
            rules=rules,
        )

    async def opened(self) -> Opened:
        """The doors, when they are open. Raises OwnerError after PATIENCE."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._up.wait()
        except TimeoutError:
            raise OwnerError("Valor is still starting: GET /health says what it waits for.") from None
        assert self._opened is not None
        return self._opened

    async def trace(self, name: str) -> Trace:
        return await (await self.opened()).runs.trace(name)

    async def why(self, chat: str, message_id: int) -> Sequence[Reason]:
        return await (await self.opened()).why.why(chat, message_id)

    async def groups(self) -> GroupList:
        return await (await self.opened()).groups.groups()

    async def watch(self) -> AsyncGenerator[Change]:
        async for change in (await self.opened()).feed.watch():
            yield change

    async def ping(self) -> PingOutcome:
        return await (await self.opened()).pinger.ping()

    async def take_update(self, update: dict[str, Any]) -> None:
        await (await self.opened()).webhook.take_update(update)

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

    async def show(self, promise_id: int) -> Kept:
        return await (await self.late.opened()).promises.show(promise_id)

    async def cancel(self, promise_id: int) -> PromiseView:
        return await (await self.late.opened()).promises.cancel(promise_id)

    async def retry(self, promise_id: int) -> PromiseView:
        return await (await self.late.opened()).promises.retry(promise_id)

    async def agenda(self, limit: int) -> Sequence[Appointment]:
        return await (await self.late.opened()).promises.agenda(limit)


@dataclass(frozen=True, slots=True)
class LateLetters:
    """Implements web.doors.LetterDoor."""

    late: LateDoors

    async def list(self, limit: int) -> Sequence[DeadLetter]:
        return await (await self.late.opened()).letters.list(limit)

    async def retry(self, number: int) -> DeadLetter:
        return await (await self.late.opened()).letters.retry(number)

    async def drop(self, number: int) -> DeadLetter:
        return await (await self.late.opened()).letters.drop(number)
