"""Processes that a measurement starts and ends: those of the product, and those that play its surroundings."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from scripts.benchmarks.procfs import cpu_seconds, pss_mb
from tests.acceptance.installation import PROJECT, Installation, until

PLAIN = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
POLL = 0.003
PATIENCE = 60.0
WORKER_LOG, READY = "huey.log", "worker ready"
Health = Mapping[str, Any]


class Side:
    """A process of this package that tells facts, a line of JSON or a word each."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def hear(self) -> str:
        """The next line. Raises EOFError when the process has ended, TimeoutError when it stays silent."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = await self._process.stdout.readline()
        if not line:
            raise EOFError("a process of the benchmark ended")
        return line.decode().strip()

    async def hear_fact(self, name: str) -> Any:
        """The value of the next fact of that name; others are passed over."""
        while name not in (fact := json.loads(await self.hear())):
            pass
        return fact[name]


@asynccontextmanager
async def beside(module: str, *arguments: str) -> AsyncGenerator[Side]:
    """A module of this package as a process, ended with the block."""
    command = (sys.executable, "-m", f"scripts.benchmarks.{module}", *arguments)
    process = await asyncio.create_subprocess_exec(*command, cwd=PROJECT, env=PLAIN, stdin=PIPE, stdout=PIPE)
    try:
        yield Side(process)
    finally:
        await end(process)


async def end(process: Process, *, politely: bool = False) -> None:
    """End a process that we started."""
    with suppress(ProcessLookupError):
        process.terminate() if politely else process.kill()
    try:
        async with asyncio.timeout(10):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


class Product:
    """Server and worker of one installation, each started when asked for."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.server: Process | None = None
        self.worker: Process | None = None

    @property
    def home(self) -> Path:
        return self.installation.home

    async def start_server(self) -> float:
        """Start it; the moment of exec by time.perf_counter."""
        began = time.perf_counter()
        self.server = await self._run("main.py")
        return began

    async def start_worker(self) -> None:
        """Start it and wait until it hears the bell."""
        self.worker = await self.start_another()

    async def start_another(self) -> Process:
        """A worker beside the others, which the caller ends; it hears the bell when this returns."""
        ready = self.count_lines(READY)
        worker = await self._run("scripts/huey_consumer.py")
        await until(lambda: self.count_lines(READY) > ready, PATIENCE)
        return worker

    async def stop(self) -> None:
        for process in (self.worker, self.server):
            if process is not None:
                await end(process, politely=True)
        self.server = self.worker = None

    async def kill(self, process: Process | None) -> None:
        assert process is not None
        process.kill()
        await process.wait()

    def count_lines(self, words: str) -> int:
        return sum(words in line for line in self.worker_log())

    def worker_log(self) -> list[str]:
        path = self.home / "logs" / WORKER_LOG
        return path.read_text().splitlines() if path.exists() else []

    # -- looking

    async def until_health(self, is_so: Callable[[Health], bool]) -> float:
        """Ask `/health` until it is so; the moment by time.perf_counter. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE):
            while not await self._is_healthy(is_so):
                pass
        return time.perf_counter()

    async def _is_healthy(self, is_so: Callable[[Health], bool]) -> bool:
        """Ask once; a moment's pause after a no."""
        health = await self._ask()
        if health is not None and is_so(health):
            return True
        await asyncio.sleep(POLL)
        return False

    async def _ask(self) -> Health | None:
        with suppress(OSError, EOFError, IndexError):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.installation.port)
            try:
                writer.write(b"GET /health HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
                answer = await reader.read()
            finally:
                writer.close()
            head, _, body = answer.partition(b"\r\n\r\n")
            return json.loads(body) if head.split()[1] == b"200" else None
        return None

    def pids(self) -> list[int]:
        return list(self.installation.processes())

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.pids())

    def pss_mb(self) -> float:
        return pss_mb(self.pids())

    async def _run(self, script: str) -> Process:
        with (self.home / "output.txt").open("ab") as output:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                script,
                cwd=PROJECT,
                env=self.installation.environment,
                stdin=DEVNULL,
                stdout=output,
                stderr=output,
            )


@asynccontextmanager
async def running(product: Product) -> AsyncGenerator[Product]:
    """The product, ended with the block whatever happens; what fails is told with its logs."""
    async with AsyncExitStack() as stack:
        stack.push_async_callback(product.stop)
        try:
            yield product
        except (TimeoutError, LookupError) as error:
            error.add_note(product.installation.tail())
            raise
