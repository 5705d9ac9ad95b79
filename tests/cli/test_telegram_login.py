"""`scripts/telegram_login.sh` as it is typed, against a played Telegram."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from cli.telegram_login import PROJECT
from tests.integrations.telegram.desk import Home
from tests.terminal import Terminal, at_terminal
from tests.world.telegram import TelegramWorld

PHONE, CODE, ASKED = "country code: ", "has sent: ", "The account's password: "
PASSWORD = "Schlüssel 🗝"
CTRL_C = "\x03"


def surroundings(folder: Path) -> dict[str, str]:
    """The environment of a sign-in, without this machine's settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TELEGRAM_")}
    return environment | {"VALOR_HOME": str(folder)}


async def run(folder: Path, typed: str | None, module: str = "cli.telegram_login") -> tuple[int | None, str, str]:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        cwd=PROJECT,
        env=surroundings(folder),
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


@contextlib.asynccontextmanager
async def at_password(folder: Path) -> AsyncGenerator[Terminal]:
    """An account with a password, at a terminal, whose number and code are typed already."""
    async with TelegramWorld(folder) as world:
        configure(world, folder)
        valor = Home(world, folder).valor
        valor.password = PASSWORD
        command, surrounded = (sys.executable, "-m", "cli.telegram_login"), surroundings(folder) | {"LANG": "C.UTF-8"}
        async with at_terminal(*command, environment=surrounded, folder=PROJECT) as terminal:
            await terminal.answer(PHONE, f"{valor.phone}\n")
            await terminal.answer(CODE, f"{valor.code}\n")
            yield terminal


async def test_a_password_is_typed_unseen_and_asked_again_when_it_is_wrong(tmp_path: Path) -> None:
    async with at_password(tmp_path) as terminal:
        await terminal.answer(ASKED, "guess\n")
        await terminal.answer(ASKED, f"{PASSWORD}\n")
        assert await terminal.end() == 0
    assert terminal.shown.endswith(
        f"{ASKED}\nThis is not the account's password.\n{ASKED}\nSigned in as Valor (@valor_ai).\n"
    )
    assert "guess" not in terminal.shown
    assert PASSWORD not in terminal.shown


async def test_a_password_that_is_no_utf_8_is_asked_again(tmp_path: Path) -> None:
    """As a terminal that is set to another encoding sends it."""
    async with at_password(tmp_path) as terminal:
        await terminal.answer(ASKED, "Schlüssel\n".encode("latin-1"))
        await terminal.answer(ASKED, f"{PASSWORD}\n")
        assert await terminal.end() == 0
    assert "set the terminal to UTF-8" in terminal.shown


async def test_ctrl_c_at_the_password_ends_the_sign_in_and_gives_the_echo_back(tmp_path: Path) -> None:
    async with at_password(tmp_path) as terminal:
        await terminal.answer(ASKED, CTRL_C)
        assert await terminal.end() == 130
        assert terminal.echoes
    assert terminal.shown.endswith("\nInterrupted: start again to sign in.\n")
