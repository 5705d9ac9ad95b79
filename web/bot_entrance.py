"""The bot's way into the server: brought up beside the account, met with its first sign of life, and watched."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conversations.commands import MENU
from core import checks
from core.bot_name import remember
from core.checks import Status
from core.errors import OwnerError, Unreachable
from core.protocols import Front
from integrations.telegram.bot_access import BotAccess
from web.heard import Heard
from web.services import Services

if TYPE_CHECKING:
    from integrations.telegram.bot import Bot

LOOK_EVERY = 0.5
DEAF = (
    " Where it is no administrator, privacy mode keeps from it what is not said to it in {names}: send @BotFather "
    "/setprivacy and choose Disable, then take the bot out of the group and add it again."
)
ACCOUNT_FIRST = 10.0  # seconds that the bot waits to learn who the account is, whose messages it must not answer


@dataclass(slots=True)
class BotEntrance:
    """Implements web.doors.WebhookDoor. `attach` lets a front be served; `ping` shows that all fronts work."""

    services: Services
    attach: Callable[[Front], None]
    ping: Callable[[], Awaitable[object]]
    is_account_clear: asyncio.Event
    bot: Bot | None = None

    async def open(self) -> None:
        """Bring the bot up and keep the board true; without a token it is off."""
        board, access = self.services.ground.board, BotAccess.of(self.services.ground.settings, MENU)
        if access is None:
            board.report(checks.BOT, Status.OFF, "TELEGRAM_BOT_TOKEN is not set.")
            return
        board.report(checks.BOT, Status.STARTING, "Connecting.")
        try:
            self.services.accounts.know(access.number)
        except OwnerError as error:
            board.report(checks.BOT, Status.UNHEALTHY, str(error), "@BotFather")
            await self._tell_loss(str(error))
            return
        await self._wait_for_account()
        self.bot = bot = await asyncio.to_thread(_build, access, self.services)
        await bot.start(Heard(self.services.reception, lambda: self._meet(bot)))
        await self._follow(bot)

    async def stop(self) -> None:
        if self.bot is not None:
            await self.bot.stop()

    async def take_update(self, update: dict[str, Any]) -> None:
        if self.bot is None:
            raise Unreachable("The bot is not up yet.")
        await self.bot.take_pushed(update)

    async def _wait_for_account(self) -> None:
        try:
            async with asyncio.timeout(ACCOUNT_FIRST):
                await self.is_account_clear.wait()
        except TimeoutError:
            return

    def _meet(self, bot: Bot) -> None:
        self.services.accounts.know(bot.person.id, [bot.person.username])
        self.attach(bot)

    async def _follow(self, bot: Bot) -> None:
        """Keep the board true; ping once the bot is there, and again when it has turned out to be lost."""
        pinged: Status | None = None
        while True:
            health = bot.health()
            status = Status(health.status)
            self.services.ground.board.report(checks.BOT, status, health.sentence + self._unheard(bot))
            if status is Status.HEALTHY and pinged is not status:
                await self._remember(bot)
                self.services.alerts.front_works("bot")
                await self.ping()
                pinged = status
            elif status is Status.UNHEALTHY and pinged is not status:
                await self._tell_loss(health.sentence)
                pinged = status
            await self.services.ground.clock.sleep(LOOK_EVERY)

    async def _remember(self, bot: Bot) -> None:
        path = self.services.ground.settings.bot_name_path
        await asyncio.to_thread(remember, path, bot.person.id, bot.person.username or "")

    def _unheard(self, bot: Bot) -> str:
        """What it cannot hear of that the configuration wants it to answer."""
        config, front_of = self.services.moves.config, self.services.accounts.current.front_of
        wanted = [one.name for one in config.workspaces if one.is_dev_group and one.chats and front_of(one) == "bot"]
        return DEAF.format(names=", ".join(wanted)) if bot.is_private and wanted else ""

    async def _tell_loss(self, sentence: str) -> None:
        """Tell the owner on a way that does not lead over the bot."""
        await self.services.alerts.front_lost("bot", sentence)
        await self.ping()


def _build(access: BotAccess, services: Services) -> Bot:
    from integrations.telegram.bot import Bot  # half a second of imports

    return Bot(access, clock=services.ground.clock)
