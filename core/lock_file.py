"""A file whose lock says that a holder lives: the kernel lets go of it when the process dies, however."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Generator
from pathlib import Path

from core.errors import Busy

PATIENCE_SECONDS = 1.0  # a look holds the lock for an instant
PAUSE_SECONDS = 0.01
LOOKS = 3  # one that falls together with another process's look takes that for a holder


@contextlib.contextmanager
def held(path: Path, patience: float = PATIENCE_SECONDS) -> Generator[None]:
    """Hold the lock of `path` alone, with this process's pid inside, to the end of the block.

    Raises Busy with the holder's pid after `patience` seconds. Blocks: not for an event loop.
    """
    with _held(path, fcntl.LOCK_EX, patience):
        yield


@contextlib.contextmanager
def held_together(path: Path, patience: float = PATIENCE_SECONDS) -> Generator[None]:
    """The same beside others who hold it so; the pid inside is that of the last who came."""
    with _held(path, fcntl.LOCK_SH, patience):
        yield


@contextlib.contextmanager
def _held(path: Path, kind: int, patience: float) -> Generator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(file, path, kind, patience)
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(file)


def _lock(file: int, path: Path, kind: int, patience: float) -> None:
    until = time.monotonic() + patience
    while not _take(file, kind):
        if time.monotonic() >= until:
            raise Busy(f"{path.name} is held by process {path.read_text().strip() or 'unknown'}: it runs already.")
        time.sleep(PAUSE_SECONDS)


def _take(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_held(path: Path) -> bool:
    """Whether some process holds the lock of `path` now, alone or beside others."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not any(_look(file) for _ in range(LOOKS))
    finally:
        os.close(file)


def _look(file: int) -> bool:
    """Whether nobody holds it."""
    if _take(file, fcntl.LOCK_EX):
        return True
    time.sleep(PAUSE_SECONDS)
    return False
