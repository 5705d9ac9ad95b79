"""The bell: a Huey queue that carries only a promise's number, and a consumer that is woken instead of polling.

Nothing of what is owed lies in the queue's file: it is opened when it is first needed, and a broken one is set aside.
"""

from __future__ import annotations

import contextlib
import select
import socket
import sqlite3
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import structlog
from huey import Huey
from huey.consumer import Consumer
from huey.registry import Message
from huey.serializer import Serializer
from huey.storage import SqliteStorage

from core import doorbell

TASK = "keep_promise"
LOCKED_SECONDS = 2  # how long anybody waits for another process that holds the queue's file
SAFETY_SECONDS = 5  # a worker looks at its queue so often even when no ring is heard
MOMENT = 0.02  # how long the next hand only listens when the one before left with what was rung
WORD_BYTES = 64
SET_ASIDE = ".broken"
BESIDE = ("", "-wal", "-shm")  # what SQLite keeps beside a file belongs to it
# Not a database, a torn one, or one without our tables: no waiting mends these, as it does a lock or a full disk.
BROKEN = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR)
Found = TypeVar("Found")
log = structlog.get_logger(__name__)


class NumberSerializer(Serializer):
    """A task as the number of its promise, and nothing else: no pickle is ever read from the queue's file."""

    def _serialize(self, data: Any) -> bytes:
        return str(data.args[0]).encode()

    def _deserialize(self, data: bytes) -> Message:
        return Message(name=f"{__name__}.{TASK}", args=(int(data),), kwargs={})


@dataclass(frozen=True, slots=True)
class Ring:
    """What is rung to a free hand: a task's data and its priority."""

    data: bytes
    priority: int

    def spell(self) -> bytes:
        return b"%s %d" % (self.data, self.priority)

    @classmethod
    def read(cls, word: bytes) -> Ring | None:
        """None for a ring that carries nothing: there is something in the file."""
        data, _, priority = word.partition(b" ")
        return cls(data, int(priority)) if priority else None


class Ear:
    """Where rings are heard, by one thread at a time; `cover` ends the hearing from any thread."""

    def __init__(self, bells: Path) -> None:
        doorbell.sweep(bells)
        self._path = doorbell.own_bell(bells)
        self._bell = doorbell.listen(self._path)
        self._is_open = True
        self._covered, self._cover = socket.socketpair()
        self._poll = select.poll()
        self._poll.register(self._bell, select.POLLIN)
        self._poll.register(self._covered, select.POLLIN)

    def hear(self, seconds: float) -> Ring | None:
        """The next ring within that time; None when it carries nothing, when there is none, and when covered."""
        self._poll.poll(seconds * 1000)
        with contextlib.suppress(BlockingIOError):
            return Ring.read(self._bell.recv(WORD_BYTES))
        return None

    def open(self) -> None:
        """Let others ring."""
        if not self._is_open:
            doorbell.unhush(self._path)
            self._is_open = True

    def shut(self) -> list[Ring]:
        """Be rung no more; what was rung already."""
        doorbell.hush(self._path)
        self._is_open = False
        words: list[bytes] = []
        with contextlib.suppress(BlockingIOError):
            while True:
                words.append(self._bell.recv(WORD_BYTES))
        return [ring for word in words if (ring := Ring.read(word)) is not None]

    def cover(self) -> None:
        self._cover.send(b"!")

    def close(self) -> None:
        doorbell.take_down(self._path)
        for end in (self._bell, self._covered, self._cover):
            end.close()


class WokenStorage(SqliteStorage):
    """Huey's queue: what is new is rung to a worker with a free hand, and lies in the SQLite file while there is none.

    The consumer's threads are the hands. They take turns: one listens, the others wait for it to leave with a task. The
    last one to leave shuts the ear: what comes then goes to another worker, or waits in the file, the urgent first.
    """

    blocking = True

    def __init__(self, name: str, path: Path, bells: Path) -> None:
        self._bells = bells
        self._turn = threading.Lock()
        self._counting = threading.Lock()
        self._free = 0
        self._is_rung = False  # the last task was rung, so that the file need not be looked into again so soon
        self._ear: Ear | None = None
        self._path = path
        self._opened: tuple[int, int] | None = None  # which file the connection is to
        self._inherited: Any = super()
        self._inherited.__init__(name, filename=str(path), timeout=LOCKED_SECONDS, create_tables=False)

    @property
    def conn(self) -> sqlite3.Connection:
        """To the file that is there now: another process may have set a broken one aside."""
        if self._conn is not None and self._opened != _identity(self._path):
            self._leave()
        connection: sqlite3.Connection = self._inherited.conn
        return connection

    def _create_connection(self) -> sqlite3.Connection:
        self._opened = _identity(self._path)
        connection: sqlite3.Connection = super()._create_connection()
        connection.execute("PRAGMA synchronous=NORMAL")
        for statement in self.ddl:  # only looked at where the tables are there: no lock is needed for that
            connection.execute(statement)
        self._opened = self._opened or _identity(self._path)  # it was not there before
        return connection

    def offer(self, data: bytes, priority: int) -> bool:
        """Ring it to one free hand of any worker, touching no file; False when there is none."""
        return doorbell.ring_any(self._bells, Ring(data, priority).spell())

    def enqueue(self, data: bytes, priority: int | None = None) -> None:
        """Put it into the file, in sight of all workers."""
        self._in_file(lambda: self._inherited.enqueue(data, priority))
        doorbell.ring_all(self._bells)

    def dequeue(self) -> bytes | None:
        """The next task's data; None only when nobody listens any more."""
        self._count(1)
        with self._turn:
            try:
                return self._next()
            finally:
                if self._count(-1) == 0:
                    self._shut()

    def peek_many(self, keys: object) -> dict[bytes, bytes]:
        """Which of these tasks are revoked: none ever, for a cancel is a row of the table."""
        return {}

    def length(self) -> int:
        return int(self._in_file(self._inherited.queue_size))

    def listen(self) -> None:
        self._ear = Ear(self._bells)

    def deafen(self) -> None:
        """Let every listening thread go."""
        ear, self._ear = self._ear, None
        if ear is not None:
            ear.cover()
            with self._turn:
                self._put_back(ear.shut())
                ear.close()

    def _next(self) -> bytes | None:
        # Whoever has just left with a task is at work on it: no look into the file takes time away from them.
        data = self._hear(MOMENT) if self._is_rung else None
        while data is None and self._ear is not None:
            self._ear.open()
            data = self._fetch() or self._hear(SAFETY_SECONDS)
        return data

    def _fetch(self) -> bytes | None:
        """The first task of the file; none while it cannot be read: a hand hears what is rung to it all the same."""
        try:
            return self._in_file(self._inherited.dequeue)
        except sqlite3.Error as error:
            log.warning("the queue's file cannot be read", error=str(error))
            return None

    def _in_file(self, act: Callable[[], Found]) -> Found:
        """`act` on the queue's file, on a new one where that is broken. Raises sqlite3.Error."""
        try:
            return act()
        except sqlite3.DatabaseError as error:
            if not self._set_aside(error):
                raise
        return act()

    def _set_aside(self, error: sqlite3.DatabaseError) -> bool:
        """Move a broken file out of the way, unless somebody has; False for every other trouble."""
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in BROKEN:
            return False
        with self.lock:
            self._leave()
            try:
                if self._opened == _identity(self._path):
                    _move_aside(self._path)
            except OSError as refused:
                log.warning("the queue's file is broken and cannot be moved: remove it", error=str(refused))
                return False
        log.warning(
            "the queue's file was broken and is set aside; nothing that is owed lay in it",
            file=f"{self._path}{SET_ASIDE}",
            error=str(error),
        )
        return True

    def _leave(self) -> None:
        """Let go of the file; the lock is held."""
        connection, self._conn = self._conn, None
        if connection is not None:
            connection.close()

    def _hear(self, seconds: float) -> bytes | None:
        ring = self._ear.hear(seconds) if self._ear is not None else None
        self._is_rung = ring is not None
        return ring.data if ring is not None else None

    def _count(self, change: int) -> int:
        with self._counting:
            self._free += change
            return self._free

    def _shut(self) -> None:
        self._is_rung = False
        if self._ear is not None:
            self._put_back(self._ear.shut())

    def _put_back(self, rings: list[Ring]) -> None:
        """What was rung to a hand that is not free any more."""
        for ring in rings:
            with _lost_at_most(ring.data):
                self._in_file(partial(self._inherited.enqueue, ring.data, ring.priority))


class ThreadConsumer(Consumer):
    """Huey's consumer inside a process whose event loop owns the signals."""

    def _set_signal_handlers(self) -> None:
        """Leave them alone."""


class HueyBell:
    """The queue at `path`. Each consumer has a socket of its own in the folder `bells`, while it has a hand free.

    A ring that cannot be written (a full disk, a locked file) is logged and lost: the reconciler rings again.
    """

    def __init__(self, path: Path, bells: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._keep: Callable[[int], None] = _hear_nothing
        self._huey: Any = Huey(
            "promises",
            results=False,
            serializer=NumberSerializer(),
            storage_class=WokenStorage,
            path=path,
            bells=bells,
        )
        self._storage: WokenStorage = self._huey.storage
        self._task: Any = self._huey.task(name=TASK)(self._run)
        self._consumer: ThreadConsumer | None = None

    def offer(self, promise_id: int, priority: int = 0) -> bool:
        return self._storage.offer(str(promise_id).encode(), priority)

    def ring(self, promise_id: int, priority: int = 0) -> None:
        with _lost_at_most(promise_id):
            self._huey.enqueue(self._task.s(promise_id, priority=priority))

    def waiting(self) -> int | None:
        try:
            return self._storage.length()
        except sqlite3.Error as error:
            log.warning("the queue's file cannot be read", error=str(error))
            return None

    def consume(self, keep: Callable[[int], None], jobs: int) -> None:
        """Call `keep(promise_id)` for each ring, at most `jobs` at once, each in a thread of Huey's."""
        self._keep = keep
        self._storage.listen()
        self._consumer = ThreadConsumer(self._huey, workers=jobs, periodic=False, scheduler_interval=60)
        self._consumer.start()

    def revive(self) -> None:
        """Replace consumer threads that died."""
        if self._consumer is not None:
            self._consumer.check_worker_health()

    def close(self) -> None:
        """Hear no more; tasks under way go on in their threads."""
        if self._consumer is not None:
            self._consumer.stop_flag.set()
        self._storage.deafen()

    def _run(self, promise_id: int) -> None:
        self._keep(promise_id)


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file it is, whatever becomes of its name; None for none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _move_aside(path: Path) -> None:
    """In the place of one that was moved there before: what is kept does not grow. Raises OSError."""
    for suffix in BESIDE:
        aside = path.with_name(f"{path.name}{SET_ASIDE}{suffix}")
        aside.unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside)


@contextlib.contextmanager
def _lost_at_most(number: int | bytes) -> Generator[None]:
    try:
        yield
    except sqlite3.Error as error:
        log.warning("ring lost", promise=int(number), error=str(error))


def _hear_nothing(promise_id: int) -> None:
    """Nobody consumes in this process."""
