"""Groups that become supergroups: nothing is lost or told twice, and the owner is told the line to change."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, select

from conversations import delivery_store as rows
from conversations.buttons import cancel_button
from conversations.delivery import Draft, Shown
from conversations.turn import Turn
from core.errors import Unreachable
from core.message import Chat, Message, Piece
from core.protocols import Call
from core.schema import deliveries
from tests.conversations.bot import as_bot, become_bot
from tests.conversations.stage import CONFIG, DEV, DM, FRONT, GUS, MAX, OLGA, Stage, make_promise, opened
from tests.conversations.test_buttons import Asked

THERE = Chat(FRONT, "-1005")
LINE = (
    "A group has become a supergroup, and I go on there. Please change config/workspace_config.json: "
    'in workspaces.Dev.telegram_chat_ids write "-1005" instead of "-20".'
)


@pytest.fixture
def stage(stage: Stage) -> Stage:
    stage.config = replace(CONFIG, places={"-20": "workspaces.Dev.telegram_chat_ids"})
    return stage


def moved(stage: Stage) -> list[Message]:
    return stage.front.move(DEV.key, THERE.key, OLGA)


async def caught_up(stage: Stage) -> None:
    await stage.reception.catch_up(FRONT)
    await stage.quiet()


@pytest.mark.parametrize("side", [0, 1])
async def test_b8_a_group_that_became_a_supergroup_is_answered_there(stage: Stage, side: int) -> None:
    await stage.say(DEV, MAX, "before")
    await stage.quiet()
    await stage.reception.receive(moved(stage)[side])
    await caught_up(stage)
    await stage.say(THERE, MAX, "after")
    await stage.quiet()
    assert (stage.front.texts(DEV.key), stage.front.texts(THERE.key)) == (["re: before"], ["re: after"])
    assert [row.former_id for row in await stage.rows("chat_moves")] == ["-20"]
    assert [(row.since, row.floor) for row in await stage.rows("chats", chat_id="-1005")] == [
        (row.since, row.floor) for row in await stage.rows("chats", chat_id="-20")
    ]
    assert await stage.rows("audit") == []


async def test_b8_a_move_while_away_is_found_and_both_sides_are_read(stage: Stage) -> None:
    stage.front.say(DEV.key, MAX, "last words")
    moved(stage)
    stage.front.say(THERE.key, MAX, "first words")
    await caught_up(stage)
    assert stage.front.texts(THERE.key) == ["re: last words\nfirst words"]
    assert stage.front.texts(DEV.key) == []
    await caught_up(stage)
    assert len(stage.front.texts(THERE.key)) == 1


@pytest.mark.parametrize("side", [0, 1])
async def test_b8_what_a_bot_is_told_of_a_supergroup_together_with_the_move_is_answered(
    stage: Stage, side: int
) -> None:
    """It has no history to read it in later."""
    as_bot(stage)
    stage.front.lists_chats = False
    stage.accounts = replace(stage.accounts, fronts=frozenset({"bot"}))
    told = moved(stage)
    told.append(stage.front.say(THERE.key, MAX, "first words"))
    await asyncio.gather(
        stage.reception.receive_waiting(told[:1] if side == 0 else told[:0]), stage.reception.receive_waiting(told[1:])
    )
    await stage.reception.catch_up(stage.front.name)
    await stage.quiet()
    assert stage.front.texts(THERE.key) == ["re: first words"]


async def test_b8_a_move_counts_from_the_transaction_that_notes_it(stage: Stage) -> None:
    here, _ = moved(stage)
    await stage.inbox.receive(here)
    receipt = await stage.inbox.receive(stage.front.say(THERE.key, MAX, "first words"))
    assert receipt.turn_id is not None


async def test_a3_the_owner_is_told_the_line_to_change_once(stage: Stage) -> None:
    await stage.say(DM, OLGA, "hello")
    messages = moved(stage)
    for message in (*messages, *messages):
        await stage.reception.receive(message)
    await caught_up(stage)
    assert [text for text in stage.front.texts(DM.key) if "supergroup" in text] == [LINE]
    stage.clock.advance(3600)
    async with opened(stage.again()) as following:
        await caught_up(following)
        await following.say(THERE, GUS, "still there?")
        await following.quiet()
        assert following.front.texts(THERE.key) == ["re: still there?"]
        assert following.front.texts(DM.key).count(LINE) == 1


async def test_a3_the_changed_line_is_taken_as_it_stands(stage: Stage) -> None:
    await stage.reception.receive(moved(stage)[0])
    stage.config = replace(CONFIG, groups={"-1005": "Dev"})
    await stage.say(THERE, MAX, "hello")
    await stage.quiet()
    assert stage.front.texts(THERE.key) == ["re: hello"]
    assert stage.moves.config.entry_of("-1005") == "-1005"


async def test_a3_a_group_that_nobody_configured_is_not_followed(stage: Stage) -> None:
    for message in stage.front.move("-77", "-10077", OLGA):
        await stage.reception.receive(message)
    await stage.say(Chat(FRONT, "-10077"), OLGA, "hello")
    await caught_up(stage)
    assert await stage.rows("chat_moves") == []
    assert stage.front.texts("-10077") == []


async def test_a3_a_bare_number_that_means_a_known_supergroup_is_not_followed(stage: Stage) -> None:
    await stage.say(Chat(FRONT, "-10030"), OLGA, "@valor_ai the group of that number")
    await stage.quiet()
    for message in stage.front.move("-30", "-10099", GUS):
        await stage.reception.receive(message)
    assert await stage.rows("chat_moves") == []


async def test_a3_a_bare_number_follows_its_group(stage: Stage) -> None:
    await stage.say(Chat(FRONT, "-30"), OLGA, "@valor_ai hello")
    await stage.quiet()
    for message in stage.front.move("-30", "-10099", OLGA):
        await stage.reception.receive(message)
    await stage.say(Chat(FRONT, "-10099"), OLGA, "@valor_ai and now?")
    await stage.quiet()
    assert stage.front.texts("-10099") == ["re: and now?"]


async def test_p3_what_a_running_turn_tells_and_what_waits_goes_to_the_supergroup(stage: Stage) -> None:
    with stage.agent.holding() as release:
        asked = await stage.say(DEV, MAX, "long work")
        await stage.agent.next_begun()
        await stage.say(DEV, OLGA, "and mine")
        for message in moved(stage):
            await stage.reception.receive(message)
        release.set()
        await stage.quiet()
    await stage.quiet()
    assert stage.front.texts(THERE.key) == ["re: long work", "re: and mine"]
    assert {line.reply_to for line in stage.front.told(THERE.key)} == {None}
    assert stage.front.texts(DEV.key) == []
    assert stage.front.line(asked.chat, asked.id).reaction in {"👀", "✍"}
    assert {line.reaction for line in stage.front.lines if line.chat == THERE.key} == {None}


async def test_b6_a_turn_that_moved_with_its_group_can_be_stopped_there(stage: Stage) -> None:
    with stage.agent.holding():
        await stage.say(DEV, MAX, "long work")
        await stage.agent.next_begun()
        for message in moved(stage):
            await stage.reception.receive(message)
        await stage.say(THERE, MAX, "stop")
        await stage.quiet()
    assert stage.front.texts(THERE.key) == ["Stopped. Nothing had been done yet."]


async def test_p3_a_refused_send_finds_the_supergroup(stage: Stage) -> None:
    moved(stage)
    await stage.owe(Draft(DEV, "notice", "news"))
    await stage.quiet()
    assert (stage.front.texts(DEV.key), stage.front.texts(THERE.key)) == ([], ["news"])


async def test_p3_a_promise_goes_on_with_its_live_line(stage: Stage) -> None:
    asker = (await _turn_of(stage, await stage.say(DEV, MAX, "go"))).asker
    number = await make_promise(stage.database, stage.clock, asker, "gamma", Call("run", "1"))
    await stage.owe(Draft(DEV, "progress", "half", promise_id=number))
    await stage.quiet()
    assert stage.front.texts(DEV.key)[-1] == "half"
    for message in moved(stage):
        await stage.reception.receive(message)
    await stage.owe(Draft(DEV, "result", "whole", reply_to=asker.message_id, promise_id=number))
    await stage.quiet()
    assert stage.front.texts(THERE.key) == ["half", "whole"]
    assert [(row.chat_id, row.message_id) for row in await stage.rows("promises")] == [("-1005", None)]


async def test_p3_a_send_that_arrived_before_the_move_is_found_in_the_group(stage: Stage) -> None:
    stage.front.lose_answers("send")
    await stage.owe(Draft(DEV, "notice", "once"))
    await stage.front.until(lambda: stage.front.texts(DEV.key) == ["once"])
    for message in moved(stage):
        await stage.reception.receive(message)
    await _past_the_wait(stage)
    assert (stage.front.texts(DEV.key), stage.front.texts(THERE.key)) == (["once"], [])
    assert [(row.chat_id, row.status) for row in await stage.rows("deliveries", front=FRONT)] == [("-20", "sent")]


async def test_p3_a_send_under_way_while_the_group_moves_is_not_sent_again(stage: Stage) -> None:
    release = stage.front.hold("send")
    await stage.owe(Draft(DEV, "notice", "once"))
    await stage.front.until(lambda: ("send", "once") in stage.front.calls)
    await stage.reception.receive(moved(stage)[0])
    stage.front._moved.clear()  # Telegram took it just before
    release.set()
    await stage.quiet()
    assert (stage.front.texts(DEV.key), stage.front.texts(THERE.key)) == (["once"], [])


async def test_p3_a_bots_send_about_to_begin_as_the_group_moves_waits_for_its_turn_there(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    front = as_bot(stage).front
    old, write = Chat(front, DEV.key), stage.database.write
    await stage.owe(Draft(old, "progress", "half"))
    await stage.quiet()

    async def moving(name: str, *work: Any, **more: Any) -> Any:
        if name == "intent" and not stage.front._moved:
            await stage.reception.receive(stage.front.move(old.key, THERE.key, OLGA)[0])
        return await write(name, *work, **more)

    def reword_and_owe(connection: Connection) -> None:
        (row,) = connection.execute(select(deliveries).where(deliveries.c.kind == "progress"))
        rows.change(connection, row, Piece("whole"))
        rows.owe(connection, Draft(old, "notice", "news"), stage.clock.now())

    monkeypatch.setattr(stage.database, "write", moving)
    await write("both", reword_and_owe)
    stage.outbox.wake(old)
    await stage.front.until(lambda: "news" in stage.front.texts(THERE.key))
    assert (stage.front.texts(old.key), stage.front.texts(THERE.key)) == (["half"], ["whole", "news"])


async def _gamma(stage: Stage) -> int:
    """A promise that is made, and acknowledged, in the group."""
    asker = (await _turn_of(stage, await stage.say(DEV, MAX, "go"))).asker
    number = await make_promise(stage.database, stage.clock, asker, "gamma", Call("run", "1"))
    stage.outbox.wake()
    await stage.quiet()
    return number


async def _reword(stage: Stage, number: int, text: str) -> None:
    await stage.database.write(
        "reword", lambda connection: rows.reword(connection, number, "progress", text, stage.clock.now())
    )
    stage.outbox.wake()


@pytest.mark.parametrize("is_at_work", [True, False])
async def test_p3_a_line_that_had_arrived_before_the_move_and_says_more_by_now_is_told_anew(
    stage: Stage, is_at_work: bool
) -> None:
    number = await _gamma(stage)
    stage.front.lose_answers("send")
    await stage.owe(Draft(DEV, "progress", "half", promise_id=number))
    await stage.front.until(lambda: stage.front.texts(DEV.key)[-1:] == ["half"])
    await _reword(stage, number, "nearly")
    if not is_at_work:
        await stage.put("promises", status="completed")
    for message in moved(stage):
        await stage.reception.receive(message)
    await _past_the_wait(stage)
    await stage.quiet()
    assert (stage.front.texts(DEV.key)[-1], stage.front.texts(THERE.key)) == ("half", ["nearly"])
    await _reword(stage, number, "whole")
    await stage.quiet()
    assert stage.front.texts(THERE.key) == ["whole"]


async def test_p3_a_line_found_by_a_sender_that_knows_nothing_of_the_move_goes_on_in_the_supergroup(
    stage: Stage,
) -> None:
    number = await _gamma(stage)
    stage.front.lose_answers("send")
    await stage.owe(Draft(DEV, "progress", "half", promise_id=number))
    await stage.front.until(lambda: stage.front.texts(DEV.key)[-1:] == ["half"])
    (before,) = await stage.database.read(lambda connection: rows.owed_in(connection, DEV))
    await _reword(stage, number, "nearly")
    await stage.reception.receive(moved(stage)[0])
    found, now = Shown(DEV, stage.front.lines[-2].id, is_current=False), stage.clock.now()
    await stage.database.write("found", lambda connection: rows.mark_sent(connection, before, found, now))
    (row,) = await stage.rows("deliveries", kind="progress")
    assert (row.chat_id, row.former_chat, row.message_id, row.status) == (THERE.key, None, None, "ready")


async def test_p3_a_line_that_is_found_in_the_group_goes_on_in_the_supergroup(stage: Stage) -> None:
    number = await _gamma(stage)
    stage.front.lose_answers("send")
    await stage.owe(Draft(DEV, "progress", "half", promise_id=number))
    await stage.front.until(lambda: stage.front.texts(DEV.key)[-1:] == ["half"])
    for message in moved(stage):
        await stage.reception.receive(message)
    await _past_the_wait(stage)
    await _reword(stage, number, "whole")
    await stage.quiet()
    assert stage.front.texts(THERE.key) == ["whole"]


async def test_p3_what_a_decision_takes_from_a_message_in_the_group_is_let_go(stage: Stage) -> None:
    """Buttons there can be taken away no more, and nothing is told anew for that."""
    become_bot(stage.front)
    stage.attach(stage.front)
    stage.accounts = replace(stage.accounts, fronts=frozenset({"bot"}))
    dev = Chat(stage.front.name, DEV.key)
    await stage.say(dev, MAX, "go")
    await stage.quiet()
    asker = stage.agent.asked[-1][0].asker
    number = await make_promise(stage.database, stage.clock, asker, "gamma", Call("run", "1"))
    await stage.owe(Draft(dev, "question 1", "May I?", promise_id=number, buttons=cancel_button(number)))
    await stage.quiet()
    for message in moved(stage):
        await stage.reception.receive(message)
    await stage.database.write("decide", lambda connection: rows.take_buttons(connection, number, "question"))
    stage.outbox.wake()
    await stage.quiet()
    assert stage.front.texts(THERE.key) == []
    assert [row.status for row in await stage.rows("deliveries", kind="question 1")] == ["sent"]


async def test_p3_a_restart_looks_on_both_sides(stage: Stage) -> None:
    stage.front.lose_answers("send")
    await stage.owe(Draft(DEV, "notice", "once"))
    await stage.owe(Draft(DEV, "notice", "twice"))
    await stage.front.until(lambda: stage.front.texts(DEV.key) == ["once"])
    await stage.die()
    moved(stage)
    stage.front.forget_keys()
    async with opened(stage.again()) as following:
        await following.reception.catch_up(FRONT)
        await _past_the_wait(following)
        assert (stage.front.texts(DEV.key), stage.front.texts(THERE.key)) == (["once"], ["twice"])


async def test_b7_the_supergroup_remembers_what_was_said_in_the_group(stage: Stage) -> None:
    await stage.say(DEV, MAX, "the word is plum")
    await stage.quiet()
    for message in moved(stage):
        await stage.reception.receive(message)
    await stage.say(THERE, MAX, "which word?")
    await stage.quiet()
    prompt = stage.agent.asked[-1][1]
    assert "> Max: the word is plum" in prompt
    assert prompt.count("which word?") == 1
    found = await stage.history.search(THERE, "plum")
    assert {said.text for said in found} == {"the word is plum", "re: the word is plum"}


async def test_b8_an_unreachable_service_at_the_move_is_asked_again(stage: Stage) -> None:
    stage.front.say(DEV.key, MAX, "last words")
    moved(stage)
    stage.front.refuse("history", Unreachable("gone"))
    with pytest.raises(Unreachable):
        await stage.reception.catch_up(FRONT)
    await caught_up(stage)
    assert stage.front.texts(THERE.key) == ["re: last words"]


async def _turn_of(stage: Stage, message: Message) -> Turn:
    await stage.quiet()
    return stage.agent.asked[-1][0]


async def _past_the_wait(stage: Stage) -> None:
    """Let whatever waits for another try have it, one after the other."""
    quiet = asyncio.create_task(stage.quiet())
    while not quiet.done():
        asleep = asyncio.create_task(stage.clock.until_asleep())
        await asyncio.wait([quiet, asleep], return_when=asyncio.FIRST_COMPLETED)
        asleep.cancel()
        stage.clock.advance(61)
    await quiet


async def test_p11_a_word_to_a_question_counts_that_was_said_just_before_the_group_moved(stage: Stage) -> None:
    question = await Asked(stage).put(DEV)
    await stage.inbox.receive(stage.front.say(DEV.key, OLGA, "refuse", question))
    await stage.reception.receive(moved(stage)[0])
    await stage.quiet()
    assert stage.front.texts(THERE.key)[-1] == "Promise #1 is failed: what it asked for is refused."
