"""Keeps the server and the worker running until SIGTERM: `python -m cli.supervise HOME`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from cli.records import Part, Records

PROJECT = Path(__file__).resolve().parent.parent
PROGRAMS = {Part.SERVER: PROJECT / "main.py", Part.WORKER: PROJECT / "scripts" / "huey_consumer.py"}
GRACE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait before starting a dead child again: longer each time, as at first after a while of health."""

    first: float = 0.1
    most: float = 30.0
    health: float = 60.0

    def next(self, last: float, ran: float) -> float:
        return self.first if ran >= self.health else min(max(last * 2, self.first), self.most)


class Child:
    """One program, started again whenever it ends."""

    def __init__(self, part: Part, command: list[str], records: Records, patience: Patience) -> None:
        self._part = part
        self._command = command
        self._records = records
        self._patience = patience
        self._process: asyncio.subprocess.Process | None = None

    async def keep(self) -> None:
        """Run it for ever; cancelling this leaves the process to `end`."""
        pause = 0.0
        while True:
            began = time.monotonic()
            self._process = await self._start()
            code = await self._process.wait()
            pause = self._patience.next(pause, time.monotonic() - began)
            self._records.forget(self._part)
            say(f"{self._part} (pid {self._process.pid}) ended with {code}; it is started again in {pause:.1f} s")
            await asyncio.sleep(pause)

    async def _start(self) -> asyncio.subprocess.Process:
        with self._records.output(self._part).open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        self._records.note(self._part, process.pid)
        say(f"{self._part} started (pid {process.pid})")
        return process

    async def end(self, grace: float = GRACE_SECONDS) -> None:
        """End it gracefully, after `grace` seconds by force."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(grace):
                await process.wait()
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        self._records.forget(self._part)


async def supervise(children: list[Child]) -> None:
    """Keep all children until SIGTERM or SIGINT, then end them."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    keeping = [asyncio.create_task(child.keep()) for child in children]
    await stop.wait()
    for task in keeping:
        task.cancel()
    await asyncio.gather(*keeping, return_exceptions=True)
    await asyncio.gather(*(child.end() for child in children))


def say(line: str) -> None:
    print(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), line, flush=True)


def main() -> None:
    records = Records(Path(sys.argv[1]))
    commands = {part: [sys.executable, str(program)] for part, program in PROGRAMS.items()}
    asyncio.run(supervise([Child(part, command, records, Patience()) for part, command in commands.items()]))


if __name__ == "__main__":
    main()
