"""The database: one writer thread per process, short readers, and every transaction behind one door."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    NotSupportedError,
    ProgrammingError,
)
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, QueuePool

from core.edges import Edge, no_edge
from core.errors import DatabaseError

BUSY_SECONDS = 35.0
READERS = 2
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "journal_size_limit=67108864",
    "cache_size=-16000",
)

GROUP = 64  # transactions that may share one commit
LOCKED_SECONDS = 3.0  # a transaction that has waited so long for the file is worth telling
# What a statement did wrong; every other error of the driver says that the database cannot be used.
OWN_FAULTS = (DataError, IntegrityError, InterfaceError, NotSupportedError, ProgrammingError)
ADVICE = (
    ("locked", "system.db is locked by another program: end what holds it open (a sqlite3 shell, a backup)."),
    ("readonly", "system.db is read-only: make the file and its folder writable for the user that runs Valor."),
    ("full", "The disk that holds system.db is full: free some space; work goes on from where it is."),
    ("unable to open", "system.db cannot be opened: its folder must exist and belong to the user that runs Valor."),
    ("malformed", "system.db is damaged: stop Valor and restore a copy, or try `sqlite3 system.db .recover`."),
    ("not a database", "system.db is no SQLite file: stop Valor, move it away or restore a copy."),
)

T = TypeVar("T")
Work = Callable[[Connection], T]


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


def open_engine(url: str, *, writer: bool, busy_seconds: float = BUSY_SECONDS) -> Engine:
    """An engine whose transactions begin by `_run` alone."""
    pool = NullPool if writer else QueuePool
    engine = create_engine(url, poolclass=pool, connect_args={"check_same_thread": False, "timeout": busy_seconds})
    event.listen(engine, "connect", _set_up)
    return engine


def _set_up(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    connection.isolation_level = None  # we decide how a transaction starts
    if connection.execute("PRAGMA page_count").fetchone() == (0,):
        # Only a file without tables takes this up; asking again would wait for whoever writes.
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _run(connection: Connection, command: str) -> None:
    """Straight to the driver: SQLAlchemy's way there costs as much as a whole statement, its events more."""
    connection.connection.cursor().execute(command)


@dataclass(slots=True)
class _Job:
    """One unit of work and what became of it; whoever commits fills it, who asked reads it after the commit."""

    name: str
    work: Work[object]
    is_synced: bool
    then: Callable[[object], None] | None = None
    result: object = None
    error: BaseException | None = None

    def follow(self) -> None:
        if self.then is not None and self.error is None:
            self.then(self.result)


@dataclass(slots=True)
class _Awaited:
    """A job that a coroutine waits for."""

    job: _Job
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[object]

    def hand_back(self) -> None:
        with suppress(RuntimeError):  # who asked has ended, and its loop with it
            self.loop.call_soon_threadsafe(self._finish)

    def _finish(self) -> None:
        if self.done.done():
            return
        if self.job.error is None:
            self.done.set_result(self.job.result)
        else:
            self.done.set_exception(self.job.error)


class Database:
    """Transactions by name: `await database.write("settle", work)`, where `work` takes a SQLAlchemy Connection.

    Writers that wait together share one commit, each in a savepoint of its own, so that one's error is not another's.
    `work` runs in the writer's thread: it awaits nothing, touches nothing but the connection, and its result is handed
    back only after the commit. Raises DatabaseError when the database itself fails (nothing of that work is kept then)
    and whatever the work raises. A cancelled caller does not undo its work.
    """

    def __init__(self, url: str, edge: Edge = no_edge, busy_seconds: float = BUSY_SECONDS) -> None:
        self.url = url
        self.edge = edge  # that of this process: what stands on the database calls it too
        self._write_engine = open_engine(url, writer=True, busy_seconds=busy_seconds)
        self._read_engine = open_engine(url, writer=False, busy_seconds=busy_seconds)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="database-read")
        self._waiting: deque[_Awaited] = deque()
        self._wake = threading.Semaphore(0)
        self._turn = threading.Lock()  # whoever holds it has the connection
        self._connection: Connection | None = None
        self._closing = False
        self._trouble: str | None = None
        self._past_trouble: str | None = None
        self._waits_since: float | None = None
        self._is_syncing = True  # as PRAGMAS has it for a new connection
        self._thread = threading.Thread(target=self._serve, name="database-write", daemon=True)
        self._thread.start()

    async def write(
        self, name: str, work: Work[T], *, is_synced: bool = True, then: Callable[[T], None] | None = None
    ) -> T:
        """Commit `work` and return its result; `name` names the transaction in logs and experiments.

        The death of a process loses nothing that was committed. Loss of power may undo a commit that is not synced
        until the next one that is, of any process: enough where nothing outside has been told or done on its account.
        `then` is given the result right after the commit, in the writer's thread, sooner than the loop would hear of
        it: to ring for somebody. It neither waits nor raises (`Rings.offer`: a ring that fails is a lost one).
        """
        self._check_open()
        loop = asyncio.get_running_loop()
        after = cast("Callable[[object], None] | None", then)
        job = _Job(name, cast("Work[object]", work), is_synced, after)
        asked = _Awaited(job, loop, loop.create_future())
        self._waiting.append(asked)
        self._wake.release()
        return cast("T", await asked.done)

    def write_here(self, name: str, work: Work[T], *, is_synced: bool = True) -> T:
        """The same in the caller's thread, which waits for its turn: never that of the event loop."""
        self._check_open()
        job = _Job(name, cast("Work[object]", work), is_synced)
        self._perform([job])
        if job.error is not None:
            raise job.error
        return cast("T", job.result)

    def _check_open(self) -> None:
        if self._closing:
            raise DatabaseError("system.db is closed: the program is ending.")

    async def read(self, work: Work[T]) -> T:
        """Run `work` on one consistent view of the database."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    def _read(self, work: Work[T]) -> T:
        with self._told_clearly(), self._read_engine.begin() as connection:
            _run(connection, "BEGIN")
            return work(connection)

    @property
    def trouble(self) -> str | None:
        """Why nothing can be written, in a sentence for the owner; None when all is well, as far as is known."""
        since = self._waits_since
        if since is not None and time.monotonic() - since > LOCKED_SECONDS:
            return ADVICE[0][1]
        return self._trouble

    def take_past_trouble(self) -> str | None:
        """The last trouble since this was asked, however soon it was over."""
        past, self._past_trouble = self._past_trouble, None
        return past

    async def close(self) -> None:
        """Finish what was asked, then let go of the file."""
        self._closing = True
        self._wake.release()
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)
        self._readers.shutdown()
        self._read_engine.dispose()

    def _serve(self) -> None:
        while asked := self._next_asked():
            self._perform([each.job for each in asked])
            for each in asked:
                each.hand_back()
        with self._turn:
            self._drop()

    def _perform(self, jobs: list[_Job]) -> None:
        with self._turn:
            try:
                self._connection = self._connection or self._connect()
                self._commit(self._connection, jobs)
                self._trouble = None
            except Exception as error:  # the outermost loop of a writer: each error goes to who asked
                self._drop()
                told = _clear(error)
                self._trouble = str(told) if isinstance(told, DatabaseError) else None
                self._past_trouble = self._trouble or self._past_trouble
                for job in jobs:
                    job.error = job.error or told
            self._waits_since = None
        for job in jobs:
            job.follow()

    def _next_asked(self) -> list[_Awaited]:
        """All that waits; empty only at the end."""
        self._wake.acquire()
        while not self._waiting and not self._closing:
            self._wake.acquire()
        asked: list[_Awaited] = []
        while self._waiting and len(asked) < GROUP:
            asked.append(self._waiting.popleft())
        return asked

    def _connect(self) -> Connection:
        self._is_syncing = True
        return self._write_engine.connect()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
        self._connection = None

    def _commit(self, connection: Connection, jobs: list[_Job]) -> None:
        self._sync(connection, any(job.is_synced for job in jobs))
        with connection.begin():
            self._waits_since = time.monotonic()
            _run(connection, "BEGIN IMMEDIATE")  # one that upgrades later fails whatever the timeout
            self._waits_since = None
            for job in jobs:
                self._do(connection, job)
            for job in jobs:
                self.edge(f"{job.name}:before-commit")
        for job in jobs:
            self.edge(f"{job.name}:after-commit")

    def _sync(self, connection: Connection, is_wanted: bool) -> None:
        """Have the next commit wait for the disk, or not."""
        if is_wanted is not self._is_syncing:
            _run(connection, f"PRAGMA synchronous={'FULL' if is_wanted else 'NORMAL'}")
            self._is_syncing = is_wanted

    def _do(self, connection: Connection, job: _Job) -> None:
        _run(connection, "SAVEPOINT job")
        try:
            job.result = job.work(connection)
        except Exception as error:  # a fault of this work alone: its savepoint is undone, the others go on
            if _is_unusable(error):
                raise
            job.error = error
            _run(connection, "ROLLBACK TO job")
        _run(connection, "RELEASE job")

    @staticmethod
    @contextmanager
    def _told_clearly() -> Generator[None]:
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:
            raise _clear(error) from error.__cause__


def touch(connection: Connection) -> None:
    """Change nothing, but write: it fails as long as the database cannot be written."""
    connection.execute(text("UPDATE alembic_version SET version_num = version_num"))


def _is_unusable(error: Exception) -> bool:
    return isinstance(error, DBAPIError | sqlite3.Error) and not isinstance(error, OWN_FAULTS)


def _clear(error: Exception) -> Exception:
    """The sentence for the owner when the database itself failed, else the error as it is."""
    if not _is_unusable(error):
        return error
    said = str(error.orig if isinstance(error, DBAPIError) else error)
    told = next((advice for sign, advice in ADVICE if sign in said), f"system.db cannot be used ({said}).")
    clear = DatabaseError(told)
    clear.__cause__ = error
    return clear
