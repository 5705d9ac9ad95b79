"""The other workers of this installation: the death of one is noticed at once, so that its work is taken over."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from core.doorbell import listeners

# Where the kernel cannot tell of a process's end (macOS), the reconciler's own look finds it.
OPEN = getattr(os, "pidfd_open", None)


class Peers:
    """Those who have a bell in `folder`; `on_death` is called on the event loop when one of them ends."""

    def __init__(self, folder: Path, on_death: Callable[[], None]) -> None:
        self._folder = folder
        self._on_death = on_death
        self._watched: dict[int, int] = {}

    def look(self) -> None:
        """Watch whoever has come."""
        for pid in listeners(self._folder) - self._watched.keys() - {os.getpid()}:
            self._watch(pid)

    def close(self) -> None:
        for pid in tuple(self._watched):
            self._forget(pid)

    def _watch(self, pid: int) -> None:
        if OPEN is None:
            return
        try:
            self._watched[pid] = OPEN(pid)
        except OSError:  # gone already, or of another container
            return
        asyncio.get_running_loop().add_reader(self._watched[pid], self._mourn, pid)

    def _mourn(self, pid: int) -> None:
        self._forget(pid)
        self._on_death()

    def _forget(self, pid: int) -> None:
        file = self._watched.pop(pid)
        asyncio.get_running_loop().remove_reader(file)
        os.close(file)
