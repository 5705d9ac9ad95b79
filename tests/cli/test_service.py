"""S1: what start.sh refuses before it starts anything. The start itself: tests/acceptance/test_service.py."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cli import service
from cli.records import Part, Records
from core.checks import Status
from core.errors import ConfigurationError, SessionError
from core.owner import Owner
from core.settings import Settings
from tests.web.stage import Stage


def settings_of(home: Path, **values: object) -> Settings:
    return Settings.model_validate({"project": home, "env_file": home / ".env", **values})


def test_s1_a_port_taken_is_told_with_who_has_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"Port {port} is taken by process {os.getpid()} \("):
            service.check_before(settings_of(tmp_path, api_port=port))


def test_s1_a_port_that_nobody_seen_has_is_told_without_a_name() -> None:
    assert service.by_whom(1) == ""


def test_s1_an_account_not_signed_in_names_the_command(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, telegram_api_id=1, telegram_api_hash="x")
    with pytest.raises(SessionError, match=r"run scripts/telegram_login\.sh in a terminal"):
        service.sign_in_when_needed(settings)
    settings.data_dir.mkdir()
    (settings.data_dir / "telegram.session").write_bytes(b"signed in")
    service.sign_in_when_needed(settings)


def test_s1_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        service.prepare(settings_of(tmp_path / "none"))


def test_s1_the_token_and_the_folders_are_made(tmp_path: Path) -> None:
    token = service.prepare(settings_of(tmp_path))
    assert (tmp_path / ".token").read_text().strip() == token
    assert {folder.name for folder in tmp_path.iterdir() if folder.is_dir()} == {"data", "logs"}


async def start_again(home: Path, token: str, **values: object) -> None:
    """A second start, where this process plays server and worker, since it serves the stage."""
    records = Records(home)
    for part in (Part.SERVER, Part.WORKER):
        records.note(part, os.getpid())
    (home / "logs").mkdir()
    (home / ".token").touch(0o600)
    (home / ".token").write_text(token)
    async with Stage().up() as stage:
        for part in ("self-ping", "worker"):
            stage.board.report(part, Status.HEALTHY, "Fine.")
        settings = settings_of(home, api_port=stage.port, **values)
        await asyncio.to_thread(service.start, settings, supervised=False, seconds=30)


async def test_s1_no_link_is_printed_that_the_server_does_not_know(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigurationError, match=r"another token than .*scripts/stop\.sh && scripts/start\.sh"):
        await start_again(tmp_path, "new")
    assert "Page: " not in capsys.readouterr().out


def test_s1_whether_all_runs_that_was_asked_for() -> None:
    me = Owner.this_process()
    both = {Part.SERVER: me, Part.WORKER: me}
    assert service.is_whole(both, supervised=False)
    assert service.is_whole(both | {Part.SUPERVISOR: me}, supervised=True)
    assert not service.is_whole(both, supervised=True)
    assert not service.is_whole({Part.SERVER: me, Part.SUPERVISOR: me}, supervised=True)


def test_s1_no_interrupt_comes_between_a_process_and_its_record() -> None:
    done: list[str] = []

    def launch() -> None:
        with service.uninterrupted():
            signal.raise_signal(signal.SIGINT)
            done.append("recorded")

    with pytest.raises(KeyboardInterrupt):
        launch()
    assert done == ["recorded"]
    with service.uninterrupted():
        pass


def test_s1_an_interrupt_says_what_runs_on(tmp_path: Path) -> None:
    records = Records(tmp_path)
    assert service.describe_interrupt(records) == "Interrupted. Nothing runs."
    records.note(Part.SERVER, os.getpid())
    assert service.describe_interrupt(records) == (
        f"Interrupted. Still running: server (pid {os.getpid()}). How it is: scripts/start.sh. Stop: scripts/stop.sh"
    )


@pytest.mark.parametrize("command", ["start", "stop"])
def test_s1_every_problem_of_the_settings_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.setenv("VALOR_HOME", str(tmp_path))
    (tmp_path / ".env").write_text("API_PORT=none\nMAX_CONVERSATION_HISTORY=-1\n")
    assert service.main([command]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "API_PORT should be a valid integer, unable to parse string as an integer.",
        "MAX_CONVERSATION_HISTORY should be greater than 0.",
    ]


def test_s1_a_home_that_cannot_be_used_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").write_text("")
    monkeypatch.setenv("VALOR_HOME", str(tmp_path))
    assert service.main(["stop"]) == 1
    assert "cannot be used: " in capsys.readouterr().err


def test_s2_nothing_to_stop_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VALOR_HOME", str(tmp_path))
    assert service.main(["stop"]) == 0
    assert capsys.readouterr().out == "Nothing that scripts/start.sh started is running.\n"


def test_s1_at_a_terminal_the_sign_in_is_begun(tmp_path: Path) -> None:
    """In a terminal of its own; the sign-in fails there for want of a server, and says so."""
    program = (
        "import sys; from pathlib import Path; from cli import service; from core.settings import Settings\n"
        "home = Path(sys.argv[1])\n"
        "settings = Settings.model_validate({'project': home, 'env_file': home / '.env', 'telegram_api_id': 1,"
        " 'telegram_api_hash': 'x'})\n"
        "service.PROJECT = home\n"
        "service.sign_in_when_needed(settings)\n"
        "print('signed in')\n"
    )
    sign_in = tmp_path / service.SIGN_IN
    sign_in.parent.mkdir()
    sign_in.write_text("#!/bin/sh\necho the sign-in ran\n")
    sign_in.chmod(0o755)
    assert "the sign-in ran\r\nsigned in\r\n" in at_a_terminal(program, str(tmp_path))


def at_a_terminal(program: str, argument: str) -> str:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", program, argument]
    subprocess.run(command, stdin=theirs, stdout=theirs, stderr=theirs, timeout=30, check=True)
    os.close(theirs)
    said = os.read(ours, 4_096).decode()
    os.close(ours)
    return said
