"""P9: what was paid for is not paid again, what was done is not done again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic_ai import RunContext
from pydantic_ai.toolsets import FunctionToolset
from sqlalchemy import insert, update

from core.errors import DatabaseError
from core.schema import llm_calls, runs, steps
from runtime import journal
from runtime.deps import INTERRUPTED, Deps
from runtime.journal import tell_steps
from runtime.manifest import Tools
from tests.runtime.stage import Stage
from tests.world.anthropic import Asked, Call, Hang, Reply, Say


def work(asked: Asked) -> Reply:
    """Two tools, one after the other, then an answer."""
    done = [result.tool for result in asked.results]
    if not done:
        return Call("note", {"text": "a"}, id="t1")
    return Call("change", {"path": "x"}, id="t2") if len(done) == 1 else Say("Done.")


async def test_p9_a_run_goes_on_from_its_last_step(stage: Stage) -> None:
    stage.model.script(work)
    stage.model.answer(Hang(), when=lambda asked: len(asked.results) == 1)
    running = asyncio.create_task(stage.runner().run(stage.manifest(), "go", stage.deps()))
    await stage.model.until(lambda: len(stage.model.calls) == 2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    result = await stage.runner().run(stage.manifest(), "go", stage.deps())
    assert (result.text, stage.bench.ran) == ("Done.", ["note a", "change x"])
    assert [len(call.asked.results) for call in stage.model.calls] == [0, 1, 1, 2]
    assert result.steps == 5
    (run,) = await stage.rows(runs)
    assert run["status"] == "done"


async def test_bad_input_a_result_outlasts_a_database_out_of_order(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was done and cannot be written down would be done again."""
    monkeypatch.setattr(journal, "RETRY_SECONDS", 0.001)
    ran: list[str] = []

    async def spoil(ctx: RunContext[Deps]) -> str:
        """Do it, and leave a database that nobody can write."""
        ran.append("spoil")
        await stage.database.write("test", lambda connection: connection.exec_driver_sql("PRAGMA query_only=1"))
        return "spoilt"

    stage.model.script(lambda asked: Say("Done.") if asked.results else Call("spoil", {}, id="t1"))
    manifest = stage.manifest(toolsets=(Tools(lambda: FunctionToolset([spoil])),))
    assert (await stage.runner().run(manifest, "go", stage.deps())).text == "Done."
    assert [step["status"] for step in await stage.rows(steps)] == ["done"] * 3
    await stage.runner().run(manifest, "go", stage.deps())
    assert ran == ["spoil"]


async def test_bad_input_nothing_begins_that_cannot_be_written_down_first(stage: Stage) -> None:
    async def gate() -> None:
        await stage.database.write("test", lambda connection: connection.exec_driver_sql("PRAGMA query_only=1"))

    stage.model.answer(Call("note", {"text": "a"}, id="t1"))
    with pytest.raises(DatabaseError, match=r"system\.db is read-only"):
        await stage.runner().run(stage.manifest(), "go", stage.deps(gate=gate))
    assert stage.bench.ran == []


async def test_p9_a_finished_run_is_replayed_whole(stage: Stage) -> None:
    stage.model.script(work)
    first = await stage.runner().run(stage.manifest(), "go", stage.deps())
    again = await stage.runner().run(stage.manifest(), "go", stage.deps())
    assert again == first
    assert len(stage.model.calls) == 3
    assert len(await stage.rows(llm_calls)) == 3
    assert again.evidence == ({"kind": "file", "path": "x", "before": None, "after": "abc"},)
    assert stage.lines.finished_tools == ["note", "change"]


async def test_p9_parallel_calls_that_ended_are_not_run_again(stage: Stage) -> None:
    both = (Call("note", {"text": "a"}, id="t1"), Call("change", {"path": "x"}, id="t2"))
    stage.model.script(lambda asked: Say("Done.") if asked.results else both)
    await stage.runner().run(stage.manifest(), "go", stage.deps())
    await forget(stage, steps.c.key.in_(("t2", "model:2")))
    await stage.runner().run(stage.manifest(), "go", stage.deps())
    assert sorted(stage.bench.ran) == ["change x", "change x", "note a"]


async def forget(stage: Stage, where: Any) -> None:
    await stage.database.write("x", lambda connection: connection.execute(steps.delete().where(where)))


async def interrupt(stage: Stage) -> None:
    """As if the process had died while the first tool ran."""
    await forget(stage, steps.c.key.in_(("t2", "model:2", "model:3")))
    intent = update(steps).where(steps.c.key == "t1").values(status="intent", response=None, ended_at=None)
    await stage.database.write("x", lambda connection: connection.execute(intent))
    stage.bench.ran.clear()


async def test_p9_a_call_under_way_is_told_as_interrupted(stage: Stage) -> None:
    stage.model.script(work)
    await stage.runner().run(stage.manifest(), "go", stage.deps())
    await interrupt(stage)
    await stage.runner().run(stage.manifest(), "go", stage.deps())
    assert stage.bench.ran == ["change x"]
    assert stage.model.calls[-1].asked.results[0].text == INTERRUPTED
    told = {row["key"]: row["status"] for row in await stage.rows(steps) if row["kind"] == "tool"}
    assert told == {"t1": "interrupted", "t2": "done"}
    await stage.runner().run(stage.manifest(), "go", stage.deps())
    assert stage.bench.ran == ["change x"]


async def test_p9_a_repeatable_tool_is_called_again(stage: Stage) -> None:
    stage.model.script(work)
    manifest = stage.manifest(repeatable=frozenset({"note"}))
    await stage.runner().run(manifest, "go", stage.deps())
    await interrupt(stage)
    await stage.runner().run(manifest, "go", stage.deps())
    assert stage.bench.ran == ["note a", "change x"]


async def test_p9_refusals_are_replayed_as_refusals(stage: Stage) -> None:
    stage.model.script(lambda asked: Say("No.") if asked.results else (Call("refuse", id="t1"), Call("miss", id="t2")))
    await stage.runner().run(stage.manifest(), "go", stage.deps())
    await forget(stage, steps.c.key == "model:2")
    result = await stage.runner().run(stage.manifest(), "go", stage.deps())
    assert result.refused == ("refuse",)
    assert [found.is_error for found in stage.model.calls[-1].asked.results] == [True, True]


async def test_an_id_that_a_server_gives_again_is_another_call(stage: Stage) -> None:
    stage.model.script(
        lambda asked: (
            Say("Done.") if len(asked.results) > 1 else Call("note", {"text": str(len(asked.results))}, id="t")
        )
    )
    for _ in range(2):
        await stage.runner().run(stage.manifest(), "go", stage.deps())
        assert stage.bench.ran == ["note 0", "note 1"]
    assert [row["key"] for row in await stage.rows(steps) if row["kind"] == "tool"] == ["t", "t@2"]


async def test_p9_a_cancelled_tool_leaves_its_intent(stage: Stage) -> None:
    started = asyncio.Event()

    async def stall(ctx: RunContext[Deps]) -> str:
        """Stall."""
        started.set()
        await asyncio.Event().wait()
        return "never"

    manifest = stage.manifest(toolsets=(Tools(lambda: FunctionToolset([stall])),))
    stage.model.script(lambda asked: Call("stall", id="t1"))
    running = asyncio.create_task(stage.runner().run(manifest, "go", stage.deps()))
    async with asyncio.timeout(5):
        await started.wait()
    running.cancel()
    async with asyncio.timeout(1):
        with pytest.raises(asyncio.CancelledError):
            await running
    (_, tool) = await stage.rows(steps)
    assert (tool["status"], tool["request"], tool["ended_at"]) == ("intent", {}, None)
    assert await stage.runner().done_so_far("run_1") == ["stall: under way when it stopped"]


async def test_a_tool_that_is_broken_ends_the_run(stage: Stage) -> None:
    async def broken(ctx: RunContext[Deps]) -> str:
        """Break."""
        raise ZeroDivisionError

    manifest = stage.manifest(toolsets=(Tools(lambda: FunctionToolset([broken])),))
    stage.model.answer(Call("broken"))
    with pytest.raises(ZeroDivisionError):
        await stage.runner().run(manifest, "go", stage.deps())
    assert [row["status"] for row in await stage.rows(runs)] == ["failed"]


async def test_a_tool_may_return_more_than_text(stage: Stage) -> None:
    async def count(ctx: RunContext[Deps]) -> dict[str, int]:
        """Count."""
        return {"files": 3}

    manifest = stage.manifest(toolsets=(Tools(lambda: FunctionToolset([count])),))
    stage.model.script(lambda asked: Say("Three.") if asked.results else Call("count", id="t1"))
    await stage.runner().run(manifest, "go", stage.deps())
    assert stage.model.calls[1].asked.results[0].text == '{"files":3}'


async def test_b6_what_has_been_done_is_told_in_lines(stage: Stage) -> None:
    evidence = [
        ("write_file", [{"kind": "file", "path": "a.py", "before": None, "after": "x"}]),
        ("run_command", [{"kind": "command", "command": "make\n test", "exit_code": 2}]),
        ("fetch", [{"kind": "source", "url": "https://a.b"}, {"kind": "other"}]),
        ("read_file", None),
    ]
    rows: list[dict[str, Any]] = [
        {"run_id": "r", "key": f"t{n}", "kind": "tool", "name": name, "status": "done", "evidence": seen}
        for n, (name, seen) in enumerate(evidence)
    ]
    rows.append({"run_id": "r", "key": "t9", "kind": "tool", "name": "x", "status": "failed", "evidence": None})
    rows.append({"run_id": "r", "key": "model:1", "kind": "model", "name": "m", "status": "done", "evidence": None})
    now = stage.clock.now()
    filled = [row | {"started_at": now} for row in rows]
    await stage.database.write("x", lambda connection: connection.execute(insert(steps), filled))
    assert await stage.database.read(lambda connection: tell_steps(connection, "r")) == [
        "write_file: changed `a.py`",
        "run_command: `make test` → 2",
        "fetch: read https://a.b; other",
        "read_file",
    ]
