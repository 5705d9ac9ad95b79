"""`scripts/telegram_login.sh` as it is typed, against a played Telegram."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

import pytest

from cli.telegram_login import PROJECT
from tests.integrations.telegram.desk import Home
from tests.world.telegram import TelegramWorld


async def run(folder: Path, typed: str | None, module: str = "cli.telegram_login") -> tuple[int | None, str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TELEGRAM_")}
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        cwd=PROJECT,
        env=environment | {"VALOR_HOME": str(folder)},
        stdin=DEVNULL if typed is None else PIPE,
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        async with asyncio.timeout(60):
            out, err = await child.communicate(typed.encode() if typed is not None else None)
    finally:
        if child.returncode is None:
            child.kill()
    return child.returncode, out.decode(), err.decode()


def configure(world: TelegramWorld, folder: Path) -> None:
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in world.environment.items()))


async def test_s1_it_signs_in_and_says_when_the_session_is_good_already(tmp_path: Path) -> None:
    async with TelegramWorld(tmp_path) as world:
        configure(world, tmp_path)
        valor = Home(world, tmp_path).valor
        code, out, err = await run(tmp_path, f"{valor.phone}\n00000\n{valor.code}\n")
        assert (code, err) == (0, "")
        assert "This is not the code" in out
        assert out.endswith("Signed in as Valor (@valor_ai).\n")
        assert await run(tmp_path, None) == (0, "The session is good already: Valor (@valor_ai).\n", "")


@pytest.mark.parametrize("typed", [None, ""])
async def test_without_a_terminal_it_names_itself(tmp_path: Path, typed: str | None) -> None:
    async with TelegramWorld(tmp_path) as world:
        configure(world, tmp_path)
        code, _, err = await run(tmp_path, typed)
        assert (code, err) == (1, "The sign-in needs a terminal: run scripts/telegram_login.sh in one.\n")


async def test_without_id_and_hash_it_says_where_they_come_from(tmp_path: Path) -> None:
    code, _, err = await run(tmp_path, None)
    assert code == 1
    assert "TELEGRAM_API_ID" in err
