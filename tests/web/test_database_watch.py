"""A database out of order for a while, and what the owner hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection

from core.clock import FakeClock
from core.database import Database, sqlite_url, touch
from core.errors import DatabaseError
from core.migrate import migrate
from web.database_watch import LOOK_SECONDS, DatabaseWatch

SAID = (
    "For a while nothing could be written: The disk that holds system.db is full: free some space; work goes on from "
    "where it is. That is over."
)


class Owner:
    """Who is told; at first the database may fail that, too."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[str] = asyncio.Queue()
        self.error: DatabaseError | None = None

    async def tell(self, sentence: str) -> None:
        if self.error is not None:
            raise self.error
        self.told.put_nowait(sentence)


@asynccontextmanager
async def opened(folder: Path) -> AsyncGenerator[Database]:
    database = Database(sqlite_url(folder / "system.db"))
    await migrate(database)
    yield database
    await database.close()


def fill(connection: Connection) -> None:
    connection.exec_driver_sql("PRAGMA max_page_count=1")
    connection.exec_driver_sql("CREATE TABLE filler AS SELECT zeroblob(1000000) AS filled")


async def test_bad_input_the_owner_is_told_once_when_the_trouble_is_over(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        owner = Owner()
        watch = DatabaseWatch(database, FakeClock(), owner.tell)
        await watch.look()
        assert owner.told.empty()
        with pytest.raises(DatabaseError):
            await database.write("fill", fill)
        owner.error = DatabaseError("Full again.")
        with pytest.raises(DatabaseError):
            await watch.look()
        owner.error = None
        await watch.look()
        await watch.look()
        assert owner.told.get_nowait() == SAID
        assert owner.told.empty()


async def test_bad_input_the_owner_is_told_of_trouble_that_came_and_went_between_two_looks(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        owner = Owner()
        watch = DatabaseWatch(database, FakeClock(), owner.tell)
        with pytest.raises(DatabaseError):
            await database.write("fill", fill)
        await database.write("touch", touch)
        for _ in range(2):
            await watch.look()
        assert owner.told.get_nowait() == SAID
        assert owner.told.empty()


async def test_bad_input_trouble_that_lasts_does_not_end_the_watch(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        clock, owner = FakeClock(), Owner()
        watching = asyncio.create_task(DatabaseWatch(database, clock, owner.tell).run())
        owner.error = DatabaseError("Full again.")
        with pytest.raises(DatabaseError):
            await database.write("fill", fill)
        for _ in range(2):
            await _once_asleep(clock)
        owner.error = None
        await _once_asleep(clock)
        async with asyncio.timeout(10):
            assert await owner.told.get() == SAID
        watching.cancel()


async def _once_asleep(clock: FakeClock) -> None:
    await clock.until_asleep()
    clock.advance(LOOK_SECONDS)
