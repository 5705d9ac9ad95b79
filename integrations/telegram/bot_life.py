"""Keeps the way of a bot's updates open: fetches them, and says how it goes."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

import telegram

from core.clock import Clock
from core.errors import FloodWait, FrontError, SessionError, Unreachable
from core.message import Person
from core.protocols import Receiver
from integrations.telegram.bot_access import BotAccess
from integrations.telegram.bot_convert import to_person
from integrations.telegram.bot_line import JSON, BotLine
from integrations.telegram.bot_refusals import SecondPoller
from integrations.telegram.bot_updates import KINDS, Updates
from integrations.telegram.intake import guard
from integrations.telegram.lifeline import Health

log = logging.getLogger(__name__)
# A process that died may have left a fetch behind, which is ousted, and whose end looks like a second program once.
CONFLICTS = 3
RECENT = timedelta(minutes=2)
TOAST = 200  # characters that the answer to a press may have
ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class BotPace:
    """Times in seconds: how long a call may take, how long a fetch waits for the first update, how long to wait before
    each new attempt (the last one repeats) and after a refusal, how long a good connection must have lived, and how
    often to look whether pushed updates arrive."""

    call: float = 20.0
    fetch: float = 20.0
    retries: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
    refused: float = 30.0
    good: float = 30.0
    look: float = 15.0


def host_of(address: str) -> str:
    return urlsplit(address).netloc or "nowhere"


class BotLife:
    """`person` is who the bot is, once it has been connected."""

    def __init__(self, access: BotAccess, line: BotLine, pace: BotPace, clock: Clock) -> None:
        self._access = access
        self._line = line
        self._pace = pace
        self._clock = clock
        self._keeper: asyncio.Task[None] | None = None
        self._offset = 0
        self._conflicts = 0
        self._calm_since: float | None = None
        self._has_menu = False
        self._updates: Updates | None = None
        self.person: Person | None = None
        self.is_private = False  # privacy mode: in groups it is told commands, mentions and replies alone
        self.health = Health("off", "The bot is not started.")

    def start(self, receiver: Receiver) -> None:
        self.health = Health("starting", "Connecting to the Bot API.")
        self._keeper = asyncio.create_task(self._keep(receiver), name="bot")

    async def stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        self.health = Health("off", "The bot is stopped.")

    async def _keep(self, receiver: Receiver) -> None:
        failures = 0
        updates = self._updates = Updates(self._access.number, self._line.clock, receiver, self._answer)
        while True:
            begun = self._clock.boot()
            await guard(self._live(receiver, updates), "The bot's connection")
            if self.health.status in {"starting", "healthy"}:
                self._say("degraded", "The connection to the Bot API failed. Connecting again.")
            failures = 0 if self._clock.boot() - begun > self._pace.good else failures + 1
            await self._clock.sleep(self._pace.retries[min(failures, len(self._pace.retries) - 1)])

    async def _live(self, receiver: Receiver, updates: Updates) -> None:
        """One connection to its end; how it ended is the health."""
        try:
            await self._use(receiver, updates)
        except FloodWait as wait:
            self._say("degraded", f"Telegram asks the bot to wait {wait.seconds:.0f} s.")
            await self._clock.sleep(wait.seconds)
        except SecondPoller as error:
            self._conflicts += 1
            self._calm_since = None
            self._say("unhealthy" if self._conflicts >= CONFLICTS else "degraded", str(error))
        except SessionError as error:
            self._say("unhealthy", str(error))
            await self._clock.sleep(self._pace.refused)
        except FrontError as error:
            self._say("degraded", f"{error} Connecting again.")

    async def _use(self, receiver: Receiver, updates: Updates) -> None:
        own = await self._line.call(self._line.api.get_me())
        self.person, self.is_private = to_person(own), own.can_read_all_group_messages is False
        await self._show_menu()
        if self._access.webhook is None:
            await self._unhook()
            await self._fetch(receiver, updates)
        else:
            await self._be_pushed(self._access.webhook, receiver)

    async def _show_menu(self) -> None:
        """Once: which commands people are offered."""
        if not self._has_menu:
            await self._line.call(self._line.api.set_my_commands(self._access.menu))
            self._has_menu = True

    async def take_pushed(self, update: JSON) -> None:
        """An update that Telegram pushes; returns when it is written. Raises Unreachable before the bot is up.

        That is when its name is known: what mentions it would be taken for nothing that is said to it.
        """
        if self._updates is None or self.person is None:
            raise Unreachable(self.health.sentence)
        await self._updates.take([update])

    async def _answer(self, query: str, told: str) -> None:
        """End the waiting of who pressed a button; where Telegram has forgotten the press nobody waits any more."""
        answering = self._line.api.answer_callback_query(query, told[:TOAST] or None)
        try:
            await self._line.call(answering, ANSWER_SECONDS)
        except (FrontError, SessionError) as error:
            log.info("a press could not be answered: %s", error)

    async def _be_pushed(self, address: str, receiver: Receiver) -> None:
        """Have updates pushed, and look now and then whether they arrive. None that waits is dropped."""
        api = self._line.api
        await self._line.call(
            api.set_webhook(
                address, allowed_updates=KINDS, secret_token=self._access.secret, drop_pending_updates=False
            )
        )
        await receiver.catch_up(f"bot:{self._access.number}")
        while True:
            info = await self._line.call(api.get_webhook_info())
            if info.url != address:
                raise SecondPoller(f"Another program has this bot's updates pushed to {host_of(info.url)}: stop it.")
            trouble = self._trouble_of(info)
            if trouble is None:
                self._heard()
            else:
                self._say("degraded", f"Telegram cannot push updates to {host_of(address)}: {trouble}.")
            await self._clock.sleep(self._pace.look)

    def _trouble_of(self, info: telegram.WebhookInfo) -> str | None:
        """Why updates wait, where they do so now."""
        if not info.pending_update_count or info.last_error_date is None or info.last_error_message is None:
            return None
        is_recent = self._line.clock.now() - info.last_error_date < RECENT
        return info.last_error_message.rstrip(".") if is_recent else None

    async def _unhook(self) -> None:
        """Where updates were pushed elsewhere they cannot be fetched; none of those that wait is dropped."""
        api = self._line.api
        pushed_to = (await self._line.call(api.get_webhook_info())).url
        if pushed_to:
            log.warning("the bot's updates were pushed to %s: from now on they are fetched", host_of(pushed_to))
            await self._line.call(api.delete_webhook(drop_pending_updates=False))

    async def _fetch(self, receiver: Receiver, updates: Updates) -> None:
        """Fetch without end. What waited while nobody listened comes first, and is answered together.

        An update is confirmed by the fetch after it, which begins when its row is committed.
        """
        has_waited = True
        while True:
            told = await self._line.updates(self._offset, 0 if has_waited else self._pace.fetch, KINDS)
            self._heard()
            if told:
                await updates.take(told, has_waited=has_waited)
                self._offset = told[-1]["update_id"] + 1
            elif has_waited:
                has_waited = False
                await receiver.catch_up(f"bot:{self._access.number}")

    def _heard(self) -> None:
        """A fetch has succeeded. Where somebody else keeps fetching too that says little: none must be disturbed."""
        now = self._clock.boot()
        self._calm_since = now if self._calm_since is None else self._calm_since
        if now - self._calm_since >= self._pace.good:
            self._conflicts = 0
        if self._conflicts < CONFLICTS and self.person:
            self._say("healthy", f"Connected as @{self.person.username}.")

    def _say(self, status: str, sentence: str) -> None:
        if self.health == (status, sentence):
            return
        self.health = Health(status, sentence)
        level = {"healthy": logging.INFO, "unhealthy": logging.CRITICAL}.get(status, logging.WARNING)
        log.log(level, "%s", sentence)
