"""A promise in the chat: its acknowledgement, the one line of its progress, its result."""

from __future__ import annotations

from pathlib import Path

import pytest

from conversations import delivery_store
from conversations.delivery import Draft
from core.access import Role
from core.errors import FloodWait
from core.events import Told
from core.protocols import Asker
from tests.conversations.stage import DM, OLGA, Stage, make_promise, next_event, opened
from tests.conversations.test_outbox import notice, promised, set_ready, waiting


async def reword(stage: Stage, promise_id: int, text: str) -> bool:
    now = stage.clock.now()
    return await stage.database.write(
        "reword", lambda connection: delivery_store.reword(connection, promise_id, "progress", text, now)
    )


async def test_p4_progress_is_one_line_that_is_edited(stage: Stage) -> None:
    number = await promised(stage)
    assert not await reword(stage, number, "nothing to change yet")
    await stage.owe(Draft(DM, "progress", "10 %", promise_id=number))
    await stage.quiet()
    with stage.events.watch() as watch:
        for text in ("20 %", "30 %"):
            assert await reword(stage, number, text)
        stage.outbox.wake(DM)
        assert (await next_event(watch, Told)).is_edit
    await stage.quiet()
    assert stage.front.texts("1") == ["Promise #1", "30 %"]
    assert await reword(stage, number, " ")
    await stage.quiet()
    assert stage.front.texts("1") == ["Promise #1", "30 %"]


@pytest.mark.parametrize("call", ["send", "edit"])
async def test_p4_a_line_that_changes_while_it_is_shown_is_shown_again(stage: Stage, call: str) -> None:
    number = await promised(stage)
    if call == "edit":
        await stage.owe(Draft(DM, "progress", "start", promise_id=number))
    await stage.quiet()
    release = stage.front.hold(call)
    if call == "edit":
        await reword(stage, number, "10 %")
        stage.outbox.wake()
    else:
        await stage.owe(Draft(DM, "progress", "10 %", promise_id=number))
    await stage.front.until(lambda: (call, "10 %") in stage.front.calls)
    await reword(stage, number, "20 %")
    release.set()
    await stage.quiet()
    assert stage.front.texts("1")[1:] == ["20 %"]
    assert [row.status for row in await stage.rows("deliveries")] == ["sent", "sent"]


async def test_p4_a_line_that_changed_after_a_lost_answer_is_found_by_its_former_text(folder: Path) -> None:
    stage = Stage(folder)
    await stage.open()
    number = await promised(stage)
    await stage.quiet()
    stage.front.lose_answers("send")
    await stage.owe(Draft(DM, "progress", "10 %", promise_id=number))
    await waiting(stage, 1)
    for text in ("20 %", "30 %"):
        await reword(stage, number, text)
    await stage.die()
    stage.front.forget_keys()
    async with opened(stage.again()) as stage:
        stage.clock.advance(60)
        await stage.quiet()
        assert stage.front.texts("1") == ["Promise #1", "30 %"]
        row = (await stage.rows("deliveries"))[1]
        assert (row.status, row.former) == ("sent", None)


async def test_p1_a_result_never_comes_before_its_held_acknowledgement(stage: Stage) -> None:
    asker = Asker(DM, None, OLGA.id, "Olga", Role.OWNER, "Team")
    await stage.quiet()  # the look of the start would take the acknowledgement before it is held
    number = await make_promise(stage.database, stage.clock, asker, "task", None)
    await stage.put("deliveries", status="held")
    await stage.owe(Draft(DM, "result", "done", promise_id=number))
    await stage.owe(notice("something else"))
    await stage.quiet()
    assert stage.front.texts("1") == ["something else"]
    await set_ready(stage)
    stage.outbox.wake()
    await stage.quiet()
    assert stage.front.texts("1") == ["something else", "Promise #1", "done"]


async def test_b4_an_edit_that_waits_for_a_flood_holds_no_new_message(stage: Stage) -> None:
    number = await promised(stage)
    await stage.owe(Draft(DM, "progress", "10 %", promise_id=number))
    await stage.quiet()
    stage.front.refuse("edit", FloodWait(300))
    await reword(stage, number, "20 %")
    stage.outbox.wake()
    await waiting(stage, 300)
    await stage.owe(notice("an answer"))
    await stage.front.until(lambda: stage.front.texts("1")[-1] == "an answer")
    await waiting(stage, 300)
    stage.clock.advance(300)
    await stage.quiet()
    assert stage.front.texts("1") == ["Promise #1", "20 %", "an answer"]
