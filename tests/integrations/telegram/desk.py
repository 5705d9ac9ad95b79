"""A receiver that keeps what it is handed, and the account front at home in a played Telegram."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from anyio.lowlevel import checkpoint

from core.errors import Unreachable
from core.message import Chat, Message
from integrations.telegram.lifeline import Pace
from integrations.telegram.session import TelegramAccess
from integrations.telegram.userbot import Userbot
from tests.world.telegram import Person, TelegramWorld
from tests.world.telegram import model as world_model
from tests.world.telegram.client import API_HASH, API_ID

QUICK = Pace(call=2.0, watch=60.0, retries=(0.0, 0.02, 0.05), good=5.0, gather=0.0)


class Desk:
    """Implements core.protocols.Receiver; `fail_on` is a text whose message it cannot take, `holds` one whose message
    it is never done with."""

    def __init__(self, fail_on: str | None = None, holds: str | None = None) -> None:
        self.is_holding = False
        self.told = ""  # what who presses a button is told
        self._holds = holds
        self.messages: list[Message] = []
        self.catch_ups: list[str] = []
        self.rereads: list[datetime] = []
        self.memberships: list[tuple[str, str, bool]] = []
        self.refuses = 0  # how many readings fail
        self.waited: list[list[str]] = []  # what waited, by chat
        self._fail_on = fail_on
        self._news: list[asyncio.Future[None]] = []

    async def receive(self, message: Message) -> None:
        await checkpoint()  # as one who writes to a database: others come between
        if message.text == self._fail_on:
            raise RuntimeError("the desk is full")
        if message.text == self._holds:
            self.is_holding = True
            self._wake()
            await asyncio.Event().wait()
        self.messages.append(message)
        self._wake()

    async def press(self, message: Message) -> str:
        await self.receive(message)
        return self.told

    async def receive_waiting(self, messages: Sequence[Message]) -> None:
        self.waited += [[message.text for message in messages]]
        for message in messages:
            await self.receive(message)

    async def belongs(self, chat: Chat, title: str, is_part: bool) -> None:
        self.memberships.append((chat.key, title, is_part))
        self._wake()

    async def catch_up(self, front: str) -> None:
        self.catch_ups.append(front)
        self._wake()

    async def reread(self, front: str, since: datetime) -> None:
        self.rereads.append(since)
        self._wake()
        if len(self.rereads) <= self.refuses:
            raise Unreachable("Telegram did not answer.")

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.messages]

    def _wake(self) -> None:
        news, self._news = self._news, []
        for future in news:
            future.set_result(None)

    async def until(self, predicate: Callable[[], bool], seconds: float = 5.0) -> None:
        async with asyncio.timeout(seconds):
            while not predicate():
                future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._news.append(future)
                await future

    async def hear(self, text: str) -> Message:
        await self.until(lambda: text in self.texts)
        return next(message for message in self.messages if message.text == text)


@dataclass
class Home:
    """A world with Valor in it and a folder for its session."""

    world: TelegramWorld
    folder: Path
    valor: Person = field(init=False)
    anna: Person = field(init=False)

    def __post_init__(self) -> None:
        self.valor = self.world.person("Valor", "valor_ai")
        self.anna = self.world.person("Anna", "Anna_B")

    @property
    def access(self) -> TelegramAccess:
        server = self.world.server
        return TelegramAccess(
            API_ID,
            API_HASH,
            self.folder / "valor.session",
            (server.host, server.port),
            self.world.key_file,
            server.dc_id,
        )

    def sign_in(self) -> None:
        self.world.mint_session(self.valor, self.access.session_path)

    def chat(self, other: Person | world_model.Chat) -> Chat:
        """A chat as Valor's front names it."""
        peer = other.id if isinstance(other, Person) else other.peer_id(self.valor)
        return Chat(f"account:{self.valor.id}", str(peer))

    @asynccontextmanager
    async def userbot(self, desk: Desk, pace: Pace = QUICK) -> AsyncGenerator[Userbot]:
        """The front, started and connected."""
        bot = Userbot(self.access, pace)
        await bot.start(desk)
        try:
            await desk.until(lambda: bool(desk.catch_ups))
            yield bot
        finally:
            await bot.stop()


class Ear(logging.Handler):
    """Waits for a line of the front's log."""

    def __init__(self, wanted: str) -> None:
        super().__init__()
        self._wanted = wanted
        self._heard = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if self._wanted in record.getMessage():
            self._heard.set()

    async def __aenter__(self) -> Ear:
        logging.getLogger("integrations.telegram").addHandler(self)
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                async with asyncio.timeout(5):
                    await self._heard.wait()
        finally:
            logging.getLogger("integrations.telegram").removeHandler(self)
