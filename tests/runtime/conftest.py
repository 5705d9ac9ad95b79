from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic_ai.models import override_allow_model_requests

from core.database import Database, sqlite_url
from core.migrate import migrate
from tests.runtime.stage import Stage, open_stage


@pytest.fixture(autouse=True)
def no_model_requests() -> Iterator[None]:
    """Nothing calls a model by mistake; `open_stage` allows it, for a model on loopback."""
    with override_allow_model_requests(allow_model_requests=False):
        yield


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(sqlite_url(tmp_path / "system.db"))
    await migrate(opened)
    yield opened
    await opened.close()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path) as opened:
        yield opened
