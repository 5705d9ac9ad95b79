"""What the start says while the bot has no owner: the link, or the code, that makes whoever uses it first the owner."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from core import pairing_code
from core.checks import BOT, Status
from core.errors import ConfigurationError
from core.settings import Settings
from core.workspace_file import load_workspaces

USERNAME = re.compile(r"@(\w+)")


def describe_pairing(settings: Settings, health: dict[str, Any]) -> list[str]:
    """Nothing where the bot is not up, or somebody is an owner already. Makes a new code each time."""
    bot = health.get("components", {}).get(BOT, {})
    found = USERNAME.search(str(bot.get("sentence", "")))
    if bot.get("status") != Status.HEALTHY or found is None or _has_owner(settings):
        return []
    code = pairing_code.make_code(settings.pairing_path, datetime.now(UTC))
    minutes = int(pairing_code.LIFE.total_seconds() // 60)
    return [
        f"Owner: open https://t.me/{found[1]}?start={code}",
        f"       or send {code} to @{found[1]}; good for {minutes} minutes, once. scripts/start.sh prints a new one.",
    ]


def _has_owner(settings: Settings) -> bool:
    path, groups = settings.workspace_config_path, settings.telegram_allowed_groups
    try:
        return load_workspaces(path, groups, settings.workspaces_dir).has_owner
    except ConfigurationError:
        return True  # the server goes on with what it read last
