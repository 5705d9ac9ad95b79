"""The `valor` command over a served stage."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from tests.web.stage import TOKEN, Stage

VALOR = "from cli.app import main; main()"


def home_of(stage: Stage, folder: Path) -> Path:
    (folder / ".env").write_text(f"API_PORT={stage.port}\n")
    token = folder / ".token"
    token.touch(0o600)
    token.write_text(TOKEN)
    return folder


async def valor(home: Path, *arguments: str) -> tuple[int, str]:
    """Exit code, and what it says on either stream."""
    environment = {name: value for name, value in os.environ.items() if name.startswith("COV")}
    environment |= {"VALOR_HOME": str(home), "PATH": os.environ["PATH"], "COLUMNS": "100"}
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", VALOR, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


async def test_a8_why(tmp_path: Path) -> None:
    async with Stage().up() as stage:
        home = home_of(stage, tmp_path)
        found, missing = await valor(home, "why", "-1005/7", "5"), await valor(home, "why", "-1005", "6")
        spelled, explained = await valor(home, "why", "--", "-1005", "5"), await valor(home, "why", "--help")
    assert found == (0, "account:1 2026-01-01T00:00:00+00:00 ann: answered: dm of a listed person\n")
    assert missing == (1, "No message 6 of chat -1005 is stored.\n")
    assert spelled == found
    assert (explained[0], "CHAT" in explained[1]) == (0, True)


async def test_p5_promises(tmp_path: Path) -> None:
    async with Stage().up() as stage:
        home = home_of(stage, tmp_path)
        listed, shown = await valor(home, "promises", "list"), await valor(home, "promises", "show", "7")
        cancelled = await valor(home, "promises", "cancel", "7")
        stage.promises.kept.clear()
        none = await valor(home, "promises", "list")
    assert listed == (0, "#7     pending     count the stars\n")
    assert "task_description  count the stars\n" in shown[1]
    assert "status            cancelled\n" in cancelled[1]
    assert none == (0, "No promises yet.\n")


async def test_what_is_missing_is_one_sentence(tmp_path: Path) -> None:
    without_token = await valor(tmp_path, "promises", "list")
    async with Stage().up() as stage:
        home = home_of(stage, tmp_path)
    not_running = await valor(home, "promises", "list")
    assert without_token[0] == not_running[0] == 1
    assert "cannot be read" in without_token[1]
    assert not_running[1].startswith("No Valor answers at ")
    assert without_token[1].count("\n") == not_running[1].count("\n") == 1


async def test_s5_doctor(tmp_path: Path) -> None:
    code, said = await valor(tmp_path, "doctor")
    assert code == 0
    assert said.endswith("Valor can start.\n")
