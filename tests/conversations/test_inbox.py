from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from conversations.inbox import Limits
from core.access import Accounts
from core.message import PAGE, Chat, ChatKind, Message, Person
from core.workspaces import Listed, Whitelist, WorkspaceConfig
from integrations.memory import OWN
from tests.conversations.stage import (
    ACCOUNTS,
    CONFIG,
    DEV,
    DM,
    FRONT,
    GUS,
    MAX,
    OLGA,
    STRANGER,
    TEAM,
    Stage,
    opened,
    self_message,
)


async def reasons(stage: Stage) -> list[tuple[bool, str]]:
    return [(row.answer, row.reason) for row in await stage.rows("messages")]


async def test_b1_an_update_delivered_twice_is_one_row_and_one_answer(stage: Stage) -> None:
    message = await stage.say(DM, OLGA, "hello")
    await stage.reception.receive(message)
    await stage.quiet()
    await stage.reception.receive(message)
    await stage.quiet()
    assert stage.front.texts("1") == ["re: hello"]
    assert len(await stage.rows("messages")) == 1


async def test_b1_the_same_message_at_the_same_moment_is_taken_once(stage: Stage) -> None:
    message = stage.front.say("1", OLGA, "hello")
    receipts = await asyncio.gather(*(stage.reception.take(message) for _ in range(8)))
    await stage.quiet()
    assert [receipt.is_new for receipt in receipts].count(True) == 1
    assert len({receipt.turn_id for receipt in receipts}) == 1
    assert stage.front.texts("1") == ["re: hello"]


@pytest.mark.parametrize("live_first", [True, False])
async def test_b1_live_and_history_are_one_message(stage: Stage, live_first: bool) -> None:
    message = stage.front.say("1", OLGA, "hello")
    roads = [stage.reception.receive(message), stage.reception.catch_up(FRONT)]
    await asyncio.gather(*(roads if live_first else reversed(roads)))
    await stage.quiet()
    assert stage.front.texts("1") == ["re: hello"]
    assert len(await stage.rows("messages")) == 1


async def test_b1_an_edit_that_asks_gets_its_one_answer(stage: Stage) -> None:
    message = await stage.say(TEAM, OLGA, "hello all")
    await stage.quiet()
    assert stage.front.told("-10") == []
    stage.clock.advance(1)
    asking = await stage.edit(message, "@valor_ai hello")
    await stage.reception.receive(asking)
    await stage.quiet()
    stage.clock.advance(1)
    await stage.edit(message, "@valor_ai hello again")
    await stage.quiet()
    assert stage.front.texts("-10") == ["re: hello"]
    row = await stage.row_of(message)
    assert (row.answer, row.reason, row.text, row.prompt) == (True, "mention", "@valor_ai hello again", "hello")


async def test_b1_an_edit_of_an_answered_message_changes_nothing_told(stage: Stage) -> None:
    message = await stage.say(TEAM, OLGA, "@valor_ai hello")
    await stage.quiet()
    for text in ("never mind", "@valor_ai hello", "bye"):
        stage.clock.advance(1)
        await stage.edit(message, text)
        await stage.quiet()
    row = await stage.row_of(message)
    assert stage.front.texts("-10") == ["re: hello"]
    assert (row.answer, row.reason, row.text, row.turn_id) == (True, "mention", "bye", 1)


async def test_b1_an_edit_before_its_turn_begins_is_what_is_answered(stage: Stage) -> None:
    with stage.agent.holding() as release:
        await stage.say(DEV, MAX, "first")
        await stage.agent.next_begun()
        waiting = await stage.say(DEV, OLGA, "secnd")
        stage.clock.advance(1)
        await stage.edit(waiting, "second")
        release.set()
        await stage.quiet()
    assert stage.front.texts("-20") == ["re: first", "re: second"]


async def test_b1_an_older_edit_that_comes_late_changes_nothing(stage: Stage) -> None:
    message = await stage.say(TEAM, OLGA, "one")
    stage.clock.advance(1)
    older = stage.front.change(message, "two")
    stage.clock.advance(1)
    await stage.edit(message, "three")
    await stage.reception.receive(older)
    assert (await stage.row_of(message)).text == "three"


async def test_b1_the_same_inbound_key_is_the_same_question(stage: Stage) -> None:
    chat = Chat("local", "page")
    first = Message(chat, 1, ChatKind.LOCAL, Person(0), stage.clock.now(), "hi", inbound_key="k")
    receipts = [await stage.reception.take(message) for message in (first, replace(first, id=2))]
    assert [(receipt.message.id, receipt.is_new, receipt.turn_id) for receipt in receipts] == [
        (1, True, 1),
        (1, False, 1),
    ]


async def test_b1_what_lies_at_or_below_the_floor_is_never_new(stage: Stage) -> None:
    message = await stage.say(DM, OLGA, "hello")
    await stage.quiet()
    await stage.put("chats", floor=message.id + 1)
    late = replace(message, id=message.id + 1, text="forgotten")
    await stage.reception.receive(late)
    await stage.quiet()
    assert stage.front.texts("1") == ["re: hello"]
    assert len(await stage.rows("messages")) == 1


async def test_b1_one_front_serves_a_group(folder: Path) -> None:
    accounts = Accounts(ACCOUNTS.ids, ACCOUNTS.usernames, frozenset({"account", "bot"}))
    async with opened(Stage(folder, accounts=accounts)) as stage:
        other = Message(Chat("bot:7", "-20"), 1, ChatKind.GROUP, OLGA, stage.clock.now(), "hello")
        assert (await stage.reception.take(other)).reason == "served by the other front"
        assert await stage.rows("messages") == await stage.rows("audit") == []


async def test_b1_two_groups_of_one_bare_number(stage: Stage) -> None:
    await stage.say(Chat(FRONT, "-30"), OLGA, "hello")
    await stage.say(Chat(FRONT, "-10030"), OLGA, "hello")
    (refused,) = await stage.rows("audit")
    assert refused.reason.startswith("two groups have this number")


async def test_a1_no_configuration_admits_nobody(folder: Path) -> None:
    async with opened(Stage(folder, config=WorkspaceConfig(folder))) as stage:
        await stage.say(DM, OLGA, "hello")
        await stage.quiet()
        assert stage.front.told("1") == await stage.rows("messages") == []


async def test_a2_a_listed_person_is_answered_by_name_or_id(folder: Path) -> None:
    config = replace(CONFIG, whitelist=Whitelist((Listed("olga"), Listed(id=3))))
    async with opened(Stage(folder, config=config)) as stage:
        await stage.say(DM, Person(1, "OLGA"), "one")
        await stage.say(Chat(FRONT, "3"), GUS, "two")
        await stage.quiet()
        assert (stage.front.texts("1"), stage.front.texts("3")) == (["re: one"], ["re: two"])


async def test_a3_a_group_without_a_workspace_is_refused(stage: Stage) -> None:
    await stage.say(Chat(FRONT, "-77"), OLGA, "@valor_ai hello")
    (row,) = await stage.rows("audit")
    assert (row.chat_id, row.reason) == ("-77", "group without a workspace")


async def test_a4_in_a_group_only_a_mention_or_a_reply_is_answered(stage: Stage) -> None:
    await stage.say(TEAM, MAX, "hello all")
    await stage.say(TEAM, GUS, "@valor_ai hello")
    await stage.quiet()
    answer = stage.front.told("-10")[0]
    await stage.say(TEAM, MAX, "and me", reply_to=answer.id)
    await stage.quiet()
    assert stage.front.texts("-10") == ["re: hello", "re: and me"]
    assert await reasons(stage) == [(False, "no mention"), (True, "mention"), (True, "reply to us")]


async def test_a4_a_dev_group_is_answered_without_a_mention(stage: Stage) -> None:
    await stage.say(DEV, GUS, "hello")
    await stage.quiet()
    assert stage.front.texts("-20") == ["re: hello"]


async def test_a4_a_reply_counts_even_when_the_answer_does_not_know_its_number_yet(stage: Stage) -> None:
    """Killed between the service's yes and the row: the history shows our own message before its row has its number."""
    answer = stage.front.say("-10", OWN, "an answer that was sent and not noted")
    stage.front.say("-10", MAX, "and then?", reply_to=answer.id)
    await stage.reception.catch_up(FRONT)
    await stage.quiet()
    assert stage.front.texts("-10")[1:] == ["re: and then?"]


async def test_a5_what_needs_no_answer_is_stored_without_a_sign(stage: Stage) -> None:
    await stage.say(TEAM, OLGA, "hello all")
    await stage.quiet()
    assert stage.front.calls == []
    assert await reasons(stage) == [(False, "no mention")]


async def test_a6_own_words_bots_and_service_messages_are_never_answered(stage: Stage) -> None:
    await stage.say(DEV, OWN, "by hand")
    await stage.say(DEV, Person(50, "other_bot", is_bot=True), "beep")
    served = stage.front.say("-20", OLGA, "")
    await stage.reception.receive(replace(served, service="joined"))
    await stage.reception.receive(self_message(stage.front, "note"))
    await stage.quiet()
    assert await reasons(stage) == [(False, "own message"), (False, "another bot"), (False, "service message")]
    assert stage.front.texts("-20") == ["by hand"]
    assert await stage.rows("audit") == []


async def test_a6_too_many_answers_stop_the_chat_until_the_owner_lifts_it(folder: Path) -> None:
    async with opened(Stage(folder, limits=Limits(answers_per_minute=2))) as stage:
        await stage.say(DM, OLGA, "hello")
        for number in range(5):
            await stage.say(Chat(FRONT, "2"), MAX, f"{number}")
            await stage.quiet()
            stage.clock.advance(2)
        stopped = "stopped: more than 2 answers in a minute"
        assert stage.front.texts("2") == ["re: 0", "re: 1"]
        assert await reasons(stage) == [(True, "direct message")] * 3 + [(False, stopped)] * 3
        assert stage.front.texts("1")[1:] == [f"I stopped answering in Max: {stopped}. Send /lift 2 to let me go on."]
        await stage.say(Chat(FRONT, "2"), MAX, "lift")
        await stage.say(DM, OLGA, "/lift 2")
        await stage.quiet()
        await stage.say(Chat(FRONT, "2"), MAX, "again")
        await stage.quiet()
        assert stage.front.texts("2") == ["re: 0", "re: 1", "re: again"]
        assert stage.front.texts("1")[2:] == ["I answer in 2 again."]


async def test_a6_the_owner_lifts_a_stop_from_within_the_chat(folder: Path) -> None:
    async with opened(Stage(folder, limits=Limits(answers_per_minute=1))) as stage:
        for text in ("one", "two", "lift", "three", "/lift"):
            await stage.say(DM, OLGA, text)
            await stage.quiet()
        told = stage.front.texts("1")
        assert told[0] == "re: one"
        assert told[1].startswith("I stopped answering in Olga")
        assert told[2:] == ["I answer in 1 again.", "I answer in 1 again."]


async def test_a6_the_alert_is_told_once_though_the_process_dies_before_it_is_spoken(folder: Path) -> None:
    stage = Stage(folder, limits=Limits(answers_per_minute=1))
    await stage.open(attached=False)
    for person, text in ((OLGA, "hello"), (MAX, "/ping"), (MAX, "/ping")):
        await stage.inbox.receive(stage.front.say(str(person.id), person, text))
    await stage.die()
    async with opened(stage.again()) as stage:
        await stage.quiet()
        assert [text for text in stage.front.texts("1") if text.startswith("I stopped")] != []
        await stage.alerts.tell_owner((await stage.rows("deliveries", kind="notice"))[0].text)
        assert len(await stage.rows("deliveries", kind="notice")) == 1


async def test_a6_history_that_stops_a_chat_alerts_too(folder: Path) -> None:
    async with opened(Stage(folder, limits=Limits(answers_per_minute=1))) as stage:
        await stage.say(DM, OLGA, "hello")
        for _ in range(3):
            stage.front.say("2", MAX, "/ping")
        await stage.reception.catch_up(FRONT)
        await stage.quiet()
        assert len(stage.front.texts("2")) == 1
        assert sorted(text[:9] for text in stage.front.texts("1")) == ["I stopped", "re: hello"]


async def test_a6_without_an_owner_chat_the_alert_is_owed_to_the_local_page(folder: Path) -> None:
    async with opened(Stage(folder, limits=Limits(answers_per_minute=0))) as stage:
        await stage.say(Chat(FRONT, "2"), MAX, "hello")
        await stage.quiet()
        (row,) = await stage.rows("deliveries")
        assert (Chat(row.front, row.chat_id), row.kind) == (PAGE, "notice")
        assert row.text.startswith("I stopped answering in Max: ")


async def test_a7_a_refusal_is_silent_and_counted(stage: Stage) -> None:
    for _ in range(3):
        await stage.say(Chat(FRONT, "9"), STRANGER, "let me in")
    await stage.quiet()
    (row,) = await stage.rows("audit")
    assert (row.chat_id, row.sender_id, row.sender_name, row.count) == ("9", 9, "nobody", 3)
    assert row.reason == "sender not on the whitelist"
    assert stage.front.calls == await stage.rows("messages") == []


async def test_a8_why_says_what_became_of_a_message(stage: Stage) -> None:
    asked = await stage.say(DM, OLGA, "hello")
    await stage.quiet()
    await stage.say(DM, OLGA, f"/why {asked.id}")
    await stage.quiet()
    assert stage.front.texts("1")[1] == "Message 1 by Olga was answered: direct message (turn 1: done)."


async def test_a8_an_answer_too_late_is_not_given(stage: Stage) -> None:
    message = stage.front.say("1", OLGA, "hello")
    stage.clock.advance(24 * 3600 + 1)
    await stage.reception.receive(message)
    assert await reasons(stage) == [(False, "too old to be answered when it was read")]


async def test_a8_history_from_before_the_admission_is_stored_and_says_so(stage: Stage) -> None:
    stage.clock.advance(10)
    await stage.say(DM, OLGA, "hello")
    before = replace(stage.front.say("1", OLGA, "old"), sent_at=stage.clock.now() - timedelta(seconds=60))
    await stage.inbox.receive_page(DM, [before])
    assert (await stage.row_of(before)).reason == "written before this chat was admitted"


async def test_a9_stop_may_be_said_by_the_requester_and_the_owner(stage: Stage) -> None:
    with stage.agent.holding():
        await stage.say(DEV, MAX, "work")
        await stage.agent.next_begun()
        await stage.say(DEV, GUS, "stop")
        await stage.front.until(lambda: bool(stage.front.told("-20")))
        assert stage.front.texts("-20") == ["This is Max's work: only they or an owner may stop it."]
        await stage.say(DEV, OLGA, "stop")
        await stage.quiet()
    assert stage.front.texts("-20")[1:] == ["Stopped. Nothing had been done yet."]


async def test_b1_of_two_edits_within_a_second_both_count_and_neither_twice(stage: Stage) -> None:
    """Telegram tells whole seconds, and a message may first ask with the later of the two."""
    message = await stage.say(TEAM, OLGA, "hello all")
    stage.clock.advance(1)
    first = await stage.edit(message, "hello you")
    await stage.edit(message, "@valor_ai hello")
    await stage.quiet()
    assert stage.front.texts("-10") == ["re: hello"]
    await stage.reception.receive(first)
    await stage.quiet()
    assert stage.front.texts("-10") == ["re: hello"]


async def test_b8_how_old_a_message_is_tells_the_clock_it_was_dated_by(stage: Stage) -> None:
    message = stage.front.say("1", OLGA, "hello")
    stage.clock.jump(24 * 3600 + 1)
    await stage.reception.receive(replace(message, heard_at=message.sent_at))
    await stage.quiet()
    assert stage.front.texts("1") == ["re: hello"]
