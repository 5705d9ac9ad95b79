"""Promises over HTTP."""

from __future__ import annotations

import asyncio
import json

from tests.web.stage import Stage, promise
from web.doors import Delivered


async def test_promises_are_listed_and_shown() -> None:
    async with Stage().up() as stage, stage.client() as client:
        listed, shown = (await client.get("/api/promises")).json(), (await client.get("/api/promises/7")).json()
        missing, wrong = await client.get("/api/promises/8"), await client.get("/api/promises/x")
    assert listed == [{name: shown[name] for name in listed[0]}]
    assert (shown["status"], shown["run_id"], shown["result"]) == ("pending", "run_7", "All of it.")
    assert (missing.status_code, missing.json()) == (404, {"error": "There is no promise 8."})
    assert wrong.status_code == 422


async def test_p5_a_promise_is_cancelled() -> None:
    async with Stage().up() as stage, stage.client() as client:
        answer = await client.post("/api/promises/7/cancel")
    assert answer.json()["status"] == "cancelled"
    assert stage.promises.kept[7].status == "cancelled"


async def test_p5_a_cancelled_promise_is_retried_and_an_open_one_is_not() -> None:
    async with Stage().up() as stage, stage.client() as client:
        early = await client.post("/api/promises/7/retry")
        await client.post("/api/promises/7/cancel")
        answer = await client.post("/api/promises/7/retry")
    assert (early.status_code, early.json()) == (400, {"error": "Promise #7 is not over."})
    assert answer.json()["status"] == "pending"


async def test_p7_what_is_to_come_is_listed_with_its_moments() -> None:
    async with Stage().up() as stage, stage.client() as client:
        [found] = (await client.get("/api/schedule?limit=3")).json()
    assert (found["at"], found["later"]) == ("2026-01-01T00:00:00+00:00", ["2026-01-02T00:00:00+00:00"])
    assert (found["cause"], found["promise"]["every"], found["promise"]["zone"]) == ("schedule", "1d", "Europe/Berlin")


async def test_changes_arrive_as_events() -> None:
    async with Stage().up() as stage, stage.client() as client, client.stream("GET", "/api/events") as answer:
        stage.feed.changes.put_nowait(promise(8, "completed"))
        stage.feed.changes.put_nowait(Delivered("page", 3, 1, "result", "All counted."))
        lines = answer.aiter_lines()
        told: list[str] = []
        async with asyncio.timeout(5):
            while len(told) < 4:
                line = await anext(lines)
                told += [line] if line.startswith(("event", "data")) else []
    assert told[0] == "event: promise"
    assert json.loads(told[1].removeprefix("data: "))["status"] == "completed"
    assert told[2] == "event: delivery"
    assert json.loads(told[3].removeprefix("data: "))["text"] == "All counted."
