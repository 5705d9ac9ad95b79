from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from conversations import question_store
from conversations.buttons import (
    OWNERS_ONLY,
    PRESSED,
    UNKNOWN,
    cancel_button,
    decide_buttons,
    retry_button,
    stop_button,
)
from conversations.commands import read_command
from conversations.delivery import Draft
from conversations.diffs import MEMBERS_ONLY
from core.errors import Undeliverable
from core.message import Chat, ChatKind, Message, Person
from core.protocols import Asker, Call
from core.schema import consents
from core.workspaces import Role
from integrations.telegram.presses import number_of
from tests.conversations.stage import DEV, DM, FRONT, GUS, MAX, OLGA, STRANGER, Stage, make_promise

QUESTION = 900  # the message that bears the button


def pressed(stage: Stage, chat: Chat, who: Person, says: str, query: str = "1") -> Message:
    kind = ChatKind.GROUP if chat.key.startswith("-") else ChatKind.DM
    now = stage.clock.now()
    number = number_of(query)
    return Message(chat, number, kind, who, now, says, reply_to=QUESTION, pressed=query, heard_at=now)


async def press(stage: Stage, chat: Chat, who: Person, says: str, query: str = "1") -> str:
    return await stage.reception.press(pressed(stage, chat, who, says, query))


async def test_p11_a_press_is_a_command_of_who_pressed_and_its_answer_speaks_of_the_question(stage: Stage) -> None:
    assert await press(stage, DEV, OLGA, "/approve 7") == ""
    await stage.quiet()
    (told,) = stage.front.told("-20")
    assert told.text == "Promise #7 goes on: what it asked for is allowed, this once."
    assert told.reply_to == QUESTION
    (turn,) = await stage.rows("turns")
    assert (turn.kind, turn.requester_name, turn.role, turn.reply_to) == ("command", "Olga", "owner", QUESTION)
    assert not [call for call in stage.front.calls if call[0] in {"react", "mark_read"}]
    assert stage.agent.asked == []


async def test_p11_a_press_told_twice_is_one_row_and_one_answer(stage: Stage) -> None:
    both = [press(stage, DEV, OLGA, "/approve 7") for _ in range(2)]
    assert await asyncio.gather(*both) == ["", ""]
    await stage.quiet()
    assert len(await stage.rows("messages")) == len(await stage.rows("turns")) == len(stage.front.told("-20")) == 1


async def test_p11_the_same_button_pressed_again_counts_once(stage: Stage) -> None:
    assert await press(stage, DEV, OLGA, "/approve 7") == ""
    assert await press(stage, DEV, OLGA, "/approve 7", "2") == PRESSED
    assert await press(stage, DEV, MAX, "/cancel 7", "3") == ""
    await stage.quiet()
    assert len(stage.front.told("-20")) == 2
    stage.clock.advance(61)
    assert await press(stage, DEV, OLGA, "/approve 7", "4") == ""
    await stage.quiet()


async def test_a9_a_press_without_the_right_is_told_to_who_pressed_alone(stage: Stage) -> None:
    for number, who in enumerate((MAX, GUS)):
        assert await press(stage, DEV, who, "/approve 7", str(number)) == OWNERS_ONLY
    await stage.quiet()
    assert stage.front.told("-20") == []
    assert [(row.answer, row.reason) for row in await stage.rows("messages")] == 2 * [
        (False, f"pressed: {OWNERS_ONLY}")
    ]


async def test_a7_a_stranger_s_press_in_a_dm_is_refused_in_silence(stage: Stage) -> None:
    assert await press(stage, Chat(FRONT, "9"), STRANGER, "/approve 7") == ""
    assert await stage.rows("messages") == []
    assert [row.reason for row in await stage.rows("audit")] == ["sender not on the whitelist"]


@pytest.mark.parametrize(
    "says", ["", "hello", "/promise delete it all", "/approve@x 7 8 9 /stop", "/lift", "🙂" * 64, "/x"]
)
async def test_p11_unknown_callback_data_does_nothing(stage: Stage, says: str) -> None:
    told = await press(stage, DEV, MAX, says)
    await stage.quiet()
    assert told in {UNKNOWN, OWNERS_ONLY}
    assert (stage.agent.asked, await stage.rows("turns")) == ([], [])


async def test_b6_a_stop_button_ends_its_turn_and_no_other(stage: Stage) -> None:
    with stage.agent.holding():
        await stage.say(DEV, MAX, "work")
        turn = await stage.agent.next_begun()
        (button,) = stop_button(turn.id)
        assert await press(stage, DEV, GUS, button.says) == "Only Max or an owner may stop that."
        assert await press(stage, DEV, OLGA, "/stop 999", "2") == "That has ended already."
        assert await press(stage, DEV, MAX, button.says, "3") == ""
        await stage.quiet()
    assert stage.front.texts("-20") == ["Stopped. Nothing had been done yet."]
    assert stage.front.told("-20")[0].reply_to == turn.reply_to
    assert await press(stage, DEV, OLGA, button.says, "4") == "That has ended already."


async def test_p11_the_question_of_a_tool_that_writes_a_file_shows_the_diff() -> None:
    for tool in ("write_file", "edit_file"):
        assert [button.says for button in decide_buttons(7, 3, tool)] == ["/approve 7?3", "/refuse 7?3", "/diff 7"]


async def test_a9_a_guest_s_press_shows_no_diff(stage: Stage) -> None:
    assert await press(stage, DEV, GUS, "/diff 7") == MEMBERS_ONLY
    await stage.quiet()
    assert (stage.front.told("-20"), await stage.rows("turns")) == ([], [])


async def test_p5_a_press_cancels_and_retries(stage: Stage) -> None:
    for number, (button,) in enumerate((cancel_button(7), retry_button(7))):
        assert await press(stage, DM, OLGA, button.says, str(number)) == ""
        await stage.quiet()
    assert stage.front.texts("1") == ["Promise #7 is cancelled.", "Promise #7 is taken up again."]


async def test_p11_a_press_survives_a_crash_between_its_row_and_its_effect(stage: Stage) -> None:
    await stage.inbox.receive(pressed(stage, DEV, OLGA, "/approve 7"))
    await stage.die()
    after = stage.again()
    await after.open()
    assert await press(after, DEV, OLGA, "/approve 7") == ""  # Telegram tells it again: it was not confirmed
    await after.turns.begin_all([FRONT])
    await after.quiet()
    assert after.front.texts("-20") == ["Promise #7 goes on: what it asked for is allowed, this once."]
    await after.close()


async def test_b7_presses_are_no_part_of_what_was_said(stage: Stage) -> None:
    await press(stage, DEV, OLGA, "/approve 7")
    await stage.say(DEV, OLGA, "hello")
    await stage.quiet()
    assert not any("/approve" in prompt for _, prompt in stage.agent.asked)
    assert [said.text for said in await stage.history.search(DEV, "approve")] == []


async def test_p12_a_press_counts_below_the_floor(stage: Stage) -> None:
    await stage.say(DEV, OLGA, "hello")
    await stage.quiet()
    await stage.put("chats", floor=10_000)
    assert await press(stage, DEV, OLGA, "/approve 7") == ""
    await stage.quiet()
    assert len(stage.front.told("-20")) == 2


async def test_p5_buttons_are_rows_of_the_bot_s_last_piece_alone(stage: Stage) -> None:
    bot, shown = Chat("bot:5", "1"), cancel_button(7)
    draft = Draft(bot, "notice", "word " * 1_500, buttons=shown)
    await stage.owe(draft)
    await stage.owe(replace(draft, chat=DM))
    rows = await stage.rows("deliveries")
    wanted: list[Any] = [None, [["Cancel", "/cancel 7"]], None, None]
    assert [row.buttons for row in rows] == wanted
    await stage.quiet()


class Asked:
    """A promise that waits for a consent, in a chat: its question stands there under a number."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    async def put(self, chat: Chat, *, parked: bool = False) -> int:
        """The number of the message that asks."""
        stage = self.stage
        asker = Asker(chat, None, MAX.id, "Max", Role.MEMBER, "Dev")
        promise = await make_promise(stage.database, stage.clock, asker, f"task {stage.clock.now()}", None)
        return await self.ask(chat, promise, parked=parked)

    async def ask(self, chat: Chat, promise: int, *, parked: bool = False) -> int:
        """One more question of the promise; the number of its message."""
        stage, now = self.stage, self.stage.clock.now()
        row: dict[str, Any] = {
            "run_id": "r",
            "key": "1:c",
            "promise_id": promise,
            "tool": "t",
            "arguments": {},
            "digest": "d",
        }
        row |= {"asked_at": now, "expires_at": now}
        insert = consents.insert().values(row).returning(consents.c.id)
        number = await stage.database.write("ask", lambda connection: connection.execute(insert).scalar_one())
        if not parked:
            await stage.owe(Draft(chat, f"question {number}", "May I?", promise_id=promise))
        stage.outbox.wake()
        await stage.quiet()
        return stage.front.told(chat.key)[-1].id


async def test_p11_a_button_counts_again_when_another_was_pressed_in_between(stage: Stage) -> None:
    says = ("/cancel 7", "/cancel 7", "/retry 7", "/cancel 7")
    told = [await press(stage, DEV, OLGA, one, str(number)) for number, one in enumerate(says)]
    assert told == ["", PRESSED, "", ""]


def reacted(stage: Stage, chat: Chat, who: Person, says: str, number: int) -> Message:
    return replace(pressed(stage, chat, who, says, f"reaction {number} {who.id} {says}"), reply_to=number)


@pytest.mark.parametrize("parked", [False, True])
@pytest.mark.parametrize("says", ["/approve", "/refuse"])
async def test_p11_a_reaction_to_an_open_question_decides_it(stage: Stage, parked: bool, says: str) -> None:
    number = await Asked(stage).put(DEV, parked=parked)
    await stage.reception.press(reacted(stage, DEV, OLGA, says, number))
    await stage.quiet()
    told = stage.front.told("-20")[-1]
    assert told.text.startswith("Promise #1 goes on" if says == "/approve" else "Promise #1 is failed")
    assert told.reply_to == number
    assert [row.text for row in await stage.rows("messages")] == [f"{says} 1?1"]


async def test_p11_a_reaction_counts_in_a_topic_that_telegram_does_not_name(stage: Stage) -> None:
    """The update may name the forum alone; its messages are numbered in one row, whatever the topic."""
    topic = DEV._replace(key=f"{DEV.key}/7")
    number = await Asked(stage).put(topic)
    await stage.reception.press(reacted(stage, DEV, OLGA, "/approve", number))
    await stage.quiet()
    assert stage.promises.decided == [("granted", 1, 1)]
    assert [row.chat_id for row in await stage.rows("messages")] == [topic.key]


@pytest.mark.parametrize("parked", [False, True])
@pytest.mark.parametrize(("says", "decided"), [("approve", "granted"), ("refuse 1", "refused")])
async def test_p11_a_word_to_a_question_means_that_one_whatever_was_asked_since(
    stage: Stage, parked: bool, says: str, decided: str
) -> None:
    asked = Asked(stage)
    number = await asked.put(DEV, parked=parked)
    await stage.put("consents", decision="void")
    await asked.ask(DEV, 1)
    await stage.say(DEV, OLGA, says, reply_to=number)
    await stage.quiet()
    assert stage.promises.decided == [(decided, 1, 1)]
    [turn] = await stage.rows("turns")
    assert stage.promises.calls == [Call(turn.run_id, "command", turn_id=turn.id)]


async def test_p11_a_word_that_names_another_promise_answers_no_question_of_this_one(stage: Stage) -> None:
    number = await Asked(stage).put(DEV)
    for says, replied in (("approve 7", number), ("approve 1", None), ("approve", number - 1)):
        await stage.say(DEV, OLGA, says, reply_to=replied)
        await stage.quiet()
    assert stage.promises.decided == [("granted", 7, None), ("granted", 1, None), ("granted", 1, None)]


async def test_p11_a_reaction_to_anything_else_is_nothing(stage: Stage) -> None:
    number = await Asked(stage).put(DEV)
    await stage.reception.press(reacted(stage, DEV, OLGA, "/approve", number - 1))  # the acknowledgement
    await stage.put("consents", decision="granted")
    await stage.reception.press(reacted(stage, DEV, OLGA, "/approve", number))
    await stage.quiet()
    assert (await stage.rows("messages"), await stage.rows("turns")) == ([], [])


@pytest.mark.parametrize("parked", [False, True])
async def test_p11_a_question_is_open_until_it_is_decided(stage: Stage, parked: bool) -> None:
    number = await Asked(stage).put(DEV, parked=parked)
    (question,) = await stage.database.read(lambda connection: question_store.open_on(connection, FRONT))
    assert (question.chat, question.message_id, question.promise_id, question.number) == (DEV, number, 1, 1)
    assert await stage.database.read(lambda connection: question_store.open_on(connection, "bot:1")) == []
    await stage.put("consents", decision="refused")
    assert await stage.inbox.open_questions(FRONT) == {}


async def test_a9_a_reaction_without_the_right_is_stored_and_says_nothing(stage: Stage) -> None:
    number = await Asked(stage).put(DEV)
    for who in (MAX, GUS):
        await stage.reception.press(reacted(stage, DEV, who, "/approve", number))
    await stage.quiet()
    assert await stage.rows("turns") == []
    assert {row.reason for row in await stage.rows("messages")} == {f"pressed: {OWNERS_ONLY}"}


async def test_p11_reactions_are_read_again_after_a_reconnect(stage: Stage) -> None:
    number = await Asked(stage).put(DEV)
    stage.front.decided = [reacted(stage, DEV, OLGA, "/approve", number)]
    for _ in range(2):
        await stage.reception.catch_up(FRONT)
        await stage.quiet()
    assert [text for text in stage.front.texts("-20") if "goes on" in text] == [
        "Promise #1 goes on: what it asked for is allowed, this once."
    ]
    stage.front.refuse("decisions", Undeliverable("The chat is closed."))
    await stage.reception.catch_up(FRONT)


async def test_p11_a_button_names_its_question(stage: Stage) -> None:
    approve, refuse = decide_buttons(7, 3, "send_mail")
    for button, name in ((approve, "approve"), (refuse, "refuse")):
        command = read_command(button.says)
        assert command is not None
        assert (command.name, command.number, command.question) == (name, 7, 3)
        assert len(button.says.encode()) <= 64
