"""The application asked from within, over the tables alone."""

from __future__ import annotations

from pathlib import Path

from cli.requests import show_run
from core.clock import SystemClock
from core.database import Database, sqlite_url
from core.migrate import migrate
from promises.service import Promises
from promises.worker import Places
from web.inside import ask_inside, doors_onto


async def test_routes_answer_as_to_a_client(tmp_path: Path) -> None:
    database, rung = Database(sqlite_url(tmp_path / "system.db")), list[str]()
    await migrate(database)
    _, rings = Places(tmp_path / "huey.db", tmp_path).open_rings()
    clock = SystemClock()
    doors = doors_onto(database, Promises(database, rings, clock), clock, lambda: rung.append("rung"))
    assert await ask_inside(doors, "GET", "/api/promises?limit=3") == (200, [])
    assert await ask_inside(doors, "GET", "/api/runs/turn%3A3") == (
        404,
        {"error": "There is no turn 3: give a run's id, turn:NUMBER, or a promise's number."},
    )
    for name in ("", "../promises", "a/b"):
        status, told = await ask_inside(doors, "GET", show_run(name).path)
        assert (status, told["error"].startswith(f"There is no run {name!r}: ")) == (404, True)
    assert (await ask_inside(doors, "GET", "/api/promises?limit=0"))[0] == 422
    missing = {"error": "There is no dead letter #4."}
    assert await ask_inside(doors, "POST", "/api/deadletters/4/retry") == (404, missing)
    assert rung == []
    await database.close()
