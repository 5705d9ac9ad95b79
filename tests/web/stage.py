"""A real server on loopback over doors that play the floors below, each a small working thing of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import httpx
import uvicorn

from core.checks import Board, Snapshot, Status
from core.clock import Clock, FakeClock
from core.errors import Unknown
from core.group_list import Group, GroupList
from core.protocols import PromiseView
from web.app import create_app
from web.doors import (
    Accepted,
    Change,
    ChatReply,
    Grown,
    Line,
    Listener,
    Made,
    PingOutcome,
    Question,
    Reason,
    WebDoors,
    WebRules,
)

TOKEN = "correct-horse"  # the tests' own, of no worth
AT = datetime(2026, 1, 1, tzinfo=UTC)
BEARER = {"authorization": f"Bearer {TOKEN}"}


def promise(number: int = 7, status: str = "pending") -> PromiseView:
    return PromiseView(number, "count the stars", "analysis", status, None, None, None, AT, None)


@dataclass
class PlayedChat:
    """Answers what was said in upper case; what goes wrong is set by the test."""

    error: Exception | None = None
    gate: asyncio.Event | None = None
    asked: list[Question] = field(default_factory=list[Question])
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, question: Question, on_event: Listener) -> ChatReply:
        self.asked.append(question)
        on_event(Accepted(len(self.asked)))
        on_event(Grown(question.text.upper()[:3]))
        if self.gate:
            await self.gate.wait()
        if self.error:
            raise self.error
        on_event(Made(promise()))
        self.answered.set()
        return ChatReply(len(self.asked), question.text.upper(), (promise(),))

    async def lines(self, chat: str, limit: int) -> Sequence[Line]:
        return [Line(n, q.chat != chat, AT, q.text) for n, q in enumerate(self.asked, 1)][:limit]

    async def workspaces(self) -> Sequence[str]:
        return ("PsyOPTIMAL", "FlexTrip")


@dataclass
class PlayedPromises:
    kept: dict[int, PromiseView] = field(default_factory=lambda: {7: promise()})

    async def list(self, limit: int) -> Sequence[PromiseView]:
        return tuple(self.kept.values())[:limit]

    async def show(self, promise_id: int) -> PromiseView:
        if promise_id not in self.kept:
            raise Unknown(f"There is no promise {promise_id}.")
        return self.kept[promise_id]

    async def cancel(self, promise_id: int) -> PromiseView:
        self.kept[promise_id] = replace(await self.show(promise_id), status="cancelled")
        return self.kept[promise_id]


class PlayedWhy:
    async def why(self, chat: str, message_id: int) -> Sequence[Reason]:
        return [Reason("account:1", chat, 5, "ann", AT, True, "dm of a listed person")] if message_id == 5 else []


class PlayedGroups:
    async def groups(self) -> GroupList:
        return GroupList((Group("-1005", "Dev", "Dev"),), ("-7",))


@dataclass
class PlayedFeed:
    changes: asyncio.Queue[Change] = field(default_factory=asyncio.Queue[Change])
    is_watched: asyncio.Event = field(default_factory=asyncio.Event)

    async def watch(self) -> AsyncIterator[Change]:
        self.is_watched.set()
        while True:
            yield await self.changes.get()


@dataclass
class PlayedPinger:
    outcome: PingOutcome = field(default_factory=lambda: PingOutcome(True, 0.0124, "The nonce came back."))

    async def ping(self) -> PingOutcome:
        return self.outcome


@dataclass
class PlayedAudit:
    refused: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def refuse(self, client: str, reason: str) -> None:
        self.refused.append((client, reason))


@dataclass
class Stage:
    """The doors, and the client of who may come in."""

    rules: WebRules = field(default_factory=lambda: WebRules(TOKEN, 9000))
    clock: Clock = field(default_factory=FakeClock)
    chat: PlayedChat = field(default_factory=PlayedChat)
    promises: PlayedPromises = field(default_factory=PlayedPromises)
    feed: PlayedFeed = field(default_factory=PlayedFeed)
    pinger: PlayedPinger = field(default_factory=PlayedPinger)
    audit: PlayedAudit = field(default_factory=PlayedAudit)
    port: int = 0

    def __post_init__(self) -> None:
        self.board = Board(self.clock)
        self.board.report("server", Status.HEALTHY, "The server answers.")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
        """A client that carries the token unless told what to carry."""
        return httpx.AsyncClient(base_url=self.url, headers=BEARER if headers is None else headers, timeout=10)

    def snapshot(self) -> Snapshot:
        return self.board.snapshot()

    @asynccontextmanager
    async def up(self) -> AsyncGenerator[Stage]:
        """A served app; ends with every connection closed."""
        doors = WebDoors(
            chat=self.chat,
            promises=self.promises,
            why=PlayedWhy(),
            groups=PlayedGroups(),
            feed=self.feed,
            pinger=self.pinger,
            audit=self.audit,
            health=self.snapshot,
            clock=self.clock,
            rules=self.rules,
        )
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
            config = uvicorn.Config(create_app(doors), log_config=None, lifespan="off", timeout_graceful_shutdown=0)
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve([listener]))
            yield self
            server.should_exit = True
            await serving
