from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integrations.telegram.bot_stage import BotHome
from tests.integrations.telegram.desk import Home
from tests.world.bot_api import BotApi
from tests.world.telegram import TelegramWorld


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    async with TelegramWorld(tmp_path) as world:
        home = Home(world, tmp_path)
        home.sign_in()
        yield home


@pytest.fixture
async def bot_home(tmp_path: Path) -> AsyncIterator[BotHome]:
    async with TelegramWorld(tmp_path) as world, BotApi(world) as api:
        yield BotHome(world, api)
