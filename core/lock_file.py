"""A file whose exclusive lock says that its holder lives: the kernel lets go of it when the process dies, however."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Generator
from pathlib import Path

from core.errors import Busy

PATIENCE_SECONDS = 1.0  # a look holds the lock, shared, for an instant
PAUSE_SECONDS = 0.01


@contextlib.contextmanager
def held(path: Path, patience: float = PATIENCE_SECONDS) -> Generator[None]:
    """Hold the lock of `path`, with this process's pid inside, to the end of the block.

    Raises Busy with the holder's pid after `patience` seconds. Blocks: not for an event loop.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(file, path, patience)
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(file)


def _lock(file: int, path: Path, patience: float) -> None:
    until = time.monotonic() + patience
    while not _take(file, fcntl.LOCK_EX):
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
    """Whether some process holds the lock of `path` now."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _take(file, fcntl.LOCK_SH)
    finally:
        os.close(file)
