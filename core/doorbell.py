"""A ring between processes: a datagram on a socket in the data folder. It carries nothing; the table is the truth."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path


def ring(path: Path) -> None:
    """Ring at `path`; nobody there, or a full queue, is no error: the reader looks at its table anyway."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell, contextlib.suppress(OSError):
        bell.setblocking(False)
        bell.sendto(b"!", str(path))


def listen(path: Path) -> socket.socket:
    """A bound socket at `path`, in place of whatever a dead process left there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    bell.bind(str(path))
    path.chmod(0o600)
    bell.setblocking(False)
    return bell


class Doorbell:
    """Rings heard on the event loop, each setting `rung`."""

    def __init__(self, path: Path) -> None:
        self._bell = listen(path)
        self.rung = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._bell, self._hear)

    def _hear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._bell.recv(16):
                self.rung.set()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._bell)
        self._bell.close()
