"""One installation of the product in a temporary folder: processes of its own, with nothing of this session in them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sqlite3
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.waiting import until

PROJECT = Path(__file__).resolve().parents[2]
PROC = Path("/proc")
PID_FILES = {"server": "server.pid", "worker": "huey.pid"}
TAIL = 6_000


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command came to; standard output and error in one."""

    code: int
    said: str


class Installation:
    """The product in `home`, whose `.env` holds `settings`. Started and ended by its own scripts, or piece by piece."""

    def __init__(self, home: Path, settings: dict[str, str]) -> None:
        self.home = home
        self.port = free_port()
        self._settings = {"API_PORT": str(self.port), **settings}
        for name in ("config", "data", "user"):
            (home / name).mkdir(parents=True, exist_ok=True)
        self.configure()

    def configure(self, **changed: str) -> None:
        """Write `.env`, with these settings changed."""
        self._settings |= changed
        (self.home / ".env").write_text("".join(f"{name}={value}\n" for name, value in self._settings.items()))

    @property
    def environment(self) -> dict[str, str]:
        """All that the product is given: nothing of this process but what measures coverage."""
        measuring = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
        user = {"HOME": str(self.home / "user"), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
        return {"VALOR_HOME": str(self.home), **user, **measuring}

    # -- commands

    async def run(self, *command: str, folder: Path = PROJECT, seconds: float = 60.0, typed: str = "") -> Ended:
        """Run a command to its end, with this on its standard input."""
        process = await asyncio.create_subprocess_exec(
            *command, env=self.environment, cwd=folder, stdin=PIPE if typed else DEVNULL, stdout=PIPE, stderr=STDOUT
        )
        try:
            async with asyncio.timeout(seconds):
                said, _ = await process.communicate(typed.encode() if typed else None)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        return Ended(process.returncode or 0, said.decode())

    async def start(self, *options: str) -> Ended:
        """By scripts/start.sh, which sets nothing up from within a test."""
        assert (await self.run("scripts/setup", "--check")).code == 0, "The requirements changed: run scripts/setup."
        return await self.run("scripts/start.sh", *options)

    async def stop(self) -> Ended:
        return await self.run("scripts/stop.sh")

    @contextlib.asynccontextmanager
    async def running(self, *options: str) -> AsyncGenerator[Ended]:
        """Started by start.sh and, whatever happens, ended; in the block, what start.sh said."""
        try:
            started = await self.start(*options)
            assert started.code == 0, f"{started.said}\n{self.tail()}"
            yield started
        except (AssertionError, TimeoutError) as error:
            error.add_note(self.tail())
            raise
        finally:
            await self.stop()
            await self.end_all()

    @contextlib.asynccontextmanager
    async def explaining(self) -> AsyncGenerator[None]:
        """What fails in the block is told with the product's logs."""
        try:
            yield
        except (AssertionError, TimeoutError, LookupError) as error:
            error.add_note(self.tail())
            raise

    # -- processes

    def pid(self, part: str) -> int:
        """Which process runs as `server` or `worker`, as its pid file says; 0 for none."""
        try:
            return int((self.home / PID_FILES[part]).read_text())
        except (FileNotFoundError, ValueError):
            return 0

    async def kill(self, part: str) -> int:
        """End a part with SIGKILL, and wait until it is gone; its pid."""
        pid = self.pid(part)
        if not pid:  # 0 would mean this process's own group
            raise LookupError(f"No {part} runs.")
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not is_alive(pid))
        return pid

    async def restarted(self, part: str, former: int, seconds: float = 10.0) -> int:
        """The pid of the process that the supervisor started instead of `former`."""
        return await until(lambda: (pid := self.pid(part)) != former and pid, seconds)

    def processes(self) -> dict[int, str]:
        """Every process that carries this installation in its environment or its arguments, with its command line."""
        mark = os.fsencode(self.home)
        found = {pid: read_process(pid) for pid in all_pids()}
        return {pid: line for pid, (line, everything) in found.items() if mark in everything and pid != os.getpid()}

    async def end_all(self) -> None:
        """End whatever is left, by force: only for the tests' own tidiness."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await until(lambda: not self.processes())

    # -- looking

    def query(self, sql: str, *parameters: object) -> list[sqlite3.Row]:
        """Read `system.db` as any user may; no rows before it is there."""
        with contextlib.closing(sqlite3.connect(f"file:{self.home / 'system.db'}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute(sql, parameters).fetchall()

    def value(self, sql: str, *parameters: object) -> Any:
        """The first column of the first row, None without one."""
        rows = self.query(sql, *parameters)
        return rows[0][0] if rows else None

    def change(self, sql: str) -> None:
        """Write into `system.db` while nothing runs."""
        with contextlib.closing(sqlite3.connect(self.home / "system.db")) as connection, connection:
            connection.execute(sql)

    def token(self) -> str:
        return (self.home / ".token").read_text().strip()

    def tail(self) -> str:
        """The ends of all logs."""
        logs = sorted((self.home / "logs").glob("*.*"))
        return "\n".join(f"== {log.name}\n{log.read_text(errors='replace')[-TAIL:]}" for log in logs)


def all_pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def read_process(pid: int) -> tuple[str, bytes]:
    """A process's command line, and that with its environment; empty when it is gone."""
    try:
        line = (PROC / str(pid) / "cmdline").read_bytes()
        return line.replace(b"\0", b" ").decode(errors="replace"), line + (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return "", b""


def is_alive(pid: int) -> bool:
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
