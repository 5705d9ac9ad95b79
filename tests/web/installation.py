"""A whole server in this process over a real database: the offline model, the local front, no network."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import main
from core.checks import Board
from core.clock import SystemClock
from core.settings import Settings, load_settings
from web.late import Opened
from web.opened import open_doors
from web.server import Server


def settings_in(home: Path, **environment: str) -> Settings:
    """The settings of an installation at `home`, with one workspace named Garden."""
    garden = home / "garden"
    garden.mkdir(parents=True, exist_ok=True)
    config = {"workspaces": {"Garden": {"working_directory": str(garden), "aliases": ["plants"]}}}
    (home / "config").mkdir(exist_ok=True)
    (home / "config/workspace_config.json").write_text(json.dumps(config))
    (home / ".env").write_text("".join(f"{name}={value}\n" for name, value in environment.items()))
    return load_settings(home)


@asynccontextmanager
async def open_server(settings: Settings) -> AsyncGenerator[tuple[Server, Opened]]:
    """A server that is up, and its doors."""
    board = Board(SystemClock())
    server = Server(main.build_services(settings, main.read_configuration(settings), board))
    async with server.up():
        yield server, open_doors(server)
