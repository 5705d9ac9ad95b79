"""List the account's groups: which workspace each belongs to, and which ids are still to be configured."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from core.errors import ConfigurationError, ValorError
from core.group_list import Group, GroupList, describe_groups, list_groups
from core.lock_file import is_held
from core.settings import Settings, load_settings
from core.workspace_file import load_workspaces

PROJECT = Path(__file__).resolve().parent.parent
NO_API = "Set TELEGRAM_API_ID and TELEGRAM_API_HASH in .env first: https://my.telegram.org gives them."


def read_groups(project: Path) -> GroupList:
    """From the running server where there is one, for it alone may hold the session. Raises ValorError."""
    from integrations.telegram.session import SessionLock, TelegramAccess

    settings = load_settings(project)
    access = TelegramAccess.of(settings)
    if access is None:
        raise ConfigurationError([NO_API])
    if is_held(SessionLock(access.session_path, "list_telegram_groups").path):
        return _ask_server(settings)
    from integrations.telegram.listing import list_dialogs

    config = load_workspaces(settings.workspace_config_path, settings.telegram_allowed_groups, settings.workspaces_dir)
    return list_groups(asyncio.run(list_dialogs(access)), config)


def _ask_server(settings: Settings) -> GroupList:
    from cli.client import Client

    body = Client.of(settings).ask("GET", "/api/telegram/groups")
    return GroupList(tuple(Group(**group) for group in body["groups"]), tuple(body["absent"]))


def main() -> int:
    """The exit code: 0 when the groups were listed."""
    try:
        print(describe_groups(read_groups(PROJECT)))
    except ValorError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
