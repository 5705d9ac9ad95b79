from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, select

from core import audit as auditing
from core.audit import Audit
from core.audit_store import Refused, count_refused
from core.clock import FakeClock
from core.database import Database, sqlite_url
from core.schema import audit, metadata
from tests.waiting import until_found

WRONG_TOKEN = Refused("web", "a token is needed", place="10.0.0.9")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database]:
    opened = Database(sqlite_url(tmp_path / "system.db"))
    await opened.write("create", metadata.create_all)
    yield opened
    await opened.close()


async def rows(database: Database) -> list[Row[Any]]:
    return list(await database.read(lambda connection: connection.execute(select(audit).order_by(audit.c.id)).all()))


async def until_counted(database: Database, count: int) -> Row[Any]:
    async def look() -> Row[Any] | None:
        return next((row for row in await rows(database) if row._mapping["count"] >= count), None)

    return await until_found(look)


async def test_a7_repeats_are_counted_not_repeated(database: Database) -> None:
    clock = FakeClock()
    noted = Audit(database, clock)
    noted.note(WRONG_TOKEN)
    first = (await until_counted(database, 1)).first_at
    clock.advance(60)
    for _ in range(5):
        noted.note(WRONG_TOKEN)
    row = await until_counted(database, 6)
    assert (row.kind, row.chat_id, row.reason, row._mapping["count"]) == ("web", "10.0.0.9", "a token is needed", 6)
    assert (row.first_at, row.last_at) == (first, clock.now())


async def test_a7_only_the_first_of_its_kind_is_worth_a_log_line(database: Database) -> None:
    now = FakeClock().now()
    told = [
        await database.write("audit", lambda connection: count_refused(connection, WRONG_TOKEN, now)) for _ in range(2)
    ]
    assert told == [True, False]


async def test_a_flood_of_different_refusals_is_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auditing, "KINDS", 2)
    noted = Audit(database, FakeClock())
    for number in range(4):
        noted.note(Refused("web", f"reason {number}"))

    async def look() -> list[Row[Any]] | None:
        return found if len(found := await rows(database)) >= 2 else None

    found = await until_found(look)
    assert [row.reason for row in found] == ["reason 0", "reason 1"]
