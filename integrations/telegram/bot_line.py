"""Calls to the Bot API: each made once, answered within a deadline, and told in our own errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import httpx
import telegram
from telegram.error import TelegramError
from telegram.request import HTTPXRequest, RequestData

from core.clock import Clock
from core.edges import Edge, around
from core.errors import FloodWait, Unreachable
from integrations.telegram.bot_access import BotAccess
from integrations.telegram.bot_patience import BotPatience
from integrations.telegram.bot_refusals import Patience, translate
from integrations.telegram.budget import Budget, Rates

T = TypeVar("T")
JSON = dict[str, Any]
CONNECT_SECONDS = 10.0
FILE_SECONDS = 120.0  # for a whole file, either way
FILES = "/file/bot"
GRACE_SECONDS = 5.0  # for a long poll's answer, beyond the time it was to wait
UNSAID_PATIENCE = 30.0
TOO_MANY = 429
RATES = Rates(account=30.0, account_burst=60.0)  # Telegram says that bots may send about thirty messages a second
BOOT = datetime(1970, 1, 1, tzinfo=UTC)  # as good as any other moment


class ServerClock:
    """Telegram's clock, which messages tell, as the service's answers show it: ours may be wrong, or be set."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lead: timedelta | None = None

    def now(self) -> datetime:
        if self._lead is None:
            return self._clock.now()
        return BOOT + self._lead + timedelta(seconds=self._clock.boot())

    async def learn(self, answer: httpx.Response) -> None:
        """Take the time from an answer that tells it."""
        date = answer.headers.get("date")
        if date is not None:
            self._lead = parsedate_to_datetime(date).astimezone(UTC) - BOOT - timedelta(seconds=self._clock.boot())


class BotRequest(HTTPXRequest):
    """python-telegram-bot's HTTP with our edges and an error of its own for "wait"; what is to wait is not asked."""

    def __init__(self, edge: Edge, clock: ServerClock, patience: BotPatience) -> None:
        hooks = {"event_hooks": {"response": [clock.learn]}}
        super().__init__(connect_timeout=CONNECT_SECONDS, pool_timeout=CONNECT_SECONDS, httpx_kwargs=hooks)
        self._edge = edge
        self._patience = patience

    async def do_request(
        self, url: str, method: str, request_data: RequestData | None = None, *args: Any, **kwargs: Any
    ) -> tuple[int, bytes]:
        name = "download" if FILES in url else url.partition("?")[0].rpartition("/")[2]
        chat = _chat_of(request_data)
        self._check(name, chat)
        with around(self._edge, f"bot.{name}"):
            code, payload = await super().do_request(url, method, request_data, *args, **kwargs)
        if code == TOO_MANY:
            seconds = _patience_of(payload)
            self._patience.refused(name, chat, seconds)
            raise Patience(seconds)
        return code, payload

    def _check(self, name: str, chat: str | None) -> None:
        try:
            self._patience.check(name, chat)
        except FloodWait as wait:
            raise Patience(wait.seconds) from wait


def _chat_of(asked: RequestData | None) -> str | None:
    chat = asked.parameters.get("chat_id") if asked else None
    return None if chat is None else str(chat)


def _patience_of(payload: bytes) -> float:
    try:
        return float(json.loads(payload)["parameters"]["retry_after"])
    except (ValueError, KeyError, TypeError):
        return UNSAID_PATIENCE


class BotLine:
    """`api` makes the requests; `call` sends one, waits at most `seconds` and raises FrontError's children.

    Before a call that a chat sees its turn is waited for in the `budget`.
    """

    def __init__(self, access: BotAccess, seconds: float, clock: Clock) -> None:
        self.clock = ServerClock(clock)
        self.budget = Budget(clock, RATES)
        self._seconds = seconds
        patience = BotPatience(self.budget)
        self._sending, self._fetching = (BotRequest(access.edge, self.clock, patience) for _ in range(2))
        self.api = telegram.Bot(
            access.token, f"{access.api}/bot", f"{access.api}{FILES}", self._sending, self._fetching
        )

    async def open(self) -> None:
        for request in (self._sending, self._fetching):
            await request.initialize()

    async def close(self) -> None:
        for request in (self._sending, self._fetching):
            await request.shutdown()

    async def call(self, work: Awaitable[T], seconds: float | None = None) -> T:
        """The result of one request. Raises FrontError's children and SessionError."""
        try:
            async with asyncio.timeout(self._seconds if seconds is None else seconds):
                return await work
        except (TelegramError, TimeoutError) as error:
            raise translate(error) from error

    async def download(self, address: str) -> bytes:
        """A file's content. Raises SessionError for one that is not found."""
        return await self.call(self._sending.retrieve(quote(address, ":/%"), FILE_SECONDS), FILE_SECONDS)

    async def updates(self, offset: int, seconds: float, kinds: tuple[str, ...]) -> list[JSON]:
        """The oldest updates from `offset` on, as they came, within `seconds` (one that cannot be read must not hold
        the others up); those before `offset` are confirmed by that."""
        query = urlencode({"offset": offset, "timeout": round(seconds), "allowed_updates": json.dumps(kinds)})
        patience = seconds + GRACE_SECONDS
        fetch = self._fetching.post(f"{self.api.base_url}/getUpdates?{query}", read_timeout=patience)
        told = await self.call(fetch, patience + CONNECT_SECONDS)
        if not isinstance(told, list):
            raise Unreachable("What the Bot API answered is no list of updates.")
        return told
