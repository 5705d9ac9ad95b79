"""What waits for one bot: its updates, who fetches them, and where they are pushed."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx

from tests.world.bot_api_render import JSON, Renderer, user
from tests.world.telegram import Person, TelegramWorld
from tests.world.telegram.model import Event, EventKind, Post, RefusalError
from tests.world.telegram.society import Act

KEPT = timedelta(hours=24)
COMMAND = re.compile(r"/\w+(?:@(?P<bot>\w+))?", re.ASCII)
PUSH_AGAIN = 0.05
PUSHED = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
OUSTED = "terminated by other getUpdates request; make sure that only one bot instance is running"
USUAL = ("message", "edited_message", "callback_query", "my_chat_member", "channel_post", "edited_channel_post")


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where updates are pushed. `url` is empty for nowhere."""

    url: str = ""
    secret: str = ""


@dataclass
class Hub:
    """One bot's side of the service. `commands` and `answered` are what the bot told: its menu, answers to presses."""

    world: TelegramWorld
    bot: Person
    markups: dict[int, JSON]
    privacy: bool = False  # as @BotFather's /setprivacy: then groups are heard when spoken to alone
    commands: list[JSON] = field(default_factory=list[JSON])
    answered: dict[str, str] = field(default_factory=dict[str, str])
    webhook: Webhook = Webhook()
    last_error: str = ""
    allowed: tuple[str, ...] = USUAL
    confirmed: int = 0
    gathering: int = 0  # a fetch ends only when so many wait

    def __post_init__(self) -> None:
        self.renderer = Renderer(self.bot, self.world.society.persons, self.markups)
        self._waiting: dict[int, tuple[datetime, JSON]] = {}
        self._numbers = itertools.count(700_001)
        self._queries = itertools.count(1)
        self._news: list[asyncio.Future[None]] = []
        self._poll: asyncio.Task[object] | None = None
        self._pushing: asyncio.Task[None] | None = None
        self.bot.listeners.append(self)

    @property
    def act(self) -> Act:
        return Act(self.bot, self)

    @property
    def updates(self) -> list[JSON]:
        """What is kept for the bot and not confirmed, oldest first; what is older than a day is gone."""
        before = self.world.society.clock() - KEPT
        self._waiting = {number: kept for number, kept in self._waiting.items() if kept[0] >= before}
        return [update for _, update in self._waiting.values()]

    # -- what happens

    def hear(self, event: Event) -> None:
        post = event.post
        if event.kind is EventKind.MEMBERSHIP and event.chat is not None and self.bot not in event.chat.members:
            now = self.world.society.clock()
            self.tell("my_chat_member", self.renderer.membership(event.chat, self.bot, now, is_part=False), now)
        if post is None or event.kind not in {EventKind.NEW, EventKind.EDIT}:
            return
        if post.action and (post.sender is self.bot or post.action == "created"):
            self.tell("my_chat_member", self.renderer.membership(post.chat, post.sender, post.at), post.at)
        elif not post.sender.is_bot and self._may_hear(post):
            kind = "message" if event.kind is EventKind.NEW else "edited_message"
            self.tell(kind, self.renderer.message(post), event.at or post.at)

    def _may_hear(self, post: Post) -> bool:
        """In privacy mode what the service itself tells, and what somebody says to the bot."""
        return not self.privacy or not post.chat.id or bool(post.action) or self._is_spoken_to(post)

    def _is_spoken_to(self, post: Post) -> bool:
        """By a mention, a reply to a message of its own, or a command that names no other bot."""
        is_reply = post.reply_to is not None and post.reply_to.sender is self.bot
        command = COMMAND.match(post.text)
        is_command = command is not None and command["bot"] in {None, self.bot.username}
        return is_reply or self.bot.id in post.mentions or is_command

    def press(self, person: Person, post: Post, data: str) -> str:
        query = f"query-{next(self._queries)}"
        said = {"id": query, "from": user(person), "chat_instance": f"{post.chat.key}", "data": data}
        self.tell("callback_query", {**said, "message": self.renderer.message(post)}, self.world.society.clock())
        return query

    def tell(self, kind: str, body: JSON, at: datetime) -> None:
        """Keep an update for the bot."""
        if kind not in self.allowed:
            return
        number = next(self._numbers)
        self._waiting[number] = (at, {"update_id": number, kind: body})
        self._wake()

    def tell_raw(self, update: JSON) -> None:
        """An update of a shape that this world does not make by itself."""
        number = next(self._numbers)
        self._waiting[number] = (self.world.society.clock(), {"update_id": number, **update})
        self._wake()

    def _wake(self) -> None:
        if len(self._waiting) < self.gathering:
            return
        self.gathering = 0
        news, self._news = self._news, []
        for future in news:
            if not future.done():
                future.set_result(None)

    # -- fetching

    async def fetch(self, offset: int, limit: int, seconds: float) -> list[JSON]:
        """The oldest updates from `offset` on, which confirms those before; waits for the first one."""
        if self.webhook.url:
            raise RefusalError(PUSHED, 409)
        if self._poll is not None:
            self._poll.cancel()
        self.confirm(offset)
        waiting = self._poll = asyncio.ensure_future(self._wait(seconds))
        try:
            await asyncio.wait([waiting])
            if waiting.cancelled():
                raise RefusalError(OUSTED, 409)
        finally:
            waiting.cancel()
            if self._poll is waiting:
                self._poll = None
        return self.updates[:limit]

    def confirm(self, offset: int) -> None:
        for number in [number for number in self._waiting if number < offset]:
            del self._waiting[number]
            self.confirmed = max(self.confirmed, number)
        self.world.ledger.wake()

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self.updates:
                    await self._next()

    async def _next(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._news.append(future)
        await future

    # -- pushing

    async def push_to(self, webhook: Webhook) -> None:
        await self.close()
        self.webhook = webhook
        if webhook.url:
            self._pushing = asyncio.create_task(self._push(webhook))

    async def close(self) -> None:
        if self._pushing is not None:
            self._pushing.cancel()
            await asyncio.gather(self._pushing, return_exceptions=True)
            self._pushing = None

    async def _push(self, webhook: Webhook) -> None:
        headers = {"x-telegram-bot-api-secret-token": webhook.secret} if webhook.secret else {}
        async with httpx.AsyncClient(headers=headers, trust_env=False, timeout=10, verify=False) as client:
            while True:
                for update in self.updates or [None]:
                    if update is None:
                        await self._next()
                        continue
                    await self._push_one(client, webhook.url, update)

    async def _push_one(self, client: httpx.AsyncClient, url: str, update: JSON) -> None:
        try:
            answer = await client.post(url, json=update)
            if answer.is_success:
                self.confirm(update["update_id"] + 1)
                return
            self.last_error = f"Wrong response from the webhook: {answer.status_code} {answer.reason_phrase}"
        except httpx.HTTPError as error:
            self.last_error = str(error) or type(error).__name__
        again = asyncio.Event()
        asyncio.get_running_loop().call_later(PUSH_AGAIN, again.set)
        await again.wait()
