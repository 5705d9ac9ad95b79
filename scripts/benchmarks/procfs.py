"""What /proc says of processes: time, memory, and the machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of the processes, and of the children that they have waited for."""
    return sum(_ticks(pid) for pid in pids) / TICKS


def _ticks(pid: int) -> int:
    with suppress(OSError):
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return sum(int(field) for field in fields[11:15])
    return 0


def cpu_seconds_exactly(pid: int) -> float:
    """Time on a processor of the living threads of a process, by the scheduler's own count in nanoseconds."""
    threads = (PROC / str(pid) / "task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def pss_mb(pids: Iterable[int]) -> float:
    """Proportional set size, summed, in millions of bytes."""
    return sum(_pss_kb(pid) for pid in pids) * 1024 / 1e6


def _pss_kb(pid: int) -> int:
    with suppress(OSError):
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def describe_machine() -> dict[str, str | int | float]:
    """What the numbers were measured on."""
    cpu = [line.partition(":")[2].strip() for line in _lines("cpuinfo") if line.startswith("model name")]
    memory = next(int(line.split()[1]) for line in _lines("meminfo") if line.startswith("MemTotal"))
    return {
        "cpu": cpu[0] if cpu else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory * 1024 / 1e9, 1),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "load_1m": round(os.getloadavg()[0], 2),
    }


def _lines(name: str) -> list[str]:
    return (PROC / name).read_text().splitlines()
