"""Processes that nobody at work has use for any more."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from runtime.sandbox import MARKER
from tests.acceptance.installation import PROC, all_pids, read_process


def find_strays(home: Path, living: Collection[int], runs: Collection[str]) -> list[str]:
    """The command lines of an installation's processes that should have ended when nothing is at work.

    Those are all tools, known by their run or their fence, and whatever descends from none of its living processes.
    """
    known = Known(home, frozenset(living), tuple(f"{MARKER}={run}/".encode() for run in runs))
    others = (pid for pid in all_pids() if pid not in known.living and pid != os.getpid())
    return sorted(line for pid in others if (line := known.stray(pid)))


@dataclass(frozen=True, slots=True)
class Known:
    """What tells an installation's processes: its folder, those that live, the marks of its runs."""

    home: Path
    living: frozenset[int]
    marks: tuple[bytes, ...]  # what they begin with: each attempt at a run has one of its own

    def stray(self, pid: int) -> str:
        """The command line of a process that should have ended; '' for any other."""
        line, everything = read_process(pid)
        words = everything.split(b"\0")
        if any(word.startswith(self.marks) for word in words):
            return line
        if not any(os.fsencode(self.home) in word for word in words):
            return ""
        is_tool = Path(line.partition(" ")[0]).name == "bwrap"
        return line if is_tool or self.living.isdisjoint(ancestors(pid)) else ""


def ancestors(pid: int) -> Iterator[int]:
    """A process's parent, that one's parent, and so on."""
    while pid > 1:
        try:
            pid = int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            return
        yield pid
