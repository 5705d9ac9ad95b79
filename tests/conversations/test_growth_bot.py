"""An answer that grows under a bot: sends without keys (P3), buttons (B6)."""

from __future__ import annotations

from conversations.typeset import REPEAT
from core.message import Button
from core.protocols import Call
from tests.conversations.bot import as_bot
from tests.conversations.stage import DM, OLGA, Stage, make_promise
from tests.conversations.test_buttons import press
from tests.conversations.writer import Writer, count


async def test_b3_a_bot_grows_its_message_too(stage: Stage, writer: Writer) -> None:
    stage.front.keeps_keys = False
    await stage.say(DM, OLGA, "tell me")
    await writer.shows("One")
    await writer.shows("One two")
    await writer.ends("One two three.")
    await writer.told()
    assert (stage.front.texts("1"), count(stage, "send")) == (["One two three."], 1)
    (row,) = await stage.rows("deliveries")
    assert (row.status, row.sends) == ("sent", 1)


async def test_b3_what_a_bot_may_have_sent_twice_stays_marked_when_it_grows(stage: Stage, writer: Writer) -> None:
    stage.front.keeps_keys = False
    stage.front.lose_answers("send")
    await stage.say(DM, OLGA, "tell me")
    await writer.writes("One")
    await writer.pauses()
    await stage.clock.until_asleep(lambda naps: len(naps) == 2)  # the growth's, and that before the second send
    await writer.pauses()
    await stage.front.until(lambda: len(stage.front.texts("1")) == 2)
    await writer.ends("One two.")
    await writer.told()
    assert stage.front.texts("1") == ["One", f"{REPEAT}One two."]


async def test_b6_what_grows_under_a_bot_has_a_stop_button_until_it_is_whole(stage: Stage, writer: Writer) -> None:
    chat = as_bot(stage)
    await stage.say(chat, OLGA, "tell me")
    for text in ("One", "One two"):
        await writer.shows(text, chat)
        assert stage.front.told("1")[0].buttons == (Button("Stop", "/stop 1"),)
    await writer.ends("One two three.")
    await writer.told()
    assert [(line.text, line.buttons) for line in stage.front.told("1")] == [("One two three.", ())]


async def test_b6_the_stop_button_of_what_grows_ends_it(stage: Stage, writer: Writer) -> None:
    chat = as_bot(stage)
    await stage.say(chat, OLGA, "tell me")
    await writer.shows("One", chat)
    assert await press(stage, chat, OLGA, "/stop 1") == ""
    await writer.is_over()
    await writer.told()
    told = [(line.text, line.buttons) for line in stage.front.told("1")]
    assert told == [("Stopped. Nothing had been done yet.", ())]


async def test_p5_what_has_grown_and_acknowledges_a_promise_can_cancel_it(stage: Stage, writer: Writer) -> None:
    chat = as_bot(stage)
    await stage.say(chat, OLGA, "tell me")
    await writer.shows("I will", chat)

    async def promises() -> str:
        turn = writer.turns[0]
        await make_promise(stage.database, stage.clock, turn.asker, "task", Call(turn.run_id, "1", turn.id))
        return "I will do it."

    await writer.ends(promises)
    await writer.told()
    (line,) = stage.front.told("1")
    assert (line.text, line.buttons) == ("I will do it.\n\nPromise #1.", (Button("Cancel", "/cancel 1"),))
