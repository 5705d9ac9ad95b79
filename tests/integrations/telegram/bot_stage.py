"""The bot front at home in a played Telegram."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from core.clock import Clock
from core.message import Chat
from integrations.telegram.bot import Bot
from integrations.telegram.bot_access import BotAccess
from integrations.telegram.bot_life import BotPace
from tests.integrations.telegram.desk import Desk
from tests.world.bot_api import BotApi
from tests.world.telegram import Person, TelegramWorld
from tests.world.telegram import model as world_model

QUICK = BotPace(call=2.0, fetch=5.0, retries=(0.0, 0.02, 0.05), refused=0.05, good=5.0)


@dataclass
class BotHome:
    """A world with a bot in it, and Anna, who has written to it once."""

    world: TelegramWorld
    api: BotApi
    desk: Desk = field(default_factory=Desk)

    def __post_init__(self) -> None:
        self.person = self.world.bot("Valor", "valor_bot")
        self.anna = self.world.person("Anna", "Anna_B")
        self.api.token(self.person)

    @property
    def access(self) -> BotAccess:
        return BotAccess(self.api.token(self.person), self.api.url)

    def chat(self, other: Person | world_model.Chat) -> Chat:
        """A chat as the bot's front names it."""
        peer = other.id if isinstance(other, Person) else other.peer_id(self.person)
        return Chat(f"bot:{self.person.id}", str(peer))

    @asynccontextmanager
    async def bot(self, pace: BotPace = QUICK, clock: Clock | None = None) -> AsyncGenerator[Bot]:
        """The front, started, and connected once what waited has been handed over."""
        bot = Bot(self.access, pace, clock)
        await bot.start(self.desk)
        try:
            await self.desk.until(lambda: bool(self.desk.catch_ups))
            yield bot
        finally:
            await bot.stop()
