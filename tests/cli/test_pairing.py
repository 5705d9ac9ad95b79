from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cli.pairing import describe_pairing
from core.checks import BOT
from core.pairing_code import is_right
from core.settings import Settings

UP = {"components": {BOT: {"status": "healthy", "sentence": "Connected as @valor_bot."}}}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "data").mkdir()
    return Settings(project=tmp_path, env_file=tmp_path / ".env")


def test_s1_the_start_prints_the_link_that_makes_an_owner(settings: Settings) -> None:
    link, code = describe_pairing(settings, UP)
    found = re.search(r"https://t\.me/valor_bot\?start=([\w-]{16,64})$", link)
    assert found is not None
    assert f"send {found[1]} to @valor_bot; good for 60 minutes" in code
    assert is_right(settings.pairing_path, found[1], datetime.now(UTC))


@pytest.mark.parametrize(
    "health",
    [
        {},
        {"components": {}},
        {"components": {BOT: {"status": "off", "sentence": "TELEGRAM_BOT_TOKEN is not set."}}},
        {"components": {BOT: {"status": "degraded", "sentence": "Connected as @valor_bot."}}},
    ],
)
def test_s1_without_a_bot_that_is_up_there_is_no_link(settings: Settings, health: dict[str, Any]) -> None:
    assert describe_pairing(settings, health) == []
    assert not settings.pairing_path.exists()


@pytest.mark.parametrize("content", ['{"dm_whitelist": {"allowed_user_ids": {"5": {}}}}', "{", json.dumps({"x": []})])
def test_s1_with_an_owner_there_is_no_link(settings: Settings, content: str) -> None:
    settings.workspace_config_path.parent.mkdir()
    settings.workspace_config_path.write_text(content)
    assert bool(describe_pairing(settings, UP)) is (content == '{"x": []}')
