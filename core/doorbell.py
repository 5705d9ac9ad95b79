"""A ring between processes: a datagram on a socket in the data folder, a word at most. A table is the truth."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import Generator
from pathlib import Path

SUFFIX = ".bell"
HUSHED = ".hushed"
RING = b"!"
LONGEST = 100  # bytes of a path that fit into a socket's address on every system


def ring(path: Path) -> None:
    """Ring at `path`; nobody there, or a full queue, is no error: the reader looks at its table anyway."""
    with contextlib.suppress(OSError):
        _ring(str(path), RING)


def ring_all(folder: Path) -> None:
    """Ring every bell in `folder`, and take away those that dead processes left there."""
    for path in _bells(folder):
        _takes(path, RING)


def ring_any(folder: Path, word: bytes) -> bool:
    """Ring one of the bells in `folder`, any of them; False when none takes it."""
    bells = _bells(folder)
    first = secrets.randbelow(len(bells)) if bells else 0
    return any(_takes(path, word) for path in (*bells[first:], *bells[:first]))


def _takes(path: str, word: bytes) -> bool:
    try:
        _ring(path, word)
    except ConnectionRefusedError:  # who had it is dead
        with contextlib.suppress(OSError):
            Path(path).unlink()
        return False
    except OSError:  # a full queue: it is rung for already; or gone meanwhile
        return False
    return True


def hush(path: Path) -> None:
    """Take the bell at `path` away from whoever would ring it; what was rung is still to be heard."""
    with contextlib.suppress(FileNotFoundError):
        path.rename(path.with_suffix(HUSHED))


def unhush(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.with_suffix(HUSHED).rename(path)


def take_down(path: Path) -> None:
    """Remove a bell whose socket is being closed."""
    for name in (path, path.with_suffix(HUSHED)):
        name.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Take away the hushed bells of dead processes; living ones are rung."""
    for path in _bells(folder, HUSHED):
        _takes(path, RING)


def own_bell(folder: Path) -> Path:
    """A new path for a bell of this process in `folder`: never one that another process had."""
    return folder / f"{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"


def listeners(folder: Path) -> set[int]:
    """The pids of those who have a bell in `folder`; some may have died."""
    return {int(Path(path).name.partition("-")[0]) for path in _bells(folder)}


# Texts, not Paths: a ring comes after a time of rest, when whatever the processor has not at hand costs ten times more.
def _bells(folder: Path, suffix: str = SUFFIX) -> list[str]:
    try:
        return [entry.path for entry in os.scandir(str(folder)) if entry.name.endswith(suffix)]
    except OSError:  # not there, or not to be read: who rings goes on, for a table is the truth
        return []


def _ring(path: str, word: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        bell.setblocking(False)
        with _address(path) as address:
            bell.sendto(word, address)


def listen(path: Path) -> socket.socket:
    """A bound socket at `path`, in place of whatever a dead process left there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with _address(str(path)) as address:
        bell.bind(address)
    path.chmod(0o600)
    bell.setblocking(False)
    return bell


@contextlib.contextmanager
def _address(path: str) -> Generator[str]:
    """The path as a socket's address; one that is too long is spelled through its open folder (Linux)."""
    if len(os.fsencode(path)) <= LONGEST:
        yield path
        return
    parent, name = os.path.split(path)
    folder = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{name}"
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
