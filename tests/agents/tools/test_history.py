from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from agents.tools.history import history_toolset
from core.protocols import Said
from runtime.manifest import Tools
from tests.runtime.stage import CHAT, Past, Stage, open_stage
from tests.world.anthropic import Call, Say


async def search(stage: Stage, args: dict[str, object]) -> str:
    stage.model.script(lambda asked: Say("Done.") if asked.results else Call("search_history", args))
    await stage.runner().run(stage.manifest(toolsets=(Tools(history_toolset),)), "go", stage.deps(history=stage.past))
    return stage.model.calls[-1].asked.results[0].text


async def test_b7_the_chats_own_past_is_searched(tmp_path: Path) -> None:
    async with open_stage(tmp_path) as stage:
        stage.past = Past(Said(3, "Olga", datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "the\nkey is here"))
        assert await search(stage, {"words": "key", "limit": 500}) == "2026-01-02 03:04 Olga: the key is here"
        assert stage.past.asked == [(CHAT, "key", 50)]


@pytest.mark.parametrize("limit", [0, 20])
async def test_nothing_found_is_said(tmp_path: Path, limit: int) -> None:
    async with open_stage(tmp_path) as stage:
        assert await search(stage, {"words": "key", "limit": limit}) == "[nothing found]"
        assert stage.past.asked == [(CHAT, "key", max(limit, 1))]
