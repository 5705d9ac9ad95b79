"""A ring between processes: a datagram on a socket in the data folder. It carries nothing; the table is the truth."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import Generator
from pathlib import Path

SUFFIX = ".bell"
LONGEST = 100  # bytes of a path that fit into a socket's address on every system


def ring(path: Path) -> None:
    """Ring at `path`; nobody there, or a full queue, is no error: the reader looks at its table anyway."""
    with contextlib.suppress(OSError):
        _ring(path)


def ring_all(folder: Path) -> None:
    """Ring every bell in `folder`, and take away those that dead processes left there."""
    for path in _bells(folder):
        try:
            _ring(path)
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except OSError:  # a full queue: it is rung for already
            continue


def own_bell(folder: Path) -> Path:
    """A new path for a bell of this process in `folder`: never one that another process had."""
    return folder / f"{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"


def listeners(folder: Path) -> set[int]:
    """The pids of those who have a bell in `folder`; some may have died."""
    return {int(path.name.partition("-")[0]) for path in _bells(folder)}


def _bells(folder: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(folder) if entry.name.endswith(SUFFIX)]
    except FileNotFoundError:
        return []


def _ring(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        bell.setblocking(False)
        with _address(path) as address:
            bell.sendto(b"!", address)


def listen(path: Path) -> socket.socket:
    """A bound socket at `path`, in place of whatever a dead process left there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with _address(path) as address:
        bell.bind(address)
    path.chmod(0o600)
    bell.setblocking(False)
    return bell


@contextlib.contextmanager
def _address(path: Path) -> Generator[str]:
    """The path as a socket's address; one that is too long is spelled through its open folder (Linux)."""
    if len(os.fsencode(path)) <= LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


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
