from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import main
from core.errors import Unknown
from tests.web.installation import settings_in

ROOT = Path(main.__file__).parent


def run(home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {"VALOR_HOME": str(home), "PATH": "/usr/bin:/bin", "HOME": str(home)}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_validate_environment_names_the_missing_keys(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("NOTION_API_KEY=x\n")
    ran = run(tmp_path, "-c", "from main import validate_environment; validate_environment()")
    assert ran.returncode != 0
    last = ran.stderr.splitlines()[-1]
    assert last.startswith("OSError: Missing")
    assert "ANTHROPIC_API_KEY, TELEGRAM_BOT_TOKEN, PERPLEXITY_API_KEY" in last
    assert "NOTION_API_KEY" not in last


def test_s5_check_only_prints_each_check_with_its_mending_command(tmp_path: Path) -> None:
    settings_in(tmp_path)
    ran = run(tmp_path, "main.py", "--check-only")
    assert ran.returncode == 0, ran.stderr
    assert "ok    database" in ran.stdout
    assert "ANTHROPIC_API_KEY=…" in ran.stdout
    assert ran.stdout.rstrip().endswith("Valor can start.")


def test_w1_a_wrong_configuration_ends_the_start_with_every_problem(tmp_path: Path) -> None:
    settings_in(tmp_path)
    wrong = {"workspaces": {"A": {"working_directory": "relative"}, "B": {"is_dev_group": "yes"}}}
    (tmp_path / "config/workspace_config.json").write_text(json.dumps(wrong))
    ran = run(tmp_path, "main.py")
    assert ran.returncode == 1
    assert "workspaces.A.working_directory" in ran.stderr
    assert "workspaces.B.is_dev_group" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_agent_scripts_answer_from_any_folder_with_and_without_a_pipe(tmp_path: Path) -> None:
    settings_in(tmp_path)
    script = str(ROOT / "agents/valor_agent.py")
    environment = {"VALOR_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    asked = subprocess.run(
        [sys.executable, script, "--project", "pla", "help"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert asked.returncode == 0, asked.stderr
    assert "offline model" in asked.stdout
    piped = subprocess.run(
        [sys.executable, script],
        input="help",
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "offline model" in piped.stdout


def test_agent_scripts_name_the_project_that_is_missing(tmp_path: Path) -> None:
    settings_in(tmp_path)
    ran = run(tmp_path, "agents/valor_agent.py", "--project", "nowhere", "help")
    assert (ran.returncode, ran.stderr) == (1, "There is no workspace 'nowhere'; known are Garden.\n")


async def test_a_command_line_runs_in_its_own_process_on_the_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agents.valor_agent import MANIFEST

    settings_in(tmp_path)
    monkeypatch.setenv("VALOR_HOME", str(tmp_path))
    shown: list[str] = []
    async with main.open_talk(MANIFEST, "plants") as talk:
        answer = await talk.say("help", shown.append)
    assert "".join(shown) == answer
    assert main.project_names() == ["Garden"]
    with pytest.raises(Unknown):
        async with main.open_talk(MANIFEST, "nowhere"):
            pass


def test_importing_main_does_nothing_and_app_is_built_on_demand(tmp_path: Path) -> None:
    settings_in(tmp_path)
    ran = run(
        tmp_path,
        "-c",
        "import main, sys; assert 'fastapi' not in sys.modules; print(type(main.app).__name__); main.nothing",
    )
    assert ran.stdout == "FastAPI\n"
    assert "AttributeError: nothing" in ran.stderr


def test_s5_a_port_that_is_taken_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings_in(tmp_path, API_PORT=str(taken.getsockname()[1]))
        ran = run(tmp_path, "main.py")
    assert ran.returncode == 1
    assert "in use" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_s5_a_home_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where a folder should be")
    ran = run(tmp_path / "home", "main.py")
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    assert "VALOR_HOME" in ran.stderr or ".env" in ran.stderr
