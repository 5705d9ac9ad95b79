"""A terminal of its own for a program: it is typed at when it asks, and what it shows is kept."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import termios
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path

SECONDS = 60.0


class Terminal:
    """What the program at the other end of a pseudo-terminal has shown, and the keyboard before it."""

    def __init__(self, master: int, process: Process) -> None:
        self._master = master
        self._process = process
        self._shown = b""
        self._read = 0  # up to where it was looked for questions
        self._news = asyncio.Event()
        self._closed = False
        asyncio.get_running_loop().add_reader(master, self._take)

    @property
    def shown(self) -> str:
        """All that stands on the screen, what was typed and echoed included."""
        return self._shown.decode(errors="replace").replace("\r\n", "\n")

    @property
    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    async def answer(self, question: str, typed: str | bytes) -> None:
        """Type this once the program asks (again). Raises TimeoutError."""
        wanted = question.encode()
        await self._until(lambda: wanted in self._shown[self._read :])
        self._read = self._shown.index(wanted, self._read) + len(wanted)
        os.write(self._master, typed.encode() if isinstance(typed, str) else typed)

    async def end(self) -> int:
        """The program's exit code, once it has ended and all that it showed is there. Raises TimeoutError."""
        await self._until(lambda: self._closed)
        return await self._process.wait()

    async def _until(self, condition: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                while not condition():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError as error:
            error.add_note(self.shown)
            raise

    def _take(self) -> None:
        try:
            self._shown += os.read(self._master, 65_536)
        except OSError:  # nobody has the other end any more
            self._closed = True
            self.leave()
        self._news.set()

    def leave(self) -> None:
        asyncio.get_running_loop().remove_reader(self._master)


@contextlib.asynccontextmanager
async def at_terminal(*command: str, environment: Mapping[str, str], folder: Path) -> AsyncGenerator[Terminal]:
    """Start a program at a terminal that is its controlling one: it cannot reach that of the tests."""
    master, slave = pty.openpty()
    try:
        # Who runs the tests in the background has their children ignore Ctrl-C: not so at a terminal.
        alone = ("env", "--default-signal=INT", "setsid", "--ctty")
        process = await asyncio.create_subprocess_exec(
            *alone, *command, env=environment, cwd=folder, stdin=slave, stdout=slave, stderr=slave
        )
        os.close(slave)
        terminal = Terminal(master, process)
        try:
            yield terminal
        finally:
            terminal.leave()
            if process.returncode is None:
                process.kill()
                await process.wait()
    finally:
        os.close(master)
