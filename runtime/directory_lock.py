"""One writer per working directory, across processes; directories inside one another count as one.

All directories share one lock file, in which each real path has a byte of its own: a writer locks its directory's byte
exclusively and the bytes of all directories above it shared. So a writer above, below or in the same place conflicts,
neighbours do not. The locks are Linux's open-file-description locks: they belong to the descriptor, which the fence of
every tool process keeps open. They outlive a killed writer exactly as long as its tools live.

Beside the lock lies a record of who holds it. It only makes sentences and finds what a dead writer left running: the
lock alone decides.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import hashlib
import json
import os
import struct
import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from anyio import to_thread

from core.clock import Clock, SystemClock
from core.errors import Busy, DatabaseError
from core.owner import Owner
from runtime.process import sweep

LOCK_FILE = "directories.lock"
FLOCK, MACOS_FLOCK = "hhqqi", "qqihh"
GET_LOCK, SET_LOCK = getattr(fcntl, "F_OFD_GETLK", 92), getattr(fcntl, "F_OFD_SETLK", 90)  # macOS has them unnamed
WAIT_SECONDS = 2.0
CHANGING_SECONDS = 0.1
LOOK_EVERY_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Holder:
    """Who writes: `who` as people say it, the marker of the attempt's processes, and since when (aware)."""

    who: str
    marker: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Record:
    """What lies beside the lock."""

    directory: Path
    holder: Holder
    owner: Owner

    def to_json(self) -> str:
        holder = {"who": self.holder.who, "marker": self.holder.marker, "since": self.holder.since.isoformat()}
        return json.dumps({"directory": str(self.directory), "owner": str(self.owner), **holder})

    @classmethod
    def from_json(cls, text: str) -> Record:
        found = json.loads(text)
        holder = Holder(found["who"], found["marker"], datetime.fromisoformat(found["since"]))
        return cls(Path(found["directory"]), holder, Owner.parse(found["owner"]))


class Held:
    """A directory that is ours to write. `fd` goes with every tool process (`Passage.lock_fd`)."""

    def __init__(self, fd: int, record_file: Path) -> None:
        self.fd = fd
        self._record_file = record_file

    def release(self) -> None:
        """Give it back; tools that still run keep it until they end. Doing so again does nothing."""
        if self.fd >= 0:
            with contextlib.suppress(OSError):  # a record without a lock says nothing
                self._record_file.unlink()
            os.close(self.fd)
            self.fd = -1


class DirectoryLocks:
    """The locks of one installation, in a folder that no tool sees."""

    def __init__(self, folder: Path, clock: Clock | None = None, wait_seconds: float = WAIT_SECONDS) -> None:
        self._folder = folder
        self._clock = clock or SystemClock()
        self._wait_seconds = wait_seconds

    async def acquire(self, directory: Path, holder: Holder) -> Held:
        """The lock of `directory`, at once; raises Busy saying who holds it and since when.

        Only of a holder that is seen dead are the processes it left ended and the lock awaited, `wait_seconds` long.
        Raises DatabaseError where the disk of the locks is full or read-only.
        """
        real = await to_thread.run_sync(directory.resolve)
        began = self._clock.boot()
        while True:
            held = await self._attempt(real, holder)
            if held is not None:
                return held
            in_the_way = await to_thread.run_sync(self._in_the_way, real)
            dead = {record.holder.marker for record in in_the_way if record.owner.is_seen_dead()}
            patience = self._wait_seconds if dead else CHANGING_SECONDS
            alive = any(record.holder.marker not in dead for record in in_the_way)
            if alive or self._clock.boot() >= began + patience:
                raise Busy(_sentence(in_the_way, dead))
            await sweep(dead)
            await self._clock.sleep(LOOK_EVERY_SECONDS)

    async def _attempt(self, real: Path, holder: Holder) -> Held | None:
        """`_try` in a thread; what it takes for somebody who was cancelled meanwhile is given back."""
        trying = asyncio.create_task(to_thread.run_sync(self._try, real, holder))
        try:
            return await asyncio.shield(trying)
        except asyncio.CancelledError:
            trying.add_done_callback(_give_back)
            raise

    def _try(self, real: Path, holder: Holder) -> Held | None:
        with _told_clearly(), contextlib.ExitStack() as closing:
            fd = self._open()
            closing.callback(os.close, fd)
            if not _lock(fd, real):
                return None
            record_file = self._folder / f"{_byte(real):x}.json"
            _write(record_file, Record(real, holder, Owner.this_process()).to_json())
            closing.pop_all()
            return Held(fd, record_file)

    def _in_the_way(self, real: Path) -> list[Record]:
        """The records of those who hold this directory, one above or one below, and really hold it."""
        related = [record for record in self._records() if _is_related(record.directory, real)]
        return [record for record in related if self._is_held(record.directory)]

    def _is_held(self, directory: Path) -> bool:
        fd = self._open()
        try:
            answer = fcntl.fcntl(fd, GET_LOCK, _request(fcntl.F_RDLCK, _byte(directory)))
            return _kind_of(answer) != fcntl.F_UNLCK
        finally:
            os.close(fd)

    def _records(self) -> Iterator[Record]:
        for file in self._folder.glob("*.json"):
            with contextlib.suppress(OSError, ValueError, KeyError):
                yield Record.from_json(file.read_text())

    def _open(self) -> int:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.open(self._folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _give_back(trying: asyncio.Task[Held | None]) -> None:
    held = None if trying.cancelled() or trying.exception() else trying.result()
    if held is not None:
        held.release()


def _lock(fd: int, real: Path) -> bool:
    """Nothing is kept of a partial success: the caller closes the descriptor."""
    return _set(fd, fcntl.F_WRLCK, _byte(real)) and all(_set(fd, fcntl.F_RDLCK, _byte(above)) for above in real.parents)


def _set(fd: int, kind: int, byte: int) -> bool:
    try:
        fcntl.fcntl(fd, SET_LOCK, _request(kind, byte))
    except OSError as error:
        if error.errno in {errno.EAGAIN, errno.EACCES}:
            return False
        raise
    return True


def _request(kind: int, byte: int, platform: str = sys.platform) -> bytes:
    if platform == "darwin":
        return struct.pack(MACOS_FLOCK, byte, 1, 0, kind, os.SEEK_SET)
    return struct.pack(FLOCK, kind, os.SEEK_SET, byte, 1, 0)


def _kind_of(request: bytes, platform: str = sys.platform) -> int:
    return struct.unpack(MACOS_FLOCK, request)[3] if platform == "darwin" else struct.unpack(FLOCK, request)[0]


def _byte(directory: Path) -> int:
    """A directory's place in the lock file: 62 bits, so that two directories meet by chance never in practice."""
    return int.from_bytes(hashlib.sha256(os.fsencode(directory)).digest()[:8], "big") >> 2


def _is_related(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def _write(file: Path, text: str) -> None:
    draft = file.with_suffix(f".{os.getpid()}.draft")
    draft.write_text(text)
    draft.replace(file)


@contextlib.contextmanager
def _told_clearly() -> Generator[None]:
    """A disk that is full or read-only for a while is the owner's matter, and work that waits for it goes on later."""
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EROFS}:
            raise
        raise DatabaseError(
            f"The folder of Valor's data cannot be written ({error.strerror}): free some space."
        ) from error


def _sentence(in_the_way: list[Record], dead: set[str]) -> str:
    if not in_the_way:
        return "Somebody else is just beginning to write in this directory; try again."
    record = next((found for found in in_the_way if found.holder.marker not in dead), in_the_way[0])
    return (
        f"{record.holder.who} has been writing in {record.directory} since {record.holder.since:%Y-%m-%d %H:%M:%S %Z}."
    )
