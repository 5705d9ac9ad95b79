"""The bell: a Huey queue that carries only a promise's number, and a consumer that is woken instead of polling."""

from __future__ import annotations

import contextlib
import select
import socket
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from huey import Huey
from huey.consumer import Consumer
from huey.registry import Message
from huey.serializer import Serializer
from huey.storage import SqliteStorage

from core import doorbell

TASK = "keep_promise"
LOCKED_SECONDS = 10  # how long a write waits for another process that holds the queue's file
SAFETY_SECONDS = 5  # a worker looks at its queue so often even when no ring is heard
log = structlog.get_logger(__name__)


class NumberSerializer(Serializer):
    """A task as the number of its promise, and nothing else: no pickle is ever read from the queue's file."""

    def _serialize(self, data: Any) -> bytes:
        return str(data.args[0]).encode()

    def _deserialize(self, data: bytes) -> Message:
        return Message(name=f"{__name__}.{TASK}", args=(int(data),), kwargs={})


class Ear:
    """Where rings are heard, by one thread at a time; `cover` ends the hearing from any thread."""

    def __init__(self, bells: Path) -> None:
        self._bell = doorbell.listen(doorbell.own_bell(bells))
        self._covered, self._cover = socket.socketpair()
        self._poll = select.poll()
        self._poll.register(self._bell, select.POLLIN)
        self._poll.register(self._covered, select.POLLIN)

    def hear(self) -> None:
        """Return at a ring, when covered, or when it is time to look anyway."""
        self._poll.poll(SAFETY_SECONDS * 1000)
        with contextlib.suppress(BlockingIOError):
            self._bell.recv(16)

    def cover(self) -> None:
        self._cover.send(b"!")

    def close(self) -> None:
        for end in (self._bell, self._covered, self._cover):
            end.close()


class WokenStorage(SqliteStorage):
    """Huey's SQLite queue whose `dequeue` blocks until a ring from any process.

    The consumer's threads take turns: one listens, the others wait for it to take a task and leave. Whoever listens
    first looks at the queue, so a ring that came meanwhile, or to a process that died, is not missed.
    """

    blocking = True

    def __init__(self, name: str, path: Path, bells: Path) -> None:
        self._bells = bells
        self._turn = threading.Lock()
        self._ear: Ear | None = None
        self._inherited: Any = super()
        self._inherited.__init__(name, filename=str(path), timeout=LOCKED_SECONDS)

    def _create_connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection = super()._create_connection()
        connection.execute("PRAGMA synchronous=NORMAL")
        return connection

    def enqueue(self, data: bytes, priority: int | None = None) -> None:
        self._inherited.enqueue(data, priority)
        doorbell.ring_all(self._bells)

    def dequeue(self) -> bytes | None:
        """The next task's data; None only when nobody listens any more."""
        with self._turn:
            while (ear := self._ear) is not None:
                data: bytes | None = self._inherited.dequeue()
                if data is not None:
                    return data
                ear.hear()
        return None

    def length(self) -> int:
        return int(self._inherited.queue_size())

    def listen(self) -> None:
        self._ear = Ear(self._bells)

    def deafen(self) -> None:
        """Let every listening thread go."""
        ear, self._ear = self._ear, None
        if ear is not None:
            ear.cover()
            with self._turn:
                ear.close()


class ThreadConsumer(Consumer):
    """Huey's consumer inside a process whose event loop owns the signals."""

    def _set_signal_handlers(self) -> None:
        """Leave them alone."""


class HueyBell:
    """The queue at `path`. Each consumer has a socket of its own in the folder `bells`; a ring reaches all of them.

    A ring that cannot be written (a full disk, a locked file) is logged and lost: the reconciler rings again. Opening
    waits however long the file is locked: its holder may be a process that was halted in the middle of a write.
    """

    def __init__(self, path: Path, bells: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._keep: Callable[[int], None] = _hear_nothing
        self._huey: Any = _once_unlocked(
            lambda: Huey(
                "promises",
                results=False,
                serializer=NumberSerializer(),
                storage_class=WokenStorage,
                path=path,
                bells=bells,
            )
        )
        self._storage: WokenStorage = self._huey.storage
        self._task: Any = self._huey.task(name=TASK)(self._run)
        self._consumer: ThreadConsumer | None = None

    def ring(self, promise_id: int, priority: int = 0) -> None:
        try:
            self._huey.enqueue(self._task.s(promise_id, priority=priority))
        except sqlite3.Error as error:
            log.warning("ring lost", promise=promise_id, error=str(error))

    def waiting(self) -> int:
        return self._storage.length()

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


def _once_unlocked(open_queue: Callable[[], Huey]) -> Huey:
    while True:
        try:
            return open_queue()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            log.warning("another process holds the queue's file: waiting for it")


def _hear_nothing(promise_id: int) -> None:
    """Nobody consumes in this process."""
