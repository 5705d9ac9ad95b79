"""`scripts/list_telegram_groups` as it is typed: by itself, and beside a server that holds the session."""

from __future__ import annotations

import json
from pathlib import Path

from cli.telegram_groups import NO_API
from integrations.telegram.session import SessionLock
from tests.cli.test_telegram_login import configure, run
from tests.integrations.telegram.desk import Desk, Home
from tests.web.stage import TOKEN, Stage
from tests.world.telegram import TelegramWorld


async def test_it_lists_what_is_configured_and_what_is_not_and_leaves_what_was_missed(tmp_path: Path) -> None:
    async with TelegramWorld(tmp_path) as world:
        configure(world, tmp_path)
        home = Home(world, tmp_path)
        session = tmp_path / "data" / "telegram.session"
        session.parent.mkdir()
        world.mint_session(home.valor, session)
        known, other = (world.group(title, [home.anna, home.valor]) for title in ("Known", "Other"))
        missed = world.say(home.anna, home.valor, "helo")
        session.rename(tmp_path / "valor.session")
        async with home.userbot(Desk()):
            pass
        (tmp_path / "valor.session").rename(session)
        world.edit(missed, "hello")
        keys = [str(group.peer_id(home.valor)) for group in (known, other)]
        workspaces = {"Dev": {"telegram_chat_ids": [keys[0], "-77"]}}
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "workspace_config.json").write_text(json.dumps({"workspaces": workspaces}))
        code, out, err = await run(tmp_path, None, "cli.telegram_groups")
        assert (code, err) == (0, "")
        assert f'Dev                   supergroup  "{keys[0]}"  Known' in out
        assert f'  "telegram_chat_ids": ["{keys[1]}"]' in out
        assert "no such group: -77" in out
        desk = Desk()
        session.rename(tmp_path / "valor.session")
        async with home.userbot(desk):
            await desk.hear("hello")


async def test_it_asks_the_server_that_holds_the_session(tmp_path: Path) -> None:
    async with TelegramWorld(tmp_path) as world:
        configure(world, tmp_path)
        lock = SessionLock(tmp_path / "data" / "telegram.session", "valor server")
        lock.acquire()
        code, _, err = await run(tmp_path, None, "cli.telegram_groups")
        lock.release()
        assert (code, "No Valor answers" in err or "token" in err) == (1, True)


async def test_it_shows_what_the_server_tells(tmp_path: Path) -> None:
    async with TelegramWorld(tmp_path) as world, Stage().up() as stage:
        configure(world, tmp_path)
        with (tmp_path / ".env").open("a") as settings:
            settings.write(f"API_PORT={stage.port}\n")
        (tmp_path / ".token").write_text(TOKEN)
        (tmp_path / ".token").chmod(0o600)
        lock = SessionLock(tmp_path / "data" / "telegram.session", "valor server")
        lock.acquire()
        code, out, err = await run(tmp_path, None, "cli.telegram_groups")
        lock.release()
        assert (code, err) == (0, "")
        assert out.startswith('Dev                   group       "-1005"  Dev')


async def test_it_names_what_is_missing(tmp_path: Path) -> None:
    assert await run(tmp_path, None, "cli.telegram_groups") == (1, "", f"{NO_API}\n")
    async with TelegramWorld(tmp_path) as world:
        configure(world, tmp_path)
        code, _, err = await run(tmp_path, None, "cli.telegram_groups")
        assert (code, "not signed in" in err) == (1, True)
