from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from conversations import delivery_store
from conversations.delivery import Delivery, Draft
from conversations.outbox import Outbox, next_due
from core.access import Role
from core.database import Database, sqlite_url
from core.errors import DatabaseError, FloodWait, SessionError, Undeliverable, Unreachable
from core.events import Told
from core.message import Chat
from core.protocols import Asker
from tests.conversations.stage import DM, FRONT, OLGA, Stage, locked, make_promise, next_event, opened


def notice(text: str, chat: Chat = DM, reply_to: int | None = None) -> Draft:
    return Draft(chat, "notice", text, reply_to)


async def promised(stage: Stage) -> int:
    asker = Asker(DM, None, OLGA.id, "Olga", Role.OWNER, "Team")
    return await make_promise(stage.database, stage.clock, asker, "task", None)


def count(stage: Stage, call: str) -> int:
    return [name for name, _ in stage.front.calls].count(call)


async def waiting(stage: Stage, seconds: float) -> None:
    """Until a sender sleeps on the clock this long."""
    await stage.clock.until_asleep(lambda naps: seconds in naps)


async def set_ready(stage: Stage) -> None:
    """What was held is released."""
    held = delivery_store.deliveries.c.status == "held"
    statement = delivery_store.update(delivery_store.deliveries).where(held).values(status="ready")
    await stage.database.write("release", lambda connection: connection.execute(statement))


async def test_b4_deliveries_keep_the_order_of_writing(stage: Stage) -> None:
    for number in range(5):
        await stage.owe(notice(f"{number}"))
    await stage.quiet()
    assert stage.front.texts("1") == ["0", "1", "2", "3", "4"]
    assert [row.message_id for row in await stage.rows("deliveries")] == [1, 2, 3, 4, 5]


async def test_b4_long_answers_are_parts_in_rows_of_their_own(stage: Stage) -> None:
    text = "\n\n".join(f"{number} " + "word " * 100 for number in range(20))
    ids = await stage.owe(notice(text))
    await stage.quiet()
    told = stage.front.texts("1")
    assert len(told) == len(ids) == 3
    assert all(len(part) <= 4096 for part in told)
    assert " ".join(told).split() == text.split()


async def test_b3_a_sent_row_tells_the_events(stage: Stage) -> None:
    with stage.events.watch() as watch:
        await stage.owe(notice("hello"))
        told = await next_event(watch, Told)
    assert (told.text, told.message_id, told.is_edit) == ("hello", 1, False)


async def test_b4_a_flood_wait_holds_the_later_rows_of_its_chat_only(stage: Stage) -> None:
    stage.front.refuse("send", FloodWait(30))
    await stage.owe(notice("one"))
    await waiting(stage, 30)
    await stage.owe(notice("two"))
    await stage.owe(notice("elsewhere", Chat(FRONT, "2")))
    await stage.front.until(lambda: stage.front.texts("2") == ["elsewhere"])
    assert stage.front.texts("1") == []
    stage.clock.jump(3600)  # a changed wall clock ends no wait
    await waiting(stage, 30)
    stage.clock.advance(30)
    await stage.quiet()
    assert stage.front.texts("1") == ["one", "two"]


async def test_b4_a_dead_letter_holds_nothing(stage: Stage) -> None:
    stage.front.refuse("send", Undeliverable("The person has blocked the account."))
    await stage.owe(notice("one"))
    await stage.owe(notice("two"))
    await stage.quiet()
    assert stage.front.texts("1") == ["two"]
    assert [(row.status, row.error) for row in await stage.rows("deliveries")] == [
        ("dead", "The person has blocked the account."),
        ("sent", None),
    ]


async def test_p3_a_lost_answer_is_looked_for_and_its_number_taken(stage: Stage) -> None:
    message = await stage.say(DM, OLGA, "hello")
    await stage.quiet()
    stage.front.lose_answers("send")
    await stage.owe(notice("hi", reply_to=message.id))
    await waiting(stage, 1)
    stage.front.forget_keys()
    stage.clock.advance(1)
    await stage.quiet()
    assert stage.front.texts("1") == ["re: hello", "hi"]
    assert (await stage.rows("deliveries"))[1].message_id == 3
    assert count(stage, "send") == 2


async def test_p3_two_rows_of_one_text_take_two_messages(stage: Stage) -> None:
    await stage.owe(notice("same"))
    await stage.quiet()
    stage.front.lose_answers("send")
    await stage.owe(notice("same"))
    await waiting(stage, 1)
    stage.clock.advance(1)
    await stage.quiet()
    assert stage.front.texts("1") == ["same", "same"]
    assert [row.message_id for row in await stage.rows("deliveries")] == [1, 2]


async def test_p3_no_resend_without_a_look_after_a_restart(folder: Path) -> None:
    stage = Stage(folder)
    await stage.open()
    stage.front.lose_answers("send")
    await stage.owe(notice("hello"))
    await waiting(stage, 1)
    await stage.die()
    stage.front.forget_keys()
    async with opened(stage.again()) as stage:
        stage.clock.advance(60)
        await stage.quiet()
        assert stage.front.texts("1") == ["hello"]
        assert [name for name, _ in stage.front.calls] == ["send", "sent_after"]
        assert (await stage.rows("deliveries"))[0].message_id == 1


async def test_p3_what_never_left_is_sent_after_a_restart_and_a_look(folder: Path) -> None:
    stage = Stage(folder)
    await stage.open(attached=False)
    await stage.owe(notice("hello"))
    await stage.die()
    async with opened(stage.again()) as stage:
        await stage.quiet()
        assert [name for name, _ in stage.front.calls] == ["sent_after", "send"]


async def test_p3_a_message_that_the_service_has_already_is_adopted(stage: Stage) -> None:
    now = stage.clock.now()
    (number,) = await stage.database.write("owe", lambda c: delivery_store.owe(c, notice("hello"), now))
    (owed,) = await stage.database.read(lambda connection: delivery_store.owed_in(connection, DM))
    assert owed.id == number
    await stage.front.send(owed.part)
    stage.outbox.wake()
    await stage.quiet()
    assert stage.front.texts("1") == ["hello"]
    assert (await stage.rows("deliveries"))[0].message_id == 1


async def test_p3_a_message_that_was_sent_and_deleted_is_not_sent_again(stage: Stage) -> None:
    stage.front.lose_answers("send")
    await stage.owe(notice("hello"))
    await waiting(stage, 1)
    await stage.front.delete(DM, [1])
    stage.clock.advance(1)
    await stage.quiet()
    (row,) = await stage.rows("deliveries")
    assert (stage.front.texts("1"), row.status, row.message_id) == ([], "sent", None)


async def test_p3_a_held_row_that_is_told_late_hides_no_later_one_from_the_look(stage: Stage) -> None:
    """It has a smaller id and a later message: a look that began behind it would miss what it looks for."""
    asker = Asker(DM, None, OLGA.id, "Olga", Role.OWNER, "Team")
    await make_promise(stage.database, stage.clock, asker, "task", None)
    await stage.put("deliveries", status="held")
    stage.front.lose_answers("send")
    stage.clock.advance(1)
    await stage.owe(notice("later"))
    await waiting(stage, 1)
    await set_ready(stage)
    stage.outbox.wake(DM)
    await stage.front.until(lambda: "Promise #1" in stage.front.texts("1"))
    stage.front.forget_keys()
    await waiting(stage, 1)
    stage.clock.advance(1)
    await stage.quiet()
    assert stage.front.texts("1") == ["later", "Promise #1"]
    assert [row.message_id for row in await stage.rows("deliveries")] == [2, 1]


async def test_p6_an_unreachable_service_is_asked_again_less_and_less_often(stage: Stage) -> None:
    gone = [Unreachable("No answer."), SessionError("Revoked."), *[Unreachable("No answer.")] * 6]
    stage.front.refuse("send", gone[0])
    stage.front.refuse("sent_after", *gone[1:])
    await stage.owe(notice("hello"))
    for seconds in (1, 2, 4, 8, 16, 32, 60, 60):
        await waiting(stage, seconds)
        stage.clock.advance(seconds)
    await stage.quiet()
    (row,) = await stage.rows("deliveries")
    assert (stage.front.texts("1"), row.attempts, row.not_before) == (["hello"], 0, None)


async def test_p6_a_wait_from_before_the_start_is_kept_within_reason(folder: Path) -> None:
    stage = Stage(folder)
    await stage.open(attached=False)
    await stage.owe(notice("hello"))
    await stage.put("deliveries", not_before=datetime(2099, 1, 1, tzinfo=UTC), attempts=5_000)
    stage.front.refuse("sent_after", Unreachable("No answer."))
    stage.attach(stage.front)
    for _ in range(2):  # the time of the row, and that of a look in vain
        await waiting(stage, 60)
        stage.clock.advance(60)
    await stage.quiet()
    assert stage.front.texts("1") == ["hello"]
    await stage.close()


async def test_b1_nothing_is_sent_before_the_outbox_is_open(stage: Stage) -> None:
    fresh = Outbox(stage.outbox_doors)
    fresh.attach(stage.front)
    fresh.wake(DM)
    assert fresh._senders == {}


async def test_b1_a_front_that_leaves_is_served_when_it_comes_back(stage: Stage) -> None:
    stage.front.refuse("send", FloodWait(5))
    await stage.owe(notice("hello"))
    await waiting(stage, 5)
    stage.outbox.detach(FRONT)
    stage.outbox.detach(FRONT)
    stage.clock.advance(5)
    await asyncio.wait(stage.outbox._senders.values())
    assert stage.front.texts("1") == []
    stage.outbox.attach(stage.front)
    await stage.quiet()
    assert stage.front.texts("1") == ["hello"]


async def test_b1_a_ring_as_the_sender_ends_is_heard(stage: Stage) -> None:
    loop, again = asyncio.get_running_loop(), asyncio.Event()
    await stage.owe(notice("hello"))
    await stage.front.until(lambda: ("send", "hello") in stage.front.calls)
    sender = stage.outbox._senders[DM]

    def ring_at_the_end() -> None:
        if not sender.done():
            loop.call_soon(ring_at_the_end)
            return
        stage.outbox.wake(DM)  # between its last look and its being forgotten
        loop.call_soon(lambda: stage.outbox._senders.get(DM) not in {None, sender} and again.set())

    ring_at_the_end()
    async with asyncio.timeout(5):
        await again.wait()
    await stage.quiet()
    assert stage.front.texts("1") == ["hello"]


async def test_b1_nothing_is_left_on_the_loop_when_the_outbox_ends(folder: Path) -> None:
    stage = Stage(folder)
    before = asyncio.all_tasks()
    await stage.open()
    stage.front.refuse("send", FloodWait(500))
    await stage.owe(notice("hello"))
    await waiting(stage, 500)
    await stage.close()
    stage.outbox.wake(DM)
    assert asyncio.all_tasks() == before
    assert stage.outbox._senders == stage.outbox._woken == {}


async def test_bad_input_a_database_locked_after_a_send_sends_nothing_twice(stage: Stage, folder: Path) -> None:
    release = stage.front.hold("send")
    await stage.owe(notice("hello"))
    await stage.front.until(lambda: ("send", "hello") in stage.front.calls)
    stage.front.forget_keys()
    with locked(folder):
        release.set()
        await asyncio.wait(stage.outbox._senders.values())
    await stage.front.until(lambda: count(stage, "sent_after") == 1)
    await stage.quiet()
    assert (stage.front.texts("1"), count(stage, "send")) == (["hello"], 1)
    assert [row.status for row in await stage.rows("deliveries")] == ["sent"]


async def test_bad_input_a_ledger_that_cannot_be_read_is_read_again(stage: Stage, tmp_path: Path) -> None:
    empty = Database(sqlite_url(tmp_path / "empty.db"))
    outbox = Outbox(replace(stage.outbox_doors, database=empty))
    with pytest.raises(DatabaseError):
        await outbox.open()
    await outbox._serve_all()
    async with asyncio.timeout(5):
        await outbox._rung.wait()
    await empty.close()


def test_b4_new_messages_go_before_changes_and_held_ones_hold_their_promise() -> None:
    row = Delivery(1, DM, "notice", "ready", "x", (), None, 1, 1, None, 0, None, None, None)
    edit, held = replace(row, id=2, message_id=5), replace(row, id=3, status="held", promise_id=4)
    result = replace(row, id=4, promise_id=4)
    assert next_due([]) is None
    assert next_due([held, result]) is None
    assert next_due([edit, held, result]) == edit
    assert next_due([edit, held, row]) == row


def test_p1_what_is_held_holds_back_only_what_speaks_of_its_promise_since_and_not_the_answer_that_covers_it() -> None:
    told = partial(replace, Delivery(1, DM, "notice", "ready", "x", (), None, 1, 1, None, 0, None, None, None))
    earlier, held = told(id=1, kind="result", promise_id=2), told(id=2, status="held", promise_id=2, turn_id=1)
    later, other = told(id=3, kind="progress", promise_id=2), told(id=4, kind="result", promise_id=3)
    answer = told(id=5, kind="answer", promise_id=2, turn_id=1, may_grow=True)
    assert next_due([earlier, held, later, answer]) == earlier
    assert next_due([held, later, other, answer]) == other
    assert next_due([held, later, answer]) == answer
    assert next_due([held, later, replace(answer, message_id=7)]) == replace(answer, message_id=7)
    assert next_due([held, later]) is None
    assert next_due([later, answer]) == later


async def test_b2_the_sign_of_the_end_follows_what_arrived(stage: Stage) -> None:
    stage.front.refuse("send", Undeliverable("kicked"))
    lost = await stage.say(DM, OLGA, "never to be told")
    await stage.quiet()
    told = await stage.say(DM, OLGA, "hello")
    await stage.quiet()
    await stage.signs.close()
    signs = [what for name, what in stage.front.calls if name == "react"]
    assert signs == [f"{lost.id}👀", f"{lost.id}💔", f"{told.id}👀", f"{told.id}👍"]
    assert [name for name, _ in stage.front.calls if name in {"send", "react"}][-2:] == ["send", "react"]
