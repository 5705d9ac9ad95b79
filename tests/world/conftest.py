"""The played Telegram with one person in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.world.telegram import Person, TelegramWorld


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[TelegramWorld]:
    async with TelegramWorld(tmp_path) as made:
        yield made


@pytest.fixture
def anna(world: TelegramWorld) -> Person:
    return world.person("Anna", "anna")
