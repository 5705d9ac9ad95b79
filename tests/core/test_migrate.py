from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from core.clock import FakeClock
from core.database import Database, sqlite_url
from core.errors import DatabaseError
from core.migrate import HEAD, is_current, migrate, version_of, wait_until_current
from core.schema import metadata

PROGRAM = """
import asyncio, pathlib, sys
from core.database import Database, sqlite_url
from core.migrate import migrate

async def main():
    database = Database(sqlite_url(pathlib.Path(sys.argv[1])))
    await migrate(database)
    await database.close()

asyncio.run(main())
"""


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(sqlite_url(tmp_path / "system.db"))
    yield opened
    await opened.close()


async def test_an_empty_file_gets_the_tables_of_the_schema_once(database: Database) -> None:
    assert not await is_current(database)
    assert await database.read(version_of) is None
    for _ in range(2):
        await migrate(database)
    assert await is_current(database)

    def differences(connection: Connection) -> list[object]:
        return compare_metadata(MigrationContext.configure(connection), metadata)

    assert await database.read(differences) == []
    assert await database.read(lambda connection: connection.execute(text("PRAGMA auto_vacuum")).scalar()) == 2


async def test_several_processes_migrate_at_once(database: Database, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "system.db")]
    others = [subprocess.Popen(command) for _ in range(2)]
    await migrate(database)
    assert [await asyncio.to_thread(other.wait, 60) for other in others] == [0, 0]
    assert await is_current(database)


async def test_bad_input_a_newer_version_is_refused(database: Database) -> None:
    await migrate(database)
    await database.write("newer", lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(DatabaseError, match=f"version 9999, newer than this Valor \\({HEAD}\\)"):
        await migrate(database)


async def test_who_does_not_migrate_waits_for_who_does(database: Database) -> None:
    clock = FakeClock()
    waiting = asyncio.create_task(wait_until_current(database, clock, 1))
    await clock.until_asleep()
    assert not await is_current(database)
    await migrate(database)
    clock.advance(0.05)
    await waiting
    assert await is_current(database)


async def test_nobody_waits_for_ever(database: Database) -> None:
    clock = FakeClock()
    waiting = asyncio.create_task(wait_until_current(database, clock, 0.05))
    await clock.until_asleep()
    clock.advance(0.05)
    with pytest.raises(DatabaseError, match="start the server"):
        await waiting


async def test_the_queries_that_users_already_type_work(database: Database, tmp_path: Path) -> None:
    await migrate(database)
    queries = {
        "SELECT id, task_description, status, created_at FROM promises WHERE status='pending'": 4,
        "SELECT status, COUNT(*) as count FROM promises GROUP BY status;": 2,
        "SELECT task_description, completed_at, result_summary FROM promises LIMIT 5": 3,
    }
    with closing(sqlite3.connect(tmp_path / "system.db")) as plain:
        assert [len(plain.execute(query).description) for query in queries] == list(queries.values())
