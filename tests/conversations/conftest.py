from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conversations.stage import Stage, opened, write_current
from tests.conversations.writer import Writer


@pytest.fixture(scope="session")
async def current_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return await write_current(tmp_path_factory.mktemp("current"))


@pytest.fixture
def folder(current_database: Path, tmp_path: Path) -> Path:
    """A folder with a database of this program's version."""
    shutil.copy(current_database, tmp_path / "system.db")
    return tmp_path


@pytest.fixture
async def stage(folder: Path) -> AsyncIterator[Stage]:
    async with opened(Stage(folder)) as ready:
        yield ready


@pytest.fixture
def writer(stage: Stage) -> Writer:
    return Writer(stage)
