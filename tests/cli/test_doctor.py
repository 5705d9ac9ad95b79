"""S5: `python main.py --check-only` and `valor doctor`: each check, its result, the exact mending command."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from cli import doctor
from core.checks import BOT, Check, Finding, Status
from core.database import Database, sqlite_url
from core.errors import ConfigurationError, DatabaseError
from core.migrate import migrate
from core.settings import Settings
from tests.acceptance.installation import free_port
from tests.web.stage import Stage
from tests.world.bot_api import BotApi
from tests.world.telegram import TelegramWorld

PROJECT = Path(__file__).resolve().parents[2]


def settings_of(home: Path, **values: object) -> Settings:
    return Settings.model_validate({"project": home, "env_file": home / ".env", **values})


def test_s5_each_check_its_result_and_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    good = Check("disk", lambda: Finding(Status.HEALTHY, "It is roomy."))
    bad = Check("fence", lambda: Finding(Status.UNHEALTHY, "It is not there.", "apt-get install bubblewrap"))
    assert (doctor.report([good]), doctor.report([good, bad])) == (0, 1)
    assert capsys.readouterr().out.splitlines() == [
        "ok    disk  It is roomy.",
        "Valor can start.",
        "ok    disk   It is roomy.",
        "BAD   fence  It is not there.",
        "             → apt-get install bubblewrap",
        "1 of 2 checks say that Valor cannot start as it is.",
    ]


async def test_s5_the_database_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "system.db"
    settings = settings_of(tmp_path)
    none = await run(settings)
    path.touch()
    empty = await run(settings)
    database = Database(sqlite_url(path))
    await migrate(database)
    await database.close()
    current = await run(settings)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(DatabaseError, match="newer than this Valor"):
        await run(settings)
    sentences = [finding.sentence for finding in (none, empty, current)]
    assert sentences == [
        "system.db will be made by the first start.",
        "system.db is of an older version.",
        "system.db is of this version.",
    ]


async def run(settings: Settings) -> Finding:
    return await asyncio.to_thread(doctor.check_database, settings)


def test_w1_the_configuration_is_looked_at(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    missing = doctor.check_workspaces(settings)
    settings.workspace_config_path.parent.mkdir()
    settings.workspace_config_path.write_text('{"workspaces": {}}')
    valid = doctor.check_workspaces(settings)
    settings.workspace_config_path.write_text('{"workspaces": 5}')
    with pytest.raises(ConfigurationError, match="workspaces"):
        doctor.check_workspaces(settings)
    assert (missing.status, valid.sentence) == (Status.DEGRADED, "0 workspaces in workspace_config.json.")


def test_s6_the_model_that_would_answer_is_named(tmp_path: Path) -> None:
    offline = doctor.check_model(settings_of(tmp_path, model_primary="anthropic:x", anthropic_api_key=None))
    real = doctor.check_model(settings_of(tmp_path, model_primary="anthropic:x", anthropic_api_key="k"))
    assert (offline.status, offline.mend) == (Status.OFF, "echo 'ANTHROPIC_API_KEY=…' >> .env")
    assert real == Finding(Status.HEALTHY, "anthropic:x is configured.")


def test_w4_the_fence_is_looked_at(tmp_path: Path) -> None:
    assert doctor.check_fence(settings_of(tmp_path)).status in {Status.HEALTHY, Status.DEGRADED}
    assert "switched off" in doctor.check_fence(settings_of(tmp_path, fence=False)).sentence


def test_s1_the_account_is_looked_at(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, telegram_api_id=1, telegram_api_hash="x")
    not_signed_in = doctor.check_account(settings)
    settings.data_dir.mkdir()
    (settings.data_dir / "telegram.session").write_bytes(b"x")
    found = [doctor.check_account(settings_of(tmp_path)), not_signed_in, doctor.check_account(settings)]
    assert [finding.status for finding in found] == [Status.OFF, Status.UNHEALTHY, Status.HEALTHY]
    assert not_signed_in.mend == "scripts/telegram_login.sh"


async def test_b9_the_bot_is_looked_at(tmp_path: Path) -> None:
    off = doctor.check_bot(settings_of(tmp_path))
    async with TelegramWorld(tmp_path) as world, BotApi(world) as api:
        bot = world.bot("Valor", "valor_bot")
        values = {"telegram_bot_token": api.token(bot), "telegram_bot_api_url": api.url, "api_port": free_port()}
        settings = settings_of(tmp_path, **values)
        good = await asyncio.to_thread(doctor.check_bot, settings)
        api.revoke(bot)
        revoked = await asyncio.to_thread(doctor.check_bot, settings)
        await api.go_down()
        gone = await asyncio.to_thread(doctor.check_bot, settings)
        async with Stage().up() as stage:
            stage.board.report(BOT, Status.UNHEALTHY, "Another program fetches this bot's updates (409 Conflict).")
            running = settings_of(tmp_path, **{**values, "api_port": stage.port})
            conflict = await asyncio.to_thread(doctor.check_bot, running)
        await api.come_back()
    assert [finding.status for finding in (off, good, revoked, gone, conflict)] == [
        Status.OFF,
        Status.HEALTHY,
        Status.UNHEALTHY,
        Status.DEGRADED,
        Status.UNHEALTHY,
    ]
    assert "@valor_bot" in good.sentence
    assert "wrong or revoked" in revoked.sentence
    assert "409 Conflict" in conflict.sentence


@pytest.mark.parametrize(("line", "code"), [("", 0), ("TELEGRAM_API_ID=1\nTELEGRAM_API_HASH=x", 1)])
def test_s5_check_only_says_whether_it_could_start(tmp_path: Path, line: str, code: int) -> None:
    (tmp_path / ".env").write_text(f"API_PORT=9\n{line}\n")
    environment = {"VALOR_HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    command = [sys.executable, str(PROJECT / "main.py"), "--check-only"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (code, "")
    assert "the Anthropic models" in done.stdout
    assert not (tmp_path / "system.db").exists()
