"""The account's way into the server: brought up, watched, told of when lost, and taken up again once signed in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from core import checks
from core.checks import Status
from core.errors import OwnerError, Unreachable
from core.group_list import GroupList, list_groups
from core.protocols import Front
from integrations.telegram.session import SIGN_IN, SessionChange, TelegramAccess
from integrations.telegram.userbot import Userbot
from web.heard import Heard
from web.services import Services

LOOK_EVERY = 0.5


@dataclass(slots=True)
class AccountEntrance:
    """Implements web.doors.GroupDoor. `attach` lets a front be served; `ping` shows that all fronts work; `is_clear`
    is set as soon as it is known who the account is, or that nobody can tell."""

    services: Services
    attach: Callable[[Front], None]
    ping: Callable[[], Awaitable[bool]]
    is_clear: asyncio.Event = field(default_factory=asyncio.Event)
    userbot: Userbot | None = None

    async def open(self) -> None:
        """Serve the account, anew after each time that somebody has signed it in; without API id and hash it is off."""
        board, access = self.services.ground.board, TelegramAccess.of(self.services.ground.settings)
        if access is None:
            board.report(checks.ACCOUNT, Status.OFF, "TELEGRAM_API_ID and TELEGRAM_API_HASH are not set.")
            self.is_clear.set()
            return
        while True:
            board.report(checks.ACCOUNT, Status.STARTING, "Connecting.")
            lost = await self._serve(access)
            signed_in = await asyncio.to_thread(SessionChange, access.session_path)
            await self._tell_loss(lost)
            while not await asyncio.to_thread(signed_in.has_come):
                await self.services.ground.clock.sleep(LOOK_EVERY)

    async def stop(self) -> None:
        userbot, self.userbot = self.userbot, None
        if userbot is not None:
            await userbot.stop()

    async def groups(self) -> GroupList:
        if self.userbot is None:
            raise Unreachable("The Telegram account is not up: GET /health says why.")
        return list_groups(await self.userbot.dialogs(), self.services.moves.config)

    async def _serve(self, access: TelegramAccess) -> str:
        """Use the session until it is lost; why it is. Nobody holds it then, so that it can be signed in."""
        userbot = Userbot(access, clock=self.services.ground.clock)
        try:
            await userbot.start(Heard(self.services.reception, lambda: self._meet(userbot)))
        except OwnerError as error:
            self.is_clear.set()
            return str(error)
        self.userbot = userbot
        self._meet(userbot)
        self.is_clear.set()
        lost = await self._follow(userbot)
        await self.stop()
        return lost

    def _meet(self, userbot: Userbot) -> None:
        self.services.accounts.know(userbot.account.id, userbot.account.usernames)
        self.services.history.pasts[userbot.name] = userbot
        self.attach(userbot)

    async def _follow(self, userbot: Userbot) -> str:
        """Keep the board true until the session is lost; ping once the account is there."""
        pinged = False
        while True:
            health = userbot.health()
            status = Status(health.status)
            if status is Status.UNHEALTHY:
                return health.sentence
            self.services.ground.board.report(checks.ACCOUNT, status, health.sentence)
            if status is Status.HEALTHY and not pinged:
                self.services.alerts.front_works("account")
                pinged = await self.ping()
            await self.services.ground.clock.sleep(LOOK_EVERY)

    async def _tell_loss(self, sentence: str) -> None:
        """Say it on the board, and to the owner on a way that does not lead over the account."""
        mend = SIGN_IN if SIGN_IN in sentence else None
        self.services.ground.board.report(checks.ACCOUNT, Status.UNHEALTHY, sentence, mend)
        await self.services.alerts.front_lost("account", sentence)
        await self.ping()
