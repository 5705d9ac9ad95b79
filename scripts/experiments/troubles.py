"""What goes wrong between the product and Telegram while twenty chats go on: for the account, and for the bot."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from inspect import isawaitable

from scripts.experiments.stand import Stand
from tests.world.bot_api import BotApi
from tests.world.telegram import TelegramWorld

SEND, EDIT = "messages.sendMessage", "messages.editMessage"
BOT_SEND, BOT_EDIT, POLL = "sendMessage", "editMessageText", "getUpdates"
AWAY_SECONDS = 0.5
OVERLOADED = "the service is overloaded", 502
Deed = Callable[[], Awaitable[None] | object]


@dataclass(slots=True)
class Troubles:
    """One for each of the two at a time, drawn by the luck of the ordeals; counted by name."""

    stand: Stand
    account: Counter[str] = field(default_factory=Counter[str])
    bot: Counter[str] = field(default_factory=Counter[str])

    async def befall(self) -> None:
        await self._befall(self._of_account(), self.account)
        await self._befall(self._of_bot(), self.bot)

    async def _befall(self, deeds: Mapping[str, Deed], counts: Counter[str]) -> None:
        name = self.stand.chance.choice(list(deeds))
        counts[name] += 1
        done = deeds[name]()
        if isawaitable(done):
            await done

    def _of_account(self) -> dict[str, Deed]:
        faults, valor = self.stand.world.faults, self.stand.valor
        return {
            "flood of sends": lambda: faults.flood_wait(2, valor, SEND, times=2),
            "flood of edits": lambda: faults.flood_wait(2, valor, EDIT, times=2),
            "slow answers": lambda: faults.slow(0.5, valor, SEND, times=5),
            "lost answer": lambda: faults.lose_answer(valor, SEND),
            "silence": lambda: faults.lose_answer(valor, SEND, cut=False),
            "cut connection": lambda: faults.cut_before(valor, SEND),
            "doubled updates": lambda: faults.double_updates(valor, 5),
            "dropped updates": lambda: faults.drop_updates(valor, 2),
            "telegram away": lambda: _be_away(self.stand.world),
        }

    def _of_bot(self) -> dict[str, Deed]:
        """Floods are answered with 429 and `retry_after`, what is overloaded with 502."""
        faults, bot = self.stand.world.faults, self.stand.bot
        return {
            "flood of sends": lambda: faults.flood_wait(2, bot, BOT_SEND, times=2),
            "flood of edits": lambda: faults.flood_wait(2, bot, BOT_EDIT, times=2),
            "flood of polls": lambda: faults.flood_wait(2, bot, POLL),
            "slow answers": lambda: faults.slow(0.5, bot, BOT_SEND, times=5),
            "lost answer": lambda: faults.lose_answer(bot, BOT_SEND),
            "silence": lambda: faults.lose_answer(bot, BOT_SEND, cut=False),
            "cut connection": lambda: faults.cut_before(bot, BOT_SEND),
            "dropped poll": lambda: faults.cut_before(bot, POLL),
            "lost poll": lambda: faults.lose_answer(bot, POLL),
            "overloaded for sends": lambda: faults.error(*OVERLOADED, person=bot, method=BOT_SEND, times=2),
            "overloaded for edits": lambda: faults.error(*OVERLOADED, person=bot, method=BOT_EDIT, times=2),
            "overloaded for polls": lambda: faults.error(*OVERLOADED, person=bot, method=POLL),
            "bot api away": lambda: _be_away(self.stand.api),
        }


async def _be_away(server: TelegramWorld | BotApi) -> None:
    await server.go_down()
    await asyncio.sleep(AWAY_SECONDS)
    await server.come_back()
