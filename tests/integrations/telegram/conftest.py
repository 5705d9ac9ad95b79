from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integrations.telegram.desk import Home
from tests.world.telegram import TelegramWorld


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    async with TelegramWorld(tmp_path) as world:
        home = Home(world, tmp_path)
        home.sign_in()
        yield home
