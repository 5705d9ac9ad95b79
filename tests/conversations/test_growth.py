"""An answer that grows while the model writes it (B3)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from sqlalchemy import update

from conversations.answer_store import ASKS
from conversations.delivery import Draft
from core.errors import FloodWait, ModelRefused, Undeliverable
from core.message import Chat
from core.protocols import Call
from core.schema import deliveries
from tests.conversations.stage import DM, OLGA, TEAM, Stage, locked, make_promise
from tests.conversations.writer import Writer, count, gives_up
from tests.waiting import until

GIVEN_UP = update(deliveries).where(deliveries.c.kind == "answer").values(status="ambiguous", sends=2)
LONG = "\n\n".join(f"Part {number}. " + "word " * 100 for number in range(20))


async def test_b3_an_answer_is_one_message_that_grows(stage: Stage, writer: Writer) -> None:
    asked = await stage.say(DM, OLGA, "tell me")
    await writer.shows("One")
    await writer.shows("One two")
    await writer.shows("One two *thr")
    await writer.ends("One two *three*.")
    await writer.told()
    (line,) = stage.front.told("1")
    assert (line.text, line.reply_to) == ("One two three.", asked.id)
    assert (count(stage, "send"), count(stage, "edit")) == (1, 3)
    (row,) = await stage.rows("deliveries")
    assert (row.status, row.text, row.version, row.former) == ("sent", "One two three.", 4, None)
    assert stage.front.line(DM, asked.id).reaction == "👍"


async def test_b3_an_answer_that_is_done_within_the_second_costs_nothing_more(stage: Stage, writer: Writer) -> None:
    written: list[str] = []
    stage.database.edge = written.append
    await stage.say(DM, OLGA, "tell me")
    await writer.writes("One")
    await stage.clock.until_asleep()
    stage.clock.advance(0.9)
    await writer.ends("One two.")
    await writer.told()
    assert (stage.front.texts("1"), count(stage, "edit")) == (["One two."], 0)
    assert {"turn.grow:before-commit", "turn.seal:before-commit"}.isdisjoint(written)


@pytest.mark.parametrize(("chat", "ask", "pace"), [(DM, "tell me", 1), (TEAM, "@valor_ai tell me", 3)])
async def test_b3_changes_keep_their_pace_the_last_one_too(
    stage: Stage, writer: Writer, chat: Chat, ask: str, pace: float
) -> None:
    begun = stage.clock.boot()
    await stage.say(chat, OLGA, ask)
    for text in ("One", "One two", "One two three"):
        await writer.shows(text, chat)
    await writer.ends("One two three four.")
    await writer.told()
    assert stage.front.texts(chat.key) == ["One two three four."]
    gaps = [after - before for before, after in pairwise(writer.changed)]
    assert len(gaps) == 3
    assert min(gaps) >= pace
    assert writer.changed[0] - begun >= 1


async def test_b3_newer_answers_put_off_no_change_of_an_older_one(stage: Stage, writer: Writer) -> None:
    await stage.say(DM, OLGA, "one")
    await writer.shows("First")
    await writer.ends("First, all of it")
    stage.clock.advance(0.75)
    await stage.say(DM, OLGA, "two")
    await writer.ends("Second")
    await stage.front.until(lambda: stage.front.texts("1")[-1] == "Second")
    await writer.told()
    begun, newer, changed = writer.changed
    assert stage.front.texts("1") == ["First, all of it", "Second"]
    assert (newer - begun, changed - begun) == (0.75, 1)


async def test_b5_what_has_shown_something_is_joined_by_nothing(stage: Stage, writer: Writer) -> None:
    await stage.say(DM, OLGA, "one")
    await writer.shows("Begun")
    await stage.say(DM, OLGA, "two")
    await writer.ends("First")
    await writer.ends("Second")
    await writer.told()
    assert stage.front.texts("1") == ["First", "Second"]


async def test_b5_what_has_joined_before_anything_was_shown_is_in_the_answer(stage: Stage, writer: Writer) -> None:
    await stage.say(DM, OLGA, "one")
    await writer.writes("Begun")
    await stage.inbox.receive(stage.front.say("1", OLGA, "two"))  # and nobody tells the run
    await writer.pauses()
    await gives_up()
    assert stage.front.texts("1") == []
    await writer.ends("First")
    await writer.ends("Both")
    await writer.told()
    assert stage.front.texts("1") == ["Both"]
    assert [turn.prompt for turn in writer.turns] == ["one", "one\ntwo"]


async def test_b3_the_next_process_goes_on_with_the_same_message(stage: Stage, writer: Writer) -> None:
    await stage.say(DM, OLGA, "tell me")
    await writer.shows("One two")
    await stage.die()
    following = stage.again()
    again = Writer(following)
    await following.open()
    await following.turns.begin_all([DM.front])
    await again.writes("One")  # it does not shrink meanwhile
    for _ in range(2):
        await again.pauses()
    assert following.front.texts("1") == ["One two"]
    await again.ends("One two three.")
    await again.told()
    assert following.front.texts("1") == ["One two three."]
    assert count(following, "send") == 1
    await following.close()


async def test_b3_a_send_whose_answer_was_lost_is_the_message_that_grows(stage: Stage, writer: Writer) -> None:
    stage.front.lose_answers("send")
    await stage.say(DM, OLGA, "tell me")
    await writer.writes("One")
    await writer.pauses()
    await stage.front.until(lambda: stage.front.texts("1") == ["One"])
    stage.front.forget_keys()
    await writer.ends("One two.")
    await writer.told()
    assert (stage.front.texts("1"), count(stage, "send")) == (["One two."], 1)


async def test_b6_a_stop_leaves_no_half_answer(stage: Stage, writer: Writer) -> None:
    await stage.say(DM, OLGA, "tell me")
    await writer.shows("One")
    await stage.say(DM, OLGA, "stop")
    await writer.is_over()
    await writer.told()
    assert stage.front.texts("1") == ["Stopped. Nothing had been done yet."]


async def test_b3_a_failure_leaves_no_half_answer(stage: Stage, writer: Writer) -> None:
    await stage.say(DM, OLGA, "tell me")
    await writer.shows("One")

    async def fails() -> str:
        raise ModelRefused("The model refused.")

    await writer.ends(fails)
    await writer.told()
    (told,) = stage.front.texts("1")
    assert told.startswith("The model refused. (E-")


async def test_b3_a_turn_that_ends_in_a_question_says_so(stage: Stage, writer: Writer) -> None:
    await stage.say(DM, OLGA, "tell me")
    await writer.shows("Let me")

    async def asks() -> str:
        turn = writer.turns[0]
        await make_promise(stage.database, stage.clock, turn.asker, "task", Call(turn.run_id, "1", turn.id))
        return ""

    await writer.ends(asks)
    await writer.told()
    assert stage.front.texts("1") == [ASKS, "Promise #1"]


async def test_p1_an_answer_that_nobody_has_seen_yet_acknowledges_before_anything_is_told_of_its_promises(
    stage: Stage, writer: Writer
) -> None:
    """The answer began to grow when the promises were at work already, and was not let into the chat at once."""
    await stage.say(DM, OLGA, "tell me")
    turn = await until(lambda: next(iter(writer.turns), None))
    for call in "ab":
        number = await make_promise(stage.database, stage.clock, turn.asker, call, Call(turn.run_id, call, turn.id))
        await stage.owe(Draft(DM, "progress", f"At #{number}", promise_id=number))
    stage.front.refuse("send", FloodWait(3.0))
    await writer.writes("I will")
    await writer.pauses()
    await stage.front.until(lambda: count(stage, "send") == 1)
    await writer.ends("I will do it.")
    await writer.told()
    assert stage.front.texts("1") == ["I will do it.\n\nPromise #1 and #2.", "At #1", "At #2"]
    assert [row.status for row in await stage.rows("deliveries", kind="ack")] == ["dropped"] * 2


async def test_p1_what_an_answer_covers_waits_no_longer_than_for_that(stage: Stage, writer: Writer) -> None:
    """A server that dies when the last send of an answer may have arrived or not, and is never repeated."""
    await stage.say(DM, OLGA, "tell me")
    await writer.shows("I will")
    turn = writer.turns[0]

    async def promise() -> str:
        number = await make_promise(stage.database, stage.clock, turn.asker, "a", Call(turn.run_id, "a", turn.id))
        await stage.owe(Draft(DM, "progress", "At it", promise_id=number))
        return "I will do it."

    stage.front.refuse("edit", FloodWait(3.0))
    await writer.ends(promise)
    await writer.pauses()
    await stage.front.until(lambda: count(stage, "edit") == 1)
    assert [row.status for row in await stage.rows("deliveries", kind="ack")] == ["held"]
    await stage.database.write("lost", lambda connection: connection.execute(GIVEN_UP))
    await stage.outbox.open()
    await stage.front.until(lambda: stage.front.texts("1")[-1:] == ["At it"])
    assert [row.status for row in await stage.rows("deliveries", kind="ack")] == ["dropped"]


async def test_p1_what_has_grown_acknowledges_before_a_result_arrives(stage: Stage, writer: Writer) -> None:
    await stage.say(DM, OLGA, "tell me")
    await writer.shows("I will")

    async def promises() -> str:
        turn = writer.turns[0]
        for call, task in enumerate(("a", "b")):
            number = await make_promise(
                stage.database, stage.clock, turn.asker, task, Call(turn.run_id, f"{call}", turn.id)
            )
            await stage.owe(Draft(DM, "result", f"Done #{number}", promise_id=number))
        return "I will do it."

    seen: list[list[str]] = []

    def look(point: str) -> None:
        seen.append(stage.front.texts("1"))

    stage.front._edge = look
    await writer.ends(promises)
    await writer.told()
    assert seen[-1] == ["I will do it.\n\nPromise #1 and #2.", "Done #1", "Done #2"]
    assert all(len(texts) == 1 or texts[0] == seen[-1][0] for texts in seen)
    answer = (await stage.rows("deliveries", kind="answer"))[0]
    assert [row.status for row in await stage.rows("deliveries", kind="ack")] == ["dropped"] * 2
    assert answer.promise_id == 1


async def test_b4_what_outgrows_a_message_has_its_other_parts_at_the_end(stage: Stage, writer: Writer) -> None:
    await stage.say(DM, OLGA, "tell me")
    await writer.writes(LONG[:9_000])
    await writer.pauses()
    await stage.front.until(lambda: len(stage.front.texts("1")) == 1)
    await writer.has(stage.front.texts("1")[0], "open")
    await writer.writes(LONG[:9_900])
    for _ in range(2):
        await writer.pauses()
    await writer.ends(LONG)
    await writer.told()
    told = stage.front.texts("1")
    assert (len(told), " ".join(told).split()) == (3, LONG.split())
    assert count(stage, "edit") == 1  # a full message is not changed by what follows it


async def test_b4_what_has_grown_is_the_beginning_of_an_answer_with_a_file(stage: Stage, writer: Writer) -> None:
    await stage.say(DM, OLGA, "tell me")
    await writer.shows("Part 0")
    await writer.ends(LONG * 4)
    await writer.told()
    told = stage.front.told("1")
    assert [line.file for line in told] == [None, "answer.md"]
    assert "the full text is in the file" in told[0].text


async def test_b3_a_flood_wait_postpones_the_next_part_and_is_waited_out_once_by_the_end(
    stage: Stage, writer: Writer
) -> None:
    await stage.say(DM, OLGA, "tell me")
    await writer.shows("One")
    stage.front.refuse("edit", FloodWait(30))
    await writer.writes("One two")
    await writer.pauses()
    refused = stage.clock.boot()
    await stage.clock.until_asleep(lambda naps: 30 in naps)
    await writer.writes("One two three")
    while stage.clock.boot() < refused + 20:
        await stage.clock.until_asleep(lambda naps: len(naps) == 2)  # the sender's, and the growth's
        await writer.pauses()
    assert (count(stage, "edit"), stage.outbox.pace.gap(DM)) == (1, 2)
    await writer.ends("One two three four.")
    await writer.has("One two three four.", "ready")
    await writer.told()
    assert (stage.front.texts("1"), count(stage, "edit")) == (["One two three four."], 2)
    assert writer.changed[-1] - refused == 30


@pytest.mark.parametrize("call", ["send", "edit"])
async def test_b3_what_cannot_be_told_in_the_one_message_is_told_in_another(
    stage: Stage, writer: Writer, call: str
) -> None:
    """Somebody deleted it, for example."""
    asked = await stage.say(DM, OLGA, "tell me")
    if call == "edit":
        await writer.shows("One")
    stage.front.refuse(call, Undeliverable("The message is gone."))
    await writer.writes("One two")
    await writer.pauses()
    await writer.has("One two", "dead")
    await writer.ends("One two three.")
    await writer.told()
    assert stage.front.texts("1")[-1] == "One two three."
    assert [(row.part, row.status) for row in await stage.rows("deliveries")] == [(0, "dropped"), (1, "sent")]
    assert stage.front.line(DM, asked.id).reaction == "👍"


async def test_b3_an_end_that_cannot_be_written_to_its_message_is_another_one(stage: Stage, writer: Writer) -> None:
    await stage.say(DM, OLGA, "tell me")
    await writer.shows("One")
    stage.front.refuse("edit", Undeliverable("The message is gone."))
    await writer.ends("One two.")
    await writer.told()
    assert stage.front.texts("1") == ["One", "One two."]
    assert [(row.status, row.message_id) for row in await stage.rows("deliveries")] == [("sent", 3)]


async def test_b3_a_database_out_of_order_costs_only_the_growing(stage: Stage, writer: Writer) -> None:
    await stage.say(DM, OLGA, "tell me")
    await writer.writes("One")
    with locked(stage.folder):
        await writer.pauses()
        await gives_up()
    await writer.ends("One two.")
    await writer.told()
    assert stage.front.texts("1") == ["One two."]
