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
    """A process: which boot of its machine, which PID namespace, which pid, started when (seconds since the epoch)."""

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
        return cls(_boot_id(), _namespace(), os.getpid(), psutil.Process().create_time())

    def is_seen_dead(self) -> bool:
        """True when this process must have been visible from here and is gone.

        A pid of another boot or namespace says nothing: there only the lease's end counts.
        """
        if (self.boot, self.namespace) != (_boot_id(), _namespace()):
            return False
        try:
            process = psutil.Process(self.pid)
            return process.status() == psutil.STATUS_ZOMBIE or abs(process.create_time() - self.started) > 0.02
        except psutil.NoSuchProcess:
            return True


def _boot_id() -> str:
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else f"boot-{psutil.boot_time():.0f}"


def _namespace() -> str:
    return str(PID_NAMESPACE.readlink()).replace("/", "") if PID_NAMESPACE.is_symlink() else "host"
