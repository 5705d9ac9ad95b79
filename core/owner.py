"""Who holds a lease: a process, named so that its death can be told from outside."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import psutil

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PID_NAMESPACE = Path("/proc/self/ns/pid")


@dataclass(frozen=True, slots=True)
class Owner:
    """A process: which boot of its machine, which PID namespace, which pid, started when.

    `started` is seconds since the boot where the kernel tells them (no clock change moves those), else since the epoch.
    """

    boot: str
    namespace: str
    pid: int
    started: float

    def __str__(self) -> str:
        return f"{self.boot}/{self.namespace}/{self.pid}/{self.started:.2f}"

    @classmethod
    def parse(cls, text: str) -> Owner:
        boot, namespace, pid, started = text.split("/")
        return cls(boot, namespace, int(pid), float(started))

    @classmethod
    def this_process(cls) -> Owner:
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> Owner:
        """The process `pid` as it runs now. Raises psutil.NoSuchProcess."""
        return cls(_boot_id(), _namespace(), pid, _started(pid))

    def is_seen_dead(self) -> bool:
        """True when this process must have been visible from here and is gone.

        A pid of another boot or namespace says nothing: there only the lease's end counts.
        """
        return self._is_visible() and not self._runs()

    def is_seen_alive(self) -> bool:
        """True when exactly this process runs and can be seen from here."""
        return self._is_visible() and self._runs()

    def _is_visible(self) -> bool:
        return (self.boot, self.namespace) == (_boot_id(), _namespace())

    def _runs(self) -> bool:
        try:
            is_same = abs(_started(self.pid) - self.started) < 0.02
            return is_same and psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


def _started(pid: int) -> float:
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except (FileNotFoundError, ProcessLookupError):
        return psutil.Process(pid).create_time()
    return int(after_name.split()[19]) / os.sysconf("SC_CLK_TCK")


def _boot_id() -> str:
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else f"boot-{psutil.boot_time():.0f}"


def _namespace() -> str:
    return str(PID_NAMESPACE.readlink()).replace("/", "") if PID_NAMESPACE.is_symlink() else "host"
