"""Which processes start.sh started: on disk, so exactly that no stranger with the same number is ever meant."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from core.owner import Owner


class Part(StrEnum):
    """A process of the installation."""

    SUPERVISOR = "supervisor"
    SERVER = "server"
    WORKER = "worker"


PID_FILES = {Part.SERVER: "server.pid", Part.WORKER: "huey.pid"}
OUTPUT_FILES = {Part.SUPERVISOR: "supervisor.out", Part.SERVER: "server.out", Part.WORKER: "worker.out"}


@dataclass(frozen=True, slots=True)
class Records:
    """The records of the installation in `home`: who runs as what, and the pid files that people read."""

    home: Path

    def note(self, part: Part, pid: int) -> None:
        self._write(self._file(part), str(Owner.of(pid)))
        if part in PID_FILES:
            self._write(self.home / PID_FILES[part], str(pid))

    def forget(self, part: Part) -> None:
        self._file(part).unlink(missing_ok=True)
        if part in PID_FILES:
            (self.home / PID_FILES[part]).unlink(missing_ok=True)

    def find(self, part: Part) -> Owner | None:
        """The process that runs as `part` now; None when there is none, whatever a stale record says."""
        try:
            owner = Owner.parse(self._file(part).read_text().strip())
        except (FileNotFoundError, ValueError):
            return None
        return owner if owner.is_seen_alive() else None

    def running(self) -> dict[Part, Owner]:
        return {part: owner for part in Part if (owner := self.find(part))}

    def output(self, part: Part) -> Path:
        """Where what the process prints goes: its last words, should it not get as far as its log."""
        return self.home / "logs" / OUTPUT_FILES[part]

    def _file(self, part: Part) -> Path:
        return self.home / "data" / f"{part}.process"

    @staticmethod
    def _write(file: Path, text: str) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f"{file.name}.{os.getpid()}")
        draft.write_text(text + "\n")
        draft.replace(file)


def send(owner: Owner, number: signal.Signals) -> bool:
    """Signal this very process; False when it is gone."""
    if not owner.is_seen_alive():
        return False
    try:
        os.kill(owner.pid, number)
    except ProcessLookupError:
        return False
    return True
