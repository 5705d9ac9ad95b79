from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from core.database import GROUP, Database, Work, sqlite_url, touch
from core.errors import DatabaseError
from tests.waiting import until

TABLE = "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT UNIQUE)"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(sqlite_url(tmp_path / "system.db"), busy_seconds=0.2)
    await opened.write("table", lambda connection: run(connection, TABLE))
    yield opened
    await opened.close()


def run(connection: Connection, statement: str) -> None:
    connection.execute(text(statement))


def add(connection: Connection, name: str) -> None:
    connection.execute(text("INSERT INTO things (name) VALUES (:name)"), {"name": name})


def names(connection: Connection) -> list[str]:
    return list(connection.execute(text("SELECT name FROM things ORDER BY id")).scalars())


async def held(database: Database) -> threading.Event:
    """Keep the writer busy, so that what follows waits together."""
    release = threading.Event()
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work(connection: Connection) -> None:
        loop.call_soon_threadsafe(begun.set)
        release.wait(10)

    writing = asyncio.create_task(database.write("hold", work))
    await begun.wait()
    assert not writing.done()
    return release


async def test_writers_that_wait_together_share_a_commit_and_not_their_errors(tmp_path: Path) -> None:
    points: list[str] = []
    database = Database(sqlite_url(tmp_path / "system.db"), points.append)
    await database.write("table", lambda connection: run(connection, TABLE))
    release = await held(database)

    def fail(connection: Connection) -> None:
        add(connection, "undone")
        raise ValueError("mine alone")

    works: list[Work[object]] = [
        lambda c: add(c, "a"),
        lambda c: add(c, "a"),
        fail,
        lambda c: c.execute(text("SELECT :x"), {"x": object()}),
        lambda c: add(c, "b"),
    ]
    tasks = [asyncio.create_task(database.write(f"w{n}", work)) for n, work in enumerate(works)]
    await asyncio.wait([asyncio.create_task(asyncio.to_thread(int))])
    release.set()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(end) for end in ends] == [type(None), IntegrityError, ValueError, ProgrammingError, type(None)]
    assert await database.read(names) == ["a", "b"]
    at = points.index("w0:before-commit")
    assert points[at : at + 10] == [f"w{n}:{when}-commit" for when in ("before", "after") for n in range(5)]
    await database.close()


async def test_a_failing_database_fails_all_that_waited_and_keeps_none_of_it(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "system.db"))
    await database.write("table", lambda connection: run(connection, TABLE))
    release = await held(database)

    def fill(connection: Connection) -> None:
        pages = connection.execute(text("PRAGMA page_count")).scalar()
        connection.execute(text(f"PRAGMA max_page_count={pages}"))
        add(connection, "x" * 100_000)

    works: list[Work[None]] = [lambda connection: add(connection, "a"), fill]
    tasks = [asyncio.create_task(database.write("w", work)) for work in works]
    await asyncio.wait([asyncio.create_task(asyncio.to_thread(int))])
    release.set()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(end) for end in ends] == [
        "The disk that holds system.db is full: free some space; work goes on from where it is."
    ] * 2
    await database.write("again", lambda connection: add(connection, "b"))
    assert await database.read(names) == ["b"]
    await database.close()


async def test_a_cancelled_caller_does_not_undo_its_work(database: Database) -> None:
    release = await held(database)
    task = asyncio.create_task(database.write("w", lambda connection: add(connection, "a")))
    await asyncio.wait([asyncio.create_task(asyncio.to_thread(int))])
    task.cancel()
    release.set()
    await asyncio.gather(task, return_exceptions=True)
    await database.write("after", lambda connection: None)
    assert await database.read(names) == ["a"]


async def test_closing_finishes_what_was_asked_and_refuses_what_comes(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "system.db"))
    await database.write("table", lambda connection: run(connection, TABLE))
    release = await held(database)
    many = 2 * GROUP + 5
    tasks = [asyncio.create_task(database.write("w", lambda c, n=n: add(c, f"{n}"))) for n in range(many)]
    await asyncio.wait([asyncio.create_task(asyncio.to_thread(int))])
    closing = asyncio.create_task(database.close())
    await asyncio.wait([asyncio.create_task(asyncio.to_thread(int))])
    with pytest.raises(DatabaseError, match="closed"):
        await database.write("late", lambda connection: None)
    release.set()
    await asyncio.gather(closing, *tasks)
    with sqlite3.connect(tmp_path / "system.db") as plain:
        assert plain.execute("SELECT COUNT(*) FROM things").fetchone() == (many,)
    plain.close()


def test_an_asker_whose_loop_has_ended_harms_nobody(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "system.db"))
    release = threading.Event()

    async def leave() -> None:
        asking = asyncio.create_task(database.write("w", lambda connection: release.wait(10)))
        await asyncio.wait([asking], timeout=0.01)
        asking.cancel()

    asyncio.run(leave())
    release.set()

    async def ask() -> int:
        kept = await database.write("w", lambda connection: 7)
        await database.close()
        return kept

    assert asyncio.run(ask()) == 7


async def test_readers_see_one_consistent_view_and_block_nobody(database: Database) -> None:
    release = await held(database)
    assert await asyncio.gather(*(database.read(names) for _ in range(4))) == [[]] * 4
    release.set()


async def test_bad_input_a_locked_database_is_told_clearly_and_used_again(database: Database, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "system.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseError, match="locked by another program"):
        await database.write("w", lambda connection: add(connection, "a"))
    assert await database.read(names) == []
    other.execute("ROLLBACK")
    other.close()
    await database.write("w", lambda connection: add(connection, "a"))
    assert await database.read(names) == ["a"]


async def test_bad_input_trouble_is_known_while_it_lasts(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.database.LOCKED_SECONDS", 0.0)
    await database.write("table", lambda connection: run(connection, "CREATE TABLE alembic_version (version_num)"))
    assert database.trouble is None
    with closing(sqlite3.connect(tmp_path / "system.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.ensure_future(database.write("w", touch))
        trouble = await until(lambda: database.trouble)  # known while the transaction still waits
        assert not writing.done()
        with pytest.raises(DatabaseError):
            await writing
        assert trouble.startswith("system.db is locked by another program")
    await database.write("w", touch)
    assert database.trouble is None


async def test_bad_input_a_full_disk_is_trouble_and_a_fault_of_ones_own_is_not(database: Database) -> None:
    await database.write("full", lambda connection: run(connection, "PRAGMA max_page_count=1"))
    with pytest.raises(DatabaseError, match="is full"):
        await database.write("w", lambda connection: add(connection, "x" * 100_000))
    assert database.trouble is not None
    assert "is full" in database.trouble
    await database.write("w", lambda connection: add(connection, "a"))
    with pytest.raises(IntegrityError):
        await database.write("w", lambda connection: add(connection, "a"))
    assert database.trouble is None


async def test_bad_input_a_read_only_database(database: Database, tmp_path: Path) -> None:
    closed = Database(f"sqlite:///file:{tmp_path / 'system.db'}?mode=ro&uri=true")
    with pytest.raises(DatabaseError, match="read-only"):
        await closed.write("w", lambda connection: add(connection, "a"))
    await closed.close()


async def test_bad_input_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "system.db").write_text("this is a diary, not a database\n" * 100)
    database = Database(sqlite_url(tmp_path / "system.db"))
    for asking in (database.read(names), database.write("w", names)):
        with pytest.raises(DatabaseError, match="no SQLite file"):
            await asking
    await database.close()


async def test_bad_input_a_damaged_database(database: Database, tmp_path: Path) -> None:
    await database.write("fill", lambda c: [add(c, f"{n}" * 500) for n in range(200)])
    await database.close()
    whole = (tmp_path / "system.db").read_bytes()
    (tmp_path / "system.db").write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    damaged = Database(sqlite_url(tmp_path / "system.db"))
    with pytest.raises(DatabaseError, match="damaged"):
        await damaged.read(names)
    await damaged.close()


async def test_bad_input_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "nowhere" / "system.db"))
    with pytest.raises(DatabaseError, match="its folder must exist"):
        await database.write("w", names)
    await database.close()


async def test_bad_input_what_has_no_advice_is_told_as_it_is(database: Database) -> None:
    with pytest.raises(DatabaseError, match=r"cannot be used \(no such table: nowhere\)"):
        await database.read(lambda connection: run(connection, "SELECT * FROM nowhere"))
    with pytest.raises(ProgrammingError):
        await database.read(lambda connection: connection.execute(text("SELECT :x"), {"x": object()}))


async def test_the_file_is_kept_safely(database: Database) -> None:
    def pragmas(connection: Connection) -> list[object]:
        asked = ("journal_mode", "synchronous", "foreign_keys", "auto_vacuum", "journal_size_limit")
        return [connection.execute(text(f"PRAGMA {pragma}")).scalar() for pragma in asked]

    assert await database.write("pragmas", pragmas) == ["wal", 2, 1, 2, 67108864]


async def test_a_commit_waits_for_the_disk_unless_everything_in_it_may_be_lost_with_the_power(tmp_path: Path) -> None:
    def synchronous(connection: Connection) -> object:
        return connection.execute(text("PRAGMA synchronous")).scalar()

    database = Database(sqlite_url(tmp_path / "system.db"), busy_seconds=0.2)
    assert await database.write("kept", synchronous) == 2
    assert await database.write("loose", synchronous, is_synced=False) == 1
    release = await held(database)
    together = [
        asyncio.create_task(database.write(str(is_synced), synchronous, is_synced=is_synced))
        for is_synced in (False, True, False)
    ]
    await asyncio.wait(together, timeout=0.05)
    release.set()
    assert await asyncio.gather(*together) == [2, 2, 2]
    assert await database.write("loose", synchronous, is_synced=False) == 1
    with pytest.raises(DatabaseError):
        await database.write("broken", lambda _: _fail(), is_synced=False)
    assert await database.write("loose", synchronous, is_synced=False) == 1
    assert await database.write("kept", synchronous) == 2
    await database.close()


def _fail() -> None:
    raise sqlite3.OperationalError("disk I/O error")


async def test_what_follows_a_commit_is_done_before_its_asker_hears_of_it(tmp_path: Path) -> None:
    seen: list[object] = []
    database = Database(sqlite_url(tmp_path / "system.db"), seen.append)
    await database.write("table", lambda connection: run(connection, TABLE))
    seen.clear()
    await database.write("add", lambda connection: add(connection, "one"), then=lambda _: seen.append("rung"))
    assert seen == ["add:before-commit", "add:after-commit", "rung"]
    with pytest.raises(IntegrityError):
        await database.write("add", lambda connection: add(connection, "one"), then=lambda _: seen.append("rung"))
    assert seen.count("rung") == 1
    await database.close()


async def test_a_thread_writes_in_its_turn_and_hears_its_own_errors(database: Database) -> None:
    release = await held(database)
    writing = asyncio.create_task(asyncio.to_thread(database.write_here, "add", lambda c: add(c, "one")))
    reading = await database.read(names)
    assert (reading, writing.done()) == ([], False)
    release.set()
    await writing
    with pytest.raises(IntegrityError):
        await asyncio.to_thread(database.write_here, "add", lambda c: add(c, "one"))
    assert await asyncio.to_thread(database.write_here, "look", names) == ["one"]
    await database.close()
    with pytest.raises(DatabaseError, match="closed"):
        await asyncio.to_thread(database.write_here, "look", names)
