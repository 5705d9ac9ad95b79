"""Each model call is a row of `llm_calls` (§7)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from dirty_equals import IsFloat, IsInt, IsPositive
from pydantic_ai.messages import ModelResponse, TextPart

from core.schema import llm_calls
from runtime import store
from runtime.accounts import IS_OURS, note_response, price
from tests.runtime.stage import Stage
from tests.world.anthropic import Fail, Hang, Say


async def test_s7_a_call_is_a_row_with_everything(stage: Stage) -> None:
    stage.model.answer(Say("Hello there"))
    await stage.runner().run(stage.manifest(), "Say hello", stage.deps(promise_id=3))
    (row,) = await stage.rows(llm_calls)
    (seen,) = stage.model.calls
    assert row["started_at"] <= stage.clock.now()
    del row["started_at"]
    assert row == {
        "number": 1,
        "chat": "page",
        "run": "run_1",
        "promise": 3,
        "requester": "1",
        "kind": "promise",
        "model": "claude-sonnet-5-5",
        "system_chars": len(seen.asked.system) - 1,
        "prompt_chars": len("Say hello"),
        "tokens_in": seen.size // 4,
        "tokens_out": IsInt & IsPositive,
        "tokens_cached": 0,
        "wait": IsFloat(gt=0, lt=5),
        "duration": IsFloat(gt=0, lt=5),
        "calls_last_60s": 1,
        "outcome": "ok",
        "error_type": None,
        "request_id": seen.id,
        "cost": IsFloat(gt=0, lt=0.1),
    }


async def test_each_attempt_is_a_row(stage: Stage) -> None:
    stage.model.answer(Fail(529), Say("Hello"))
    await stage.runner().run(stage.manifest(), "go", stage.deps())
    failed, done = await stage.rows(llm_calls)
    assert (failed["outcome"], failed["error_type"], failed["wait"]) == ("error", "overloaded_error", None)
    assert failed["request_id"] == stage.model.calls[0].id
    assert (done["outcome"], done["kind"], done["calls_last_60s"]) == ("ok", "turn", 2)


async def test_p9_who_slept_past_the_lease_pays_nothing_until_the_work_is_known_to_be_its_own(stage: Stage) -> None:
    stage.model.answer(Say("Hello"))
    kept = iter((False, True))
    former = IS_OURS.set(lambda: next(kept))
    await stage.runner().run(stage.manifest(), "go", stage.deps())
    IS_OURS.reset(former)
    assert [row["outcome"] for row in await stage.rows(llm_calls)] == ["error", "ok"]
    assert len(stage.model.calls) == 1


async def test_a_call_under_way_has_its_row_already(stage: Stage) -> None:
    stage.model.script(lambda asked: Hang())
    running = asyncio.create_task(stage.runner().run(stage.manifest(), "go", stage.deps()))
    await stage.model.until(lambda: bool(stage.model.calls))
    (row,) = await stage.rows(llm_calls)
    assert (row["outcome"], row["duration"]) == ("open", None)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_calls_are_counted_by_outcome_and_minute(stage: Stage) -> None:
    stage.model.answer(Say("a"), Fail(401))
    await stage.runner().run(stage.manifest(), "go", stage.deps())
    with pytest.raises(Exception, match="key"):
        await stage.runner().run(stage.manifest(), "go", stage.deps(run_id="run_2"))
    now = stage.clock.now()
    earlier = now - timedelta(hours=1)
    counted = await stage.database.read(lambda connection: store.count_calls(connection, earlier))
    assert counted == {"ok": 1, "error": 1, "all": 2}
    later = now + timedelta(hours=1)
    assert await stage.database.read(lambda connection: store.count_calls(connection, later)) == {"all": 0}


def test_an_unknown_model_has_no_price() -> None:
    assert price(ModelResponse(parts=[TextPart("a")], model_name="nobody-knows", provider_name="nobody")) is None


async def test_a_response_outside_a_call_is_nobodys(stage: Stage) -> None:
    import httpx2

    stage.model.answer(Say("a"))
    await stage.runner().run(stage.manifest(), "go", stage.deps())
    await note_response(httpx2.Response(200, headers={"request-id": "x"}))
    (call,) = await stage.rows(llm_calls)
    assert call["request_id"] == stage.model.calls[0].id
