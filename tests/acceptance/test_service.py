"""S1, S2, S4, S5: scripts/start.sh and scripts/stop.sh with the real processes, from a foreign folder."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from cli.records import Part, Records

PROJECT = Path(__file__).resolve().parents[2]
SECONDS = 60.0


@dataclass(frozen=True)
class Installation:
    """A folder with a space in its name, without any key, on a port of its own."""

    home: Path
    port: int

    @property
    def environment(self) -> dict[str, str]:
        own = {"VALOR_HOME": str(self.home), "HOME": str(self.home), "PATH": os.environ["PATH"]}
        return own | {name: value for name, value in os.environ.items() if name.startswith("COV")}

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROJECT / "scripts" / script, *arguments],
            cwd="/",
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS * 2,
        )

    def pid(self, name: str) -> int:
        return int((self.home / name).read_text())

    @property
    def pids(self) -> tuple[int, int]:
        return self.pid("server.pid"), self.pid("huey.pid")

    def health(self) -> dict[str, Any] | None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/health")
            return json.load(connection.getresponse())
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def processes(self) -> list[psutil.Process]:
        """Everything that runs for this folder, zombies apart."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.status() != "zombie" and process.environ().get("VALOR_HOME") == str(self.home)
        except psutil.Error:
            return False


@pytest.fixture
def installation(tmp_path: Path) -> Generator[Installation]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = tmp_path / "va lor"
    home.mkdir()
    (home / ".env").write_text(f"API_PORT={port}\n")
    found = Installation(home, port)
    yield found
    found.run("stop.sh")
    for process in found.processes():
        process.kill()


@contextmanager
def locked(database: Path) -> Generator[None]:
    """Within the block the ledger is somebody else's, so that no start gets past it."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("COMMIT")


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < until, "it did not happen in time"


def test_s1_s2_a_life_from_start_to_stop(installation: Installation) -> None:
    started = installation.run("start.sh")
    assert started.returncode == 0, started.stderr
    server, worker = installation.pids
    lines = started.stdout.splitlines()
    assert any(line.startswith("up") and "self-ping" in line for line in lines)
    assert any(line.startswith("off") and "telegram account" in line for line in lines)
    assert (
        f"http://127.0.0.1:{installation.port}/?token={(installation.home / '.token').read_text().strip()}"
        in (lines[-2])
    )
    assert "huey_consumer" in " ".join(psutil.Process(worker).cmdline())
    assert (installation.home / "logs" / "agent_system.log").stat().st_size
    assert (installation.home / "logs" / "huey.log").exists()

    again = installation.run("start.sh")
    assert again.returncode == 0
    assert again.stdout.startswith("Valor runs already: ")
    assert installation.pids == (server, worker)

    os.kill(server, signal.SIGKILL)
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: is_back(installation, {server, worker}))

    stopped = installation.run("stop.sh")
    assert (stopped.returncode, stopped.stdout.count("pid")) == (0, 3)
    assert installation.processes() == []
    assert installation.health() is None
    assert (installation.home / "system.db").exists()
    assert not (installation.home / "server.pid").exists()


def test_s1_a_supervisor_that_was_killed_is_brought_back(installation: Installation) -> None:
    assert installation.run("start.sh").returncode == 0
    before, records = installation.pids, Records(installation.home)
    supervisor = records.running()[Part.SUPERVISOR].pid
    os.kill(supervisor, signal.SIGKILL)
    wait_until(lambda: Part.SUPERVISOR not in records.running())
    mended = installation.run("start.sh")
    assert mended.returncode == 0, mended.stderr
    assert mended.stdout.startswith(f"Ended what an earlier start left: server (pid {before[0]}), ")
    assert {*Part} == records.running().keys()
    assert not {supervisor, *before} & {owner.pid for owner in records.running().values()}


def test_s1_an_interrupted_start_says_what_runs_on(installation: Installation) -> None:
    # Who runs the tests in the background has their children ignore the signal: not so at a terminal.
    records, command = Records(installation.home), ["env", "--default-signal=INT", PROJECT / "scripts" / "start.sh"]
    with (
        locked(installation.home / "system.db"),
        subprocess.Popen(command, env=installation.environment, stderr=subprocess.PIPE, text=True) as starting,
    ):
        wait_until(lambda: Part.SERVER in records.running())
        starting.send_signal(signal.SIGINT)
        said = starting.communicate(timeout=SECONDS)[1]
    assert starting.returncode == 130
    supervisor = records.running()[Part.SUPERVISOR].pid
    assert said.splitlines()[-1].startswith(f"Interrupted. Still running: supervisor (pid {supervisor}), ")
    assert "Traceback" not in said
    assert installation.run("stop.sh").stdout.count("pid") == 3


def is_back(installation: Installation, before: set[int]) -> bool:
    """Whether supervised processes run again, others than before, and say that they are well."""
    health = installation.health()
    if health is None or health["pid"] in before:
        return False
    parts = health["components"]
    well = [parts.get(name, {}).get("status") for name in ("self-ping", "worker")]
    return well == ["healthy", "healthy"] and not before & set(installation.pids)


def test_s1_without_supervision_there_are_two_processes_and_nobody_restarts(installation: Installation) -> None:
    started = installation.run("start.sh", "--no-supervise")
    assert started.returncode == 0, started.stderr
    assert sorted(process.pid for process in installation.processes()) == sorted(installation.pids)
    server, worker = installation.pids
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: status_of(installation, "worker") == "degraded")
    assert installation.pids[0] == server
    stopped = installation.run("stop.sh")
    assert f"server (pid {server})" in stopped.stdout
    assert installation.processes() == []


def status_of(installation: Installation, part: str) -> str | None:
    """None also when the server is too busy to answer."""
    health = installation.health()
    return health["components"].get(part, {}).get("status") if health else None


def test_s1_a_database_of_a_newer_version_is_the_reason(installation: Installation) -> None:
    with sqlite3.connect(installation.home / "system.db") as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
    connection.close()
    refused = installation.run("start.sh")
    assert refused.returncode == 1
    assert "newer than this Valor" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert installation.processes() == []


def test_s1_an_account_that_is_not_signed_in_needs_a_terminal(installation: Installation) -> None:
    with (installation.home / ".env").open("a") as env:
        env.write("TELEGRAM_API_ID=1\nTELEGRAM_API_HASH=abc\n")
    refused = installation.run("start.sh")
    assert refused.returncode == 1
    assert refused.stderr.endswith(
        "The Telegram account is not signed in: run scripts/telegram_login.sh in a terminal.\n"
    )
    assert installation.processes() == []


def test_s1_a_port_taken_is_the_reason(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", installation.port)):
        refused = installation.run("start.sh")
    assert refused.returncode == 1
    assert f"Port {installation.port} is taken by process {os.getpid()}" in refused.stderr


def test_s4_health_answers_while_the_parts_are_starting(installation: Installation) -> None:
    """How soon is for scripts/bench to measure."""
    command = [PROJECT / ".venv" / "bin" / "python", PROJECT / "main.py"]
    with subprocess.Popen(command, cwd="/", env=installation.environment) as server:
        with locked(installation.home / "system.db"):
            wait_until(lambda: installation.health() is not None)
            assert status_of(installation, "server") == "starting"
        wait_until(lambda: status_of(installation, "server") == "healthy")
        server.terminate()
