"""A real server on loopback over doors that play the floors below, each a small working thing of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import uvicorn

from conversations.dead_letter_store import DeadLetter
from core.checks import Board, Snapshot, Status
from core.clock import Clock, FakeClock
from core.errors import RequestError, Unknown
from core.group_list import Group, GroupList
from core.message import Chat
from core.protocols import PromiseView
from promises.agenda import Appointment, Cause
from runtime.trace_store import RunRow
from runtime.traces import Node, Spent, Trace
from web.app import create_app
from web.doors import (
    Accepted,
    Change,
    ChatReply,
    Grown,
    Kept,
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


def letter(number: int = 3) -> DeadLetter:
    return DeadLetter(number, Chat("account:1", "-1005"), "answer", "dead", 9, None, AT, "Kicked out.", "Hello\nyou")


def trace() -> Trace:
    """A run of two answers: the first asked for a tool call."""
    run = RunRow("run_7", "valor", "Garden", None, 7, "done", AT, AT + timedelta(seconds=4))
    seen = ({"kind": "command", "command": "ls", "exit_code": 0},)
    tool = Node("call_1", "tool", "run", "done", '{"command": "ls"}', seen, Spent(0.5))
    spent = Spent(1.25, 0.002, 1000, 50, 900)
    first = Node("model:1", "model", "claude", "done", "Let me look.", (), spent, (tool,))
    vain = Node("call:2", "call", "claude", "error", "overloaded_error", (), Spent(0.1))
    last = Node("model:2", "model", "claude", "done", "Two files.", (), Spent(1, 0.003, 1100, 20, 1000))
    return Trace(run, (first, vain, last), 2, 1, Spent(4, 0.005, 2100, 70, 1900))


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

    async def show(self, promise_id: int) -> Kept:
        if promise_id not in self.kept:
            raise Unknown(f"There is no promise {promise_id}.")
        return Kept(self.kept[promise_id], Chat("local", "page"), "Garden", "You", 1, "run_7", ("run_1",), "All of it.")

    async def cancel(self, promise_id: int) -> PromiseView:
        return await self._put(promise_id, "cancelled")

    async def retry(self, promise_id: int) -> PromiseView:
        if (await self.show(promise_id)).promise.status != "cancelled":
            raise RequestError(f"Promise #{promise_id} is not over.")
        return await self._put(promise_id, "pending")

    async def _put(self, promise_id: int, status: str) -> PromiseView:
        self.kept[promise_id] = replace((await self.show(promise_id)).promise, status=status)
        return self.kept[promise_id]

    async def agenda(self, limit: int) -> Sequence[Appointment]:
        waiting = replace(promise(), status="waiting", waiting_for="schedule", every="1d", zone="Europe/Berlin")
        return [Appointment(waiting, AT, Cause.SCHEDULE, (AT + timedelta(days=1),))][:limit]


@dataclass
class PlayedLetters:
    kept: dict[int, DeadLetter] = field(default_factory=lambda: {3: letter()})

    async def list(self, limit: int) -> Sequence[DeadLetter]:
        return tuple(self.kept.values())[:limit]

    async def retry(self, number: int) -> DeadLetter:
        return self._take(number, "ready")

    async def drop(self, number: int) -> DeadLetter:
        return self._take(number, "dropped")

    def _take(self, number: int, status: str) -> DeadLetter:
        if number not in self.kept:
            raise Unknown(f"There is no dead letter #{number}.")
        return replace(self.kept.pop(number), status=status)


class PlayedRuns:
    async def trace(self, name: str) -> Trace:
        if name != "7":
            raise Unknown(f"There is no run {name!r}.")
        return trace()


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
class PlayedWebhook:
    taken: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    error: Exception | None = None

    async def take_update(self, update: dict[str, Any]) -> None:
        if self.error:
            raise self.error
        self.taken.append(update)


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
    letters: PlayedLetters = field(default_factory=PlayedLetters)
    feed: PlayedFeed = field(default_factory=PlayedFeed)
    pinger: PlayedPinger = field(default_factory=PlayedPinger)
    webhook: PlayedWebhook = field(default_factory=PlayedWebhook)
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
            letters=self.letters,
            runs=PlayedRuns(),
            why=PlayedWhy(),
            groups=PlayedGroups(),
            feed=self.feed,
            pinger=self.pinger,
            webhook=self.webhook,
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
            try:
                yield self
            finally:  # a socket closed beneath the loop would make it deaf to the next one of the same number
                server.should_exit = True
                await serving
