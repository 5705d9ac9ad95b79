"""The whole way in one process: the real ledger behind the real account front, at home in a played Telegram."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import cast

from conversations.inbox import Limits
from core import message
from core.access import Accounts
from core.clock import FakeClock, SystemClock
from core.message import Message, Person
from core.workspaces import Listed, Role, Whitelist, Workspace, WorkspaceConfig
from integrations.telegram.lifeline import Pace
from integrations.telegram.userbot import Userbot
from tests.conversations.stage import Stage, write_current
from tests.integrations.telegram.desk import QUICK, Home
from tests.world.telegram import Chat, SentMessage


@dataclass
class House:
    """`anna` is the owner; groups given to `admit` are dev groups of one workspace."""

    home: Home
    stage: Stage
    bot: Userbot

    async def receive(self, message: Message) -> None:
        await self.stage.reception.receive(message)

    async def press(self, message: Message) -> str:
        return await self.stage.reception.press(message)

    async def receive_waiting(self, messages: Sequence[Message]) -> None:
        await self.stage.reception.receive_waiting(messages)

    async def belongs(self, chat: message.Chat, title: str, is_part: bool) -> None:
        await self.stage.reception.belongs(chat, title, is_part)

    async def catch_up(self, front: str) -> None:
        self.stage.attach(self.bot)
        await self.stage.reception.catch_up(front)

    async def reread(self, front: str, since: datetime) -> None:
        await self.stage.reception.reread(front, since)

    async def answer_to(self, asked: SentMessage) -> SentMessage:
        return await self.home.world.answer_to(asked, timeout=10)

    async def admit(self, *groups: Chat, **topics: str) -> None:
        keys = {str(group.peer_id(self.home.valor)): "Dev" for group in groups}
        self.stage.config = replace(self.stage.config, groups=keys)
        await self.stage.inbox.note_configuration()

    async def bind(self, topics: dict[str, str]) -> None:
        self.stage.config = replace(self.stage.config, topics=topics)
        await self.stage.inbox.note_configuration()

    def told_the_owner(self) -> list[str]:
        """What stands in the owner's chat that answers nothing."""
        world = self.home.world
        dm = world.dm(self.home.anna, self.home.valor)
        return [one.text for one in world.messages(dm, self.home.valor) if one.reply_to is None]


@asynccontextmanager
async def open_house(home: Home, folder: Path, pace: Pace = QUICK) -> AsyncGenerator[House]:
    """Everything up and connected; `home` is signed in."""
    await write_current(folder)
    config = WorkspaceConfig(
        folder / "private",
        workspaces=(Workspace("Dev", folder, is_dev_group=True), Workspace("Topic", folder / "topic")),
        whitelist=Whitelist((Listed("anna_b", role=Role.OWNER),)),
    )
    own = Person(home.valor.id, "valor_ai")
    clock = cast("FakeClock", SystemClock())
    stage = Stage(folder, clock, limits=Limits(), config=config, accounts=Accounts.of(own, None))
    await stage.open(attached=False)
    house = House(home, stage, Userbot(home.access, pace))
    try:
        await house.bot.start(house)
        stage.attach(house.bot)
        await home.world.until(lambda: home.world.connected(home.valor))
        yield house
    finally:
        await house.bot.stop()
        await stage.close()
