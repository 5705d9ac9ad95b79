"""What else the machine has to do while something is measured: how much others compute, and how late that alone makes.

A process beside the product looks ten times a second and does nothing else. When it comes late, the machine is late.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from core.loop_lag import EVERY, bucket_of

PROJECT = Path(__file__).resolve().parents[2]
PROC = Path("/proc")
IDLE = slice(3, 5)  # of the times of the processors: doing nothing, and waiting for a disk meanwhile
COUNTED = 8  # of them, what guests have is counted with the others


@dataclass(frozen=True, slots=True)
class Spent:
    """Time of the processors since the machine's start, in ticks: in all, not idle, and for some process and all that
    descend from it."""

    total: int
    busy: int
    own: int


def share_of_others(before: Spent, now: Spent) -> float:
    """Which share of the processors others have used meanwhile, what the machine under this one took included."""
    others = (now.busy - before.busy) - (now.own - before.own)
    return max(others, 0) / max(now.total - before.total, 1)


def read_spent(root: int) -> Spent:
    """With what children used that were waited for."""
    line = (PROC / "stat").read_text().partition("\n")[0]
    times = [int(word) for word in line.split()[1 : 1 + COUNTED]]
    return Spent(sum(times), sum(times) - sum(times[IDLE]), _ticks_below(root))


def _ticks_below(root: int) -> int:
    known = {pid: one for pid in PROC.iterdir() if pid.name.isdigit() and (one := _read(pid)) is not None}
    parents = {int(pid.name): parent for pid, (parent, _) in known.items()}
    return sum(ticks for pid, (_, ticks) in known.items() if _descends(int(pid.name), root, parents))


def _read(pid: Path) -> tuple[int, int] | None:
    """Parent and ticks of a process; None when it is gone."""
    try:
        fields = (pid / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), sum(int(field) for field in fields[11:15])


def _descends(pid: int, root: int, parents: dict[int, int]) -> bool:
    while pid in parents and pid != root:
        pid = parents[pid]
    return pid == root


class Bystander:
    """The process that only looks."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def looks(self) -> Counter[int]:
        """How late all its looks were, as core.loop_lag counts them."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        told: dict[str, int] = json.loads(await self._process.stdout.readline())
        return Counter({int(late): times for late, times in told.items()})


@asynccontextmanager
async def standing_by() -> AsyncGenerator[Bystander]:
    """Within the block one looks on."""
    command = (sys.executable, "-m", "scripts.experiments.neighbours")
    process = await asyncio.create_subprocess_exec(*command, cwd=PROJECT, stdin=PIPE, stdout=PIPE)
    try:
        yield Bystander(process)
    finally:
        process.kill()
        await process.wait()


def look_on() -> None:
    """Look until nobody asks any more, and tell whoever does."""
    counts, due = Counter[int](), time.monotonic() + EVERY
    while True:
        is_asked, _, _ = select.select([sys.stdin], [], [], max(due - time.monotonic(), 0.0))
        if not is_asked:
            counts[bucket_of(time.monotonic() - due)] += 1
            due = time.monotonic() + EVERY
        elif os.read(sys.stdin.fileno(), 1):
            print(json.dumps(counts), flush=True)
        else:
            return


if __name__ == "__main__":
    look_on()
