"""Sends that have no key (the Bot API): what may have happened is repeated once, says so, and never more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from conversations.delivery import Draft
from conversations.delivery_store import reword
from conversations.typeset import REPEAT, repeated, typeset
from core.errors import FloodWait, SessionError, Undeliverable, Unreachable, Unsent
from core.message import Chat, Entity, Piece
from tests.conversations.stage import DEV, DM, OLGA, Stage, locked, opened
from tests.conversations.test_outbox import count, notice, promised, waiting

LOST = Unreachable("No answer.")


@pytest.fixture
async def stage(folder: Path) -> AsyncIterator[Stage]:
    stage = Stage(folder)
    stage.front.keeps_keys = False
    async with opened(stage):
        yield stage


async def only(stage: Stage) -> Any:
    (row,) = await stage.rows("deliveries")
    return row


async def test_p3_a_send_is_on_disk_before_it_is_begun(stage: Stage) -> None:
    release = stage.front.hold("send")
    await stage.owe(notice("hello"))
    await stage.front.until(lambda: ("send", "hello") in stage.front.calls)
    row = await only(stage)
    assert (row.status, row.sends, row.message_id) == ("ambiguous", 1, None)
    release.set()
    await stage.quiet()
    row = await only(stage)
    assert (row.status, row.sends, row.message_id, row.text) == ("sent", 1, 1, "hello")
    assert count(stage, "sent_after") == 0


async def test_p3_a_send_whose_answer_was_lost_is_repeated_once_and_says_so(stage: Stage) -> None:
    stage.front.lose_answers("send")
    await stage.owe(notice("**hello**"))
    await waiting(stage, 1)
    assert (await only(stage)).status == "ambiguous"
    stage.clock.advance(1)
    await stage.quiet()
    assert stage.front.texts("1") == ["hello", f"{REPEAT}hello"]
    row = await only(stage)
    assert (row.status, row.sends, row.message_id, row.text) == ("sent", 2, 2, f"{REPEAT}hello")
    assert row.entities == [{"type": "bold", "offset": len(REPEAT), "length": 5}]


async def test_p3_nobody_hears_it_a_third_time(stage: Stage) -> None:
    asked = await stage.say(DM, OLGA, "hello")
    stage.front.lose_answers("send", 2)
    await waiting(stage, 1)
    stage.clock.advance(1)
    await stage.quiet()
    row = await only(stage)
    assert (row.status, row.sends, row.error) == ("ambiguous", 2, "The answer was lost.")
    await stage.owe(notice("more"))
    await stage.quiet()
    assert stage.front.texts("1") == ["re: hello", f"{REPEAT}re: hello", "more"]
    await stage.signs.close()
    assert stage.front.line(DM, asked.id).reaction == "💔"


@pytest.mark.parametrize("times", [1, 2])
async def test_p3_a_process_that_dies_in_a_send_leaves_it_to_the_next_one(folder: Path, times: int) -> None:
    stage = Stage(folder)
    stage.front.keeps_keys = False
    release = stage.front.hold("send")
    await stage.open()
    await stage.owe(notice("hello"))
    for death in range(times):
        await stage.front.until(lambda now=stage, death=death: count(now, "send") == death + 1)
        await stage.die()
        stage = stage.again()
        await stage.open()
    if times == 1:
        await stage.front.until(lambda: count(stage, "send") == 2)
        release.set()
    await stage.quiet()
    row = await only(stage)
    assert (row.status, row.sends) == ("sent" if times == 1 else "ambiguous", 2)
    assert count(stage, "send") == 2
    await stage.close()


@pytest.mark.parametrize(
    ("error", "seconds"), [(FloodWait(7), 7), (Unsent("No connection."), 1), (SessionError("No token."), 1)]
)
async def test_p3_a_send_that_is_known_to_have_failed_is_no_repeat(
    stage: Stage, error: Exception, seconds: float
) -> None:
    stage.front.refuse("send", error)
    await stage.owe(notice("hello"))
    await waiting(stage, seconds)
    row = await only(stage)
    assert (row.status, row.sends) == ("ready", 0)
    stage.clock.advance(seconds)
    await stage.quiet()
    assert stage.front.texts("1") == ["hello"]


async def test_p3_a_repeat_that_has_failed_may_be_tried_again(stage: Stage) -> None:
    stage.front.refuse("send", LOST, FloodWait(3))
    await stage.owe(notice("hello"))
    await waiting(stage, 1)
    stage.clock.advance(1)
    await waiting(stage, 3)
    row = await only(stage)
    assert (row.status, row.sends) == ("ambiguous", 1)
    stage.clock.advance(3)
    await stage.quiet()
    assert stage.front.texts("1") == [f"{REPEAT}hello"]


async def test_b4_a_refused_send_is_a_dead_letter(stage: Stage) -> None:
    stage.front.refuse("send", Undeliverable("The message is longer than Telegram takes."))
    await stage.owe(notice("hello"))
    await stage.quiet()
    assert (await only(stage)).status == "dead"


async def test_p4_a_line_that_changes_while_it_is_sent_is_edited_next(stage: Stage) -> None:
    number = await promised(stage)
    await stage.quiet()
    release = stage.front.hold("send")
    await stage.owe(Draft(DM, "progress", "begun", promise_id=number))
    await stage.front.until(lambda: ("send", "begun") in stage.front.calls)
    now = stage.clock.now()
    await stage.database.write("reword", lambda c: reword(c, number, "progress", "half", now))
    assert [row.status for row in await stage.rows("deliveries", kind="progress")] == ["ambiguous"]
    release.set()
    await stage.quiet()
    assert stage.front.texts("1")[-1] == "half"
    assert [row.status for row in await stage.rows("deliveries", kind="progress")] == ["sent"]
    assert count(stage, "edit") == 1


async def test_b3_an_edit_whose_answer_was_lost_is_simply_repeated(stage: Stage) -> None:
    number = await promised(stage)
    await stage.owe(Draft(DM, "progress", "begun", promise_id=number))
    await stage.quiet()
    stage.front.lose_answers("edit")
    now = stage.clock.now()
    await stage.database.write("reword", lambda c: reword(c, number, "progress", "half", now))
    stage.outbox.wake()
    await waiting(stage, 1)
    stage.clock.advance(1)
    await stage.quiet()
    assert stage.front.texts("1")[-1] == "half"
    assert [row.sends for row in await stage.rows("deliveries")] == [1, 1]


async def test_bad_input_a_database_locked_after_a_send_repeats_nothing(stage: Stage, folder: Path) -> None:
    release = stage.front.hold("send")
    await stage.owe(notice("hello"))
    await stage.front.until(lambda: ("send", "hello") in stage.front.calls)
    with locked(folder):
        release.set()
        await asyncio.wait(stage.outbox._senders.values())
    await stage.quiet()
    assert (await only(stage)).status == "sent"
    assert (stage.front.texts("1"), count(stage, "send")) == (["hello"], 1)


def test_b4_the_mark_of_a_repeat_has_room_and_is_set_once() -> None:
    pieces = typeset("bot:7", "word " * 2_000)
    assert all(len(repeated(piece).text) <= 4096 for piece in pieces)
    piece = Piece("code", (Entity("code", 0, 4),))
    again = repeated(piece)
    assert again == Piece(f"{REPEAT}code", (Entity("code", len(REPEAT), 4),))
    assert repeated(again) == again
    assert len(typeset("account:7", "x" * 4096)) == 1
    assert Draft(Chat("bot:7", "1"), "answer", "x" * 4096).pieces[0].text != "x" * 4096


async def test_b8_what_a_group_refuses_because_it_moved_is_no_repeat_in_the_supergroup(stage: Stage) -> None:
    await stage.say(DEV, OLGA, "before")
    await stage.quiet()
    stage.front.move(DEV.key, "-1005", OLGA)
    await stage.owe(notice("hello", DEV))
    await stage.quiet()
    assert stage.front.texts("-1005") == ["hello"]
    (row,) = await stage.rows("deliveries", chat_id="-1005")
    assert (row.status, row.sends) == ("sent", 1)
