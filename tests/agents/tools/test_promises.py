from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agents.tools.promises import NESTED, promises_toolset, tell_view
from core.protocols import PromiseOrder
from runtime.manifest import Tools
from tests.runtime.stage import Stage, open_stage, view_of
from tests.world.anthropic import Call, Say, ToolResult

ORDER = PromiseOrder("Tidy up", "code")


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path) as opened:
        yield opened


async def use(stage: Stage, tool: str, args: dict[str, Any], **deps: Any) -> ToolResult:
    stage.model.script(lambda asked: Say("Done.") if asked.results else Call(tool, args, id="t1"))
    manifest = stage.manifest(toolsets=(Tools(promises_toolset),))
    await stage.runner().run(manifest, "go", stage.deps(**deps))
    return stage.model.calls[-1].asked.results[0]


async def test_p1_a_promise_is_made_by_a_tool_call(stage: Stage) -> None:
    args = {"task": "Tidy up", "task_type": "code", "after": [1, 2], "when": {"priority": 5}}
    result = await use(stage, "make_promise", args, turn_id=8)
    assert result.text.startswith("Promise #1 is made (pending).")
    ((order, call),) = stage.promises.made
    assert order == PromiseOrder("Tidy up", "code", (1, 2), 5)
    assert call is not None
    assert (call.run_id, call.tool_call_id, call.turn_id, call.promise_id) == ("run_1", "t1", 8, None)


async def test_p7_a_promise_is_made_for_a_moment_or_a_schedule(stage: Stage) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    when = {"at": "2030-12-01 09:00", "every": "1d", "zone": "Europe/Berlin"}
    await use(stage, "make_promise", {"task": "x", "task_type": "search", "when": when})
    ((order, _),) = stage.promises.made
    assert order == PromiseOrder("x", "search", at=datetime(2030, 12, 1, 9, tzinfo=berlin), every="1d", zone=berlin.key)
    bad = await use(stage, "make_promise", {"task": "x", "task_type": "search", "when": {"at": "soon"}}, run_id="r2")
    assert (bad.text, bad.is_error) == ("'soon' is no moment: write it like 2026-12-01 09:00.", True)


async def test_a_task_type_of_nobody_is_explained_to_the_model(stage: Stage) -> None:
    stage.model.answer(Call("make_promise", {"task": "x", "task_type": "party"}), Say("I see."))
    manifest = stage.manifest(toolsets=(Tools(promises_toolset),))
    await stage.runner().run(manifest, "go", stage.deps())
    assert stage.promises.made == []
    (result,) = stage.model.calls[-1].asked.results
    assert result.is_error
    assert "'code', 'search' or 'analysis'" in result.text


async def test_a_promise_makes_no_promises(stage: Stage) -> None:
    result = await use(stage, "make_promise", {"task": "x", "task_type": "code"}, promise_id=3)
    assert (result.text, result.is_error, stage.promises.made) == (NESTED, True, [])


async def test_promises_are_listed_and_cancelled(stage: Stage) -> None:
    assert (await use(stage, "list_promises", {})).text == "[no promises]"
    stage.promises.views = [view_of(1, ORDER)]
    assert (await use(stage, "list_promises", {}, run_id="r2")).text == "#1 pending: Tidy up"
    assert (await use(stage, "cancel_promise", {"number": 1}, run_id="r3")).text == "#1 cancelled: Tidy up"
    missing = await use(stage, "cancel_promise", {"number": 9}, run_id="r4")
    assert (missing.text, missing.is_error) == ("There is no promise #9.", True)
    assert stage.promises.cancelled == [1]


async def test_p4_progress_is_reported_by_a_tool(stage: Stage) -> None:
    await use(stage, "report_progress", {"line": "half"}, promise_id=3)
    assert stage.lines.reported == ["half"]


def test_p7_a_line_says_when_a_waiting_promise_starts() -> None:
    due = datetime(2030, 12, 1, 8, tzinfo=UTC)
    view = view_of(2, ORDER, status="waiting", due_at=due, zone="Europe/Berlin")
    assert tell_view(view) == "#2 waiting: Tidy up (starts on 2030-12-01 09:00 (Europe/Berlin))"


def test_a_line_says_what_is_known() -> None:
    failed = view_of(2, PromiseOrder("Tidy\nup " + "x" * 200), status="failed", error_message="no disk")
    line = tell_view(failed)
    assert line.startswith("#2 failed: Tidy up xxx")
    assert line.endswith("… (no disk)")
