"""`scripts/telegram_logout.sh` as it is typed, against a played Telegram."""

from __future__ import annotations

from pathlib import Path

from cli.telegram_logout import NO_API
from integrations.telegram.session import SessionLock, has_key
from tests.cli.test_telegram_login import configure, run
from tests.integrations.telegram.desk import Home
from tests.world.telegram import TelegramWorld


async def test_it_ends_the_session_and_says_when_there_is_none(tmp_path: Path) -> None:
    async with TelegramWorld(tmp_path) as world:
        configure(world, tmp_path)
        home = Home(world, tmp_path)
        session = tmp_path / "data" / "telegram.session"
        session.parent.mkdir()
        world.mint_session(home.valor, session)
        lock = SessionLock(session, "valor server")
        lock.acquire()
        code, _, err = await run(tmp_path, None, "cli.telegram_logout")
        assert (code, "valor server" in err) == (1, True)
        lock.release()
        assert await run(tmp_path, None, "cli.telegram_logout") == (0, "Signed out: the session is ended.\n", "")
        assert session.exists()
        assert not has_key(session)
        assert len(world.ledger.calls("auth.logOut", home.valor)) == 1
        assert await run(tmp_path, None, "cli.telegram_logout") == (0, "The account was not signed in.\n", "")


async def test_a_session_that_telegram_has_ended_is_forgotten(tmp_path: Path) -> None:
    async with TelegramWorld(tmp_path) as world:
        configure(world, tmp_path)
        home = Home(world, tmp_path)
        (tmp_path / "data").mkdir()
        world.mint_session(home.valor, tmp_path / "data" / "telegram.session")
        world.revoke(home.valor)
        assert await run(tmp_path, None, "cli.telegram_logout") == (0, "The account was not signed in.\n", "")
        assert not has_key(tmp_path / "data" / "telegram.session")


async def test_without_id_and_hash_nobody_is_signed_in(tmp_path: Path) -> None:
    assert await run(tmp_path, None, "cli.telegram_logout") == (1, "", f"{NO_API}\n")
