"""What is settled goes after ninety days; what is open stays; what was forgotten is never new again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from conversations import turn_store
from core.schema import (
    attachments,
    audit,
    chats,
    consents,
    deliveries,
    files,
    llm_calls,
    messages,
    metadata,
    promise_dependencies,
    promises,
    results,
    runs,
    steps,
    turns,
)
from promises import retention_store
from promises.keeper import Outcome
from promises.retention import FIRST_SECONDS, Retention
from tests.promises.stage import DEADLINE, OWNER, Stage, call

DAY = 86_400
PLACE = {"front": "local", "chat_id": "page"}
TURN = {**PLACE, "workspace": "psy", "requester_id": 1, "role": "owner", "reply_to": 5, "status": "done"}
MESSAGE = {**PLACE, "sender_id": 1, "text": "hi", "prompt": "hi", "answer": True, "reason": "dm", "via": "live"}
ATTACHMENT = {"place": 0, "kind": "photo", "mime": "", "size": 1, "name": "", "note": "", "state": "new"}
CALL = {"kind": "turn", "model": "m", "system_chars": 1, "prompt_chars": 1, "calls_last_60s": 1, "outcome": "ok"}


@pytest.fixture
async def told(stage: Stage) -> Stage:
    """A stage on which one chat has been served once, whose work is all done."""
    now = stage.clock.now()
    await add(stage, chats, front="local", chat_id="page", kind="dm", since=now)
    await add_turn(stage, 1, message_id=41)
    await add(stage, messages, **MESSAGE, message_id=43, sent_at=now, received_at=now)  # context
    first = await stage.make("first", call=call("a", turn_id=1))
    second = await stage.make("second", after=(first,))
    for number in (first, second):
        await stage.keep(number, Outcome("done"))
        run = (await stage.row(number)).run_id
        await add(stage, runs, id=run, agent="v", workspace="psy", promise_id=number, status="done", started_at=now)
        await add_step(stage, run)
    await stage.run_sql("UPDATE deliveries SET status = 'sent', sent_at = created_at, message_id = 100 + id")
    asked: dict[str, Any] = {"run_id": run, "promise_id": second, "tool": "x", "arguments": {}, "digest": "d"}
    await add(stage, results, promise_id=second, text="all of it")
    await add(stage, attachments, **ATTACHMENT, message_row=1)
    await add(stage, files, id=1, name="a.txt", mime="text/plain", size=1, text="x")
    await stage.run_sql("UPDATE deliveries SET file_id = 1 WHERE id = 1")
    await add(stage, consents, **asked, key="1", asked_at=now, expires_at=now)
    await add(stage, audit, kind="access", reason="no", first_at=now, last_at=now)
    await add(stage, runs, id="cli", agent="v", workspace="psy", status="done", started_at=now)
    await add(stage, llm_calls, **CALL, started_at=now)
    return stage


async def test_p12_after_ninety_days_all_that_is_settled_is_forgotten(told: Stage) -> None:
    told.time.advance(90 * DAY)
    await forget(told)
    assert set((await sizes(told)).values()) != {0}
    told.time.advance(1)
    await forget(told)
    assert {table: size for table, size in (await sizes(told)).items() if size} == {"chats": 1}


async def test_p12_the_run_that_a_joining_message_superseded_is_forgotten_with_its_turn(stage: Stage) -> None:
    await add_turn(stage, 1, message_id=41)
    turn = await stage.database.read(lambda connection: turn_store.find(connection, 1))
    assert turn is not None
    await stage.database.write("join", lambda connection: turn_store.begin_anew(connection, turn))
    again = await stage.database.read(lambda connection: turn_store.find(connection, 1))
    assert again is not None
    now = stage.clock.now()
    await add(stage, runs, id=again.run_id, agent="v", workspace="psy", turn_id=1, status="done", started_at=now)
    await stage.database.write(
        "more", lambda connection: connection.execute(insert(runs), [stray(n, now) for n in range(5)])
    )
    stage.time.advance(91 * DAY)
    await forget(stage, size=2)
    assert {table for table, size in (await sizes(stage)).items() if size} == set()


async def test_p12_what_belongs_to_nothing_goes_in_steps_too(stage: Stage) -> None:
    """So that nobody waits long for the writer, however much has come together."""
    now = stage.clock.now()
    for number in range(5):
        await add(stage, audit, kind="access", reason=f"no {number}", first_at=now, last_at=now)
        await add(stage, llm_calls, **CALL, started_at=now)
    stage.time.advance(91 * DAY)
    points: list[str] = []
    stage.database.edge = points.append
    await forget(stage, size=2)
    assert {table for table, size in (await sizes(stage)).items() if size} == set()
    assert [points.count(f"{name}:after-commit") for name in ("forget-strays", "forget-audit")] == [3, 3]


def stray(number: int, now: Any) -> dict[str, Any]:
    """A run whose promise is gone."""
    kept = {"agent": "v", "workspace": "psy", "status": "done", "started_at": now}
    return {"id": f"run_{number}", "promise_id": 900 + number, **kept}


async def test_p12_the_chats_floor_is_the_newest_that_was_forgotten(told: Stage) -> None:
    newest = await _scalar(told, select(func.max(deliveries.c.message_id)))
    told.time.advance(91 * DAY)
    await forget(told)
    assert await _scalar(told, select(chats.c.floor)) == newest > 43
    await add(told, messages, **MESSAGE, message_id=44, sent_at=told.clock.now(), received_at=told.clock.now())
    told.time.advance(91 * DAY)
    await forget(told)
    assert await _scalar(told, select(chats.c.floor)) == newest


async def test_p12_what_is_open_stays_with_all_that_belongs_to_it(stage: Stage) -> None:
    await add_turn(stage, 1, message_id=41)
    await add_turn(stage, 2, message_id=42, status="running", ended_at=None)
    done = await stage.make("done", call=call("a", turn_id=1))
    waiting = await stage.make("waiting", after=(done, await stage.make("long")))
    await stage.keep(done, Outcome("done"))
    untold = await stage.make("untold")
    await stage.keep(untold, Outcome("done"))
    await stage.run_sql(f"UPDATE deliveries SET status = 'sent' WHERE promise_id <> {untold}")
    before = await sizes(stage)
    stage.time.advance(400 * DAY)
    await forget(stage)
    assert await sizes(stage) == before
    assert (await stage.row(waiting)).status == "waiting"


async def test_p12_what_is_young_stays_though_older_things_go(told: Stage) -> None:
    told.time.advance(91 * DAY)
    number = await told.make("young")
    await add_turn(told, 7, message_id=50)
    await told.keep(number, Outcome("done"))
    await forget(told)
    found = await sizes(told)
    assert (found["promises"], found["turns"], found["messages"], found["deliveries"]) == (1, 1, 1, 2)


async def test_p12_a_turn_stays_while_a_promise_it_made_does(told: Stage) -> None:
    await told.make("for ever", call=call("b", turn_id=1))
    await told.run_sql("UPDATE deliveries SET status = 'sent' WHERE status = 'held'")
    told.time.advance(91 * DAY)
    await forget(told)
    found = await sizes(told)
    assert (found["promises"], found["turns"], found["messages"], found["deliveries"]) == (1, 1, 1, 1)
    await told.service.cancel(3, OWNER)
    await told.run_sql("UPDATE deliveries SET status = 'sent', message_id = 900 + id")
    told.time.advance(91 * DAY)
    await forget(told)
    assert {table: size for table, size in (await sizes(told)).items() if size} == {"chats": 1}


async def test_p12_it_goes_in_batches_and_the_file_shrinks(stage: Stage) -> None:
    for number in range(40):
        await add_turn(stage, number + 1, message_id=number + 1, error="x" * 20_000)
    stage.time.advance(91 * DAY)
    seen: list[str] = []
    stage.database.edge = seen.append
    await forget(stage, size=7)
    assert (await sizes(stage))["turns"] == 0
    assert seen.count("forget-old:after-commit") >= 6
    free = await stage.database.read(lambda connection: connection.exec_driver_sql("PRAGMA freelist_count").scalar())
    used = await stage.database.read(lambda connection: connection.exec_driver_sql("PRAGMA page_count").scalar())
    assert free == 0
    assert used is not None
    assert used < 100


async def test_p12_a_file_without_free_pages_has_nothing_to_give_back(stage: Stage) -> None:
    assert not await stage.database.write("test", retention_store.give_back)


async def test_p12_it_runs_every_day_whatever_happens(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    points: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def note(point: str, /) -> None:
        loop.call_soon_threadsafe(points.put_nowait, point)

    stage.database.edge = note
    running = asyncio.create_task(Retention(stage.database, stage.clock).run())
    await stage.time.until_asleep()
    await stage.run_sql("ALTER TABLE turns RENAME TO away")
    stage.time.advance(FIRST_SECONDS)
    await stage.time.until_asleep()
    assert "retention failed" in capsys.readouterr().out
    await stage.run_sql("ALTER TABLE away RENAME TO turns")
    for _ in range(2):
        stage.time.advance(DAY)
        await _until(points, "give-back:after-commit")
        await stage.time.until_asleep()
    running.cancel()


async def forget(stage: Stage, size: int = 500) -> None:
    await Retention(stage.database, stage.clock).forget(size)


async def add(stage: Stage, table: Any, **row: Any) -> None:
    await stage.database.write("test", lambda connection: connection.execute(insert(table).values(**row)))


async def add_turn(stage: Stage, number: int, message_id: int, **changed: Any) -> None:
    """A turn, its message, its answer, and its run."""
    now = stage.clock.now()
    run = f"turn {number}"
    row = {**TURN, "id": number, "run_id": run, "created_at": now, "ended_at": now, **changed}
    await add(stage, turns, **row)
    await add(stage, messages, **MESSAGE, message_id=message_id, sent_at=now, received_at=now, turn_id=number)
    await add(stage, runs, id=run, agent="v", workspace="psy", turn_id=number, status="done", started_at=now)
    await add_step(stage, run)


async def add_step(stage: Stage, run: str) -> None:
    now = stage.clock.now()
    await add(stage, steps, run_id=run, key="model:1", kind="model", name="m", status="done", started_at=now)
    await add(stage, llm_calls, **CALL, run=run, started_at=now)


async def sizes(stage: Stage) -> dict[str, int]:
    """How many rows each table has that retention cares for."""
    tables = (
        chats,
        turns,
        messages,
        promises,
        promise_dependencies,
        deliveries,
        runs,
        steps,
        llm_calls,
        consents,
        results,
        audit,
        attachments,
        files,
    )
    # As many as chats, or kept for people; of those who knock at the bot at most ten a day, each asked about once.
    bounded = {"admitted_since", "chat_moves", "links", "knocks"}
    assert {table.name for table in tables} == {*metadata.tables} - bounded
    return {table.name: await _scalar(stage, select(func.count()).select_from(table)) for table in tables}


async def _scalar(stage: Stage, query: Any) -> Any:
    return await stage.database.read(lambda connection: connection.execute(query).scalar())


async def _until(commits: asyncio.Queue[str], point: str) -> None:
    async with asyncio.timeout(DEADLINE):
        while await commits.get() != point:
            pass
