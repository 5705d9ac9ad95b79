from __future__ import annotations

import asyncio

import pytest

from core.errors import SessionError, Unsent
from integrations.telegram.bot_access import BotAccess
from integrations.telegram.bot_probe import find_bot
from tests.integrations.telegram.bot_stage import BotHome


async def test_s5_the_bot_is_asked_who_it_is(bot_home: BotHome) -> None:
    access = bot_home.access
    assert await asyncio.to_thread(find_bot, access) == "valor_bot"
    bot_home.api.revoke(bot_home.person)
    with pytest.raises(SessionError, match="wrong or revoked"):
        await asyncio.to_thread(find_bot, access)
    await bot_home.api.go_down()
    with pytest.raises(Unsent):
        await asyncio.to_thread(find_bot, access)
    with pytest.raises(SessionError, match="no token"):
        await asyncio.to_thread(find_bot, BotAccess("x", bot_home.api.url))
    await bot_home.api.come_back()
