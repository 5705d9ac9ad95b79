"""What the account hears, live and after being away: real Telethon against the played Telegram."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

import pytest
from telethon.tl import types as tl

from core.clock import FakeClock
from core.message import ChatKind, Part, Person
from integrations.telegram.directory import FRESH_SECONDS
from integrations.telegram.lifeline import Pace
from integrations.telegram.userbot import Userbot
from tests.integrations.telegram.desk import QUICK, Desk, Home
from tests.world.telegram import Entity


async def test_a_dm_is_received_with_its_sender(home: Home) -> None:
    desk = Desk()
    async with home.userbot(desk) as bot:
        home.world.say(home.anna, home.valor, "hello 👋")
        message = await desk.hear("hello 👋")
        assert bot.name == f"account:{home.valor.id}"
        assert message.chat == home.chat(home.anna)
        assert message.kind is ChatKind.DM
        assert (message.sender.id, message.sender.username) == (home.anna.id, "Anna_B")
        assert message.title == "Anna"
        assert not message.outgoing
        assert message.sent_at.tzinfo is not None


@pytest.mark.parametrize("supergroup", [True, False])
async def test_a4_a_group_message_names_whom_it_mentions_and_what_it_answers(home: Home, supergroup: bool) -> None:
    group = home.world.group("Dev", [home.anna, home.valor], supergroup=supergroup)
    first = home.world.say(home.anna, group, "first")
    desk = Desk()
    async with home.userbot(desk):
        home.world.say(home.anna, group, "😀 hey @Valor_AI, look", reply_to=first)
        message = await desk.hear("😀 hey @Valor_AI, look")
        assert message.kind is ChatKind.GROUP
        assert message.chat == home.chat(group)
        assert message.title == "Dev"
        assert message.mentions == {"valor_ai"}
        assert [message.text[start : start + size] for start, size in message.mention_spans] == ["@Valor_AI"]
        assert message.reply_to == first.id_for(home.valor)


async def test_a_text_mention_carries_the_id(home: Home) -> None:
    desk = Desk()
    async with home.userbot(desk):
        entity = Entity("text_mention", 3, 5, user_id=home.valor.id)
        home.world.say(home.anna, home.valor, "hi Valor", entities=[entity])
        message = await desk.hear("hi Valor")
        assert message.mentions == {str(home.valor.id)}
        assert message.mention_spans == ((3, 5),)


async def test_an_edit_comes_live_with_its_time(home: Home) -> None:
    desk = Desk()
    async with home.userbot(desk):
        said = home.world.say(home.anna, home.valor, "helo")
        assert (await desk.hear("helo")).edited_at is None
        home.world.edit(said, "hello")
        message = await desk.hear("hello")
        assert message.edited_at is not None
        assert message.id == desk.messages[0].id


async def test_b8_edits_made_while_away_come_with_the_difference(home: Home) -> None:
    group = home.world.group("Dev", [home.anna, home.valor])
    said = [home.world.say(home.anna, chat, "helo") for chat in (home.valor, group)]
    async with home.userbot(Desk()):
        pass
    for message in said:
        home.world.edit(message, f"hello {message.number}")
    home.world.say(home.anna, home.valor, "are you there?")
    desk = Desk()
    async with home.userbot(desk):
        await desk.hear("are you there?")
        for message in said:
            assert (await desk.hear(f"hello {message.number}")).edited_at is not None


async def test_b8_the_difference_waits_until_it_is_known_who_we_are(home: Home) -> None:
    async with home.userbot(Desk()):
        pass
    home.world.say(home.anna, home.valor, "meanwhile")
    home.world.faults.slow(0.3, home.valor, "users.getUsers")
    desk = Desk()
    async with home.userbot(desk):
        assert not (await desk.hear("meanwhile")).outgoing


async def test_b8_edits_are_read_again_where_the_difference_is_too_long(home: Home) -> None:
    """As often as it takes: until then the counts of what was heard are not kept."""
    async with home.userbot(Desk()):
        pass
    home.world.faults.difference_too_long(home.valor)
    desk = Desk()
    desk.refuses = 1
    async with home.userbot(desk) as bot:
        await desk.until(lambda: len(desk.rereads) == 1)
        assert not bot.is_settled()
        home.world.drop_connections(home.valor)
        await desk.until(lambda: len(desk.rereads) == 2 and bot.is_settled())
        before = len(desk.catch_ups)
        home.world.drop_connections(home.valor)
        await desk.until(lambda: len(desk.catch_ups) > before)
        assert len(desk.rereads) == 2


async def test_b8_it_catches_up_after_every_reconnect(home: Home) -> None:
    desk = Desk()
    async with home.userbot(desk) as bot:
        home.world.drop_connections(home.valor)
        await desk.until(lambda: len(desk.catch_ups) == 2)
        assert desk.catch_ups == [bot.name, bot.name]
        home.world.say(home.anna, home.valor, "still there?")
        await desk.hear("still there?")


async def test_b8_what_was_said_while_the_server_was_down_comes(home: Home) -> None:
    desk = Desk()
    async with home.userbot(desk) as bot:
        await home.world.go_down()
        home.world.say(home.anna, home.valor, "one")
        await home.world.come_back()
        await desk.hear("one")
        await desk.until(lambda: len(desk.catch_ups) >= 2)
        assert bot.health().status == "healthy"


async def test_one_that_cannot_be_received_does_not_stop_the_next(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(fail_on="poison")
    with caplog.at_level(logging.ERROR):
        async with home.userbot(desk):
            home.world.say(home.anna, home.valor, "poison")
            home.world.say(home.anna, home.valor, "bread")
            await desk.hear("bread")
    assert any("Receiving a message failed [" in record.message for record in caplog.records)


async def test_messages_of_a_chat_come_in_order(home: Home) -> None:
    desk = Desk()
    async with home.userbot(desk):
        for number in range(50):
            home.world.say(home.anna, home.valor, f"n{number}")
        await desk.hear("n49")
        assert desk.texts == [f"n{number}" for number in range(50)]


async def test_b9_a_dropped_update_is_found_by_the_watch(home: Home) -> None:
    desk = Desk()
    pace = Pace(call=2.0, watch=0.4, retries=QUICK.retries)
    async with home.userbot(desk, pace) as bot:
        home.world.faults.drop_updates(home.valor)
        home.world.say(home.anna, home.valor, "unheard")
        line = bot._life.line
        await desk.hear("unheard")
        assert len(desk.catch_ups) >= 2
        assert bot._life.line is line


async def test_b9_a_dropped_update_of_a_supergroup_is_found_by_the_watch(home: Home) -> None:
    group = home.world.group("Dev", [home.anna, home.valor])
    desk = Desk()
    async with home.userbot(desk, Pace(call=2.0, watch=0.05, retries=QUICK.retries)):
        home.world.faults.drop_updates(home.valor)
        home.world.say(home.anna, group, "unheard")
        await desk.hear("unheard")
        assert len(desk.catch_ups) >= 2


async def test_b9_a_connection_that_answers_nothing_is_replaced(home: Home) -> None:
    desk = Desk()
    async with home.userbot(desk, Pace(call=2.0, watch=0.05, retries=QUICK.retries)):
        home.world.faults.lose_answer(home.valor, "updates.getState", cut=False)
        await desk.until(lambda: len(desk.catch_ups) >= 2)
        assert home.world.connected(home.valor)


async def test_b9_what_is_sent_to_saved_messages_comes_back_by_history(home: Home) -> None:
    desk = Desk()
    async with home.userbot(desk) as bot:
        number = await bot.send(Part(bot.own_chat, "nonce 1", random_id=77))
        pages = [page async for page in bot.history(bot.own_chat, number - 1, datetime.min.replace(tzinfo=UTC))]
        (message,) = pages[0]
        assert (message.text, message.kind, message.outgoing, message.id) == ("nonce 1", ChatKind.SELF, True, number)
        await bot.delete(bot.own_chat, [number])
        assert [page async for page in bot.history(bot.own_chat, number - 1, message.sent_at)] == []
    assert desk.texts == []


async def test_own_messages_from_another_device_are_outgoing(home: Home) -> None:
    desk = Desk()
    async with home.userbot(desk):
        home.world.say(home.valor, home.anna, "typed on the phone")
        message = await desk.hear("typed on the phone")
        assert message.outgoing
        assert message.sender.id == home.valor.id
        assert message.chat == home.chat(home.anna)


async def test_a_service_message_says_its_kind(home: Home) -> None:
    desk = Desk()
    async with home.userbot(desk):
        home.world.group("Dev", [home.anna, home.valor], supergroup=False)
        await desk.until(lambda: bool(desk.messages))
        assert desk.messages[0].service == "chat_create"
        assert desk.messages[0].text == "[chat create]"


async def test_stopping_leaves_no_task(home: Home) -> None:
    before = asyncio.all_tasks()
    async with home.userbot(Desk()):
        pass
    left = {task for task in asyncio.all_tasks() - before if "integrations/telegram" in repr(task)}
    assert not left


async def test_it_names_itself_offline_once_it_has_been_connected(home: Home) -> None:
    async with home.userbot(Desk()):
        pass
    await home.world.go_down()
    desk = Desk()
    bot = Userbot(home.access, QUICK)
    await bot.start(desk)
    try:
        assert bot.name == f"account:{home.valor.id}"
        await home.world.come_back()
        await desk.until(lambda: bool(desk.catch_ups))
    finally:
        await bot.stop()


async def test_a_sender_of_whom_the_update_says_nothing_is_asked_for(home: Home) -> None:
    home.world.say(home.anna, home.valor, "earlier")
    desk = Desk()
    async with home.userbot(desk) as bot:
        bot._directory.parties.clear()
        bot.on_update(tl.UpdateShortMessage(900, home.anna.id, "short", 1, 1, datetime.now(UTC)))
        assert (await desk.hear("short")).sender.username == "Anna_B"


async def test_a2_a_username_that_was_given_up_or_taken_counts_at_once(home: Home) -> None:
    eve = home.world.person("Eve", "eve")
    desk = Desk()
    async with home.userbot(desk) as bot:
        for person in (home.anna, eve):
            home.world.say(person, home.valor, f"I am {person.username}")
            await desk.hear(f"I am {person.username}")
        bot.on_update(tl.UpdateUserName(home.anna.id, "Anna", "", [tl.Username("other", active=True)]))
        bot.on_update(tl.UpdateUserName(eve.id, "Eve", "", [tl.Username("Anna_B", active=True)]))
        for number, person, names in ((900, home.anna, ("other",)), (901, eve, ("Anna_B",))):
            bot.on_update(tl.UpdateShortMessage(number, person.id, f"n{number}", 1, 1, datetime.now(UTC)))
            assert (await desk.hear(f"n{number}")).sender.usernames == names
        assert "UpdateUserName" not in bot.unhandled


async def test_a2_a_username_of_long_ago_is_asked_for_again(home: Home) -> None:
    desk, clock = Desk(), FakeClock()
    bot = Userbot(home.access, QUICK, clock)
    await bot.start(desk)
    try:
        home.world.say(home.anna, home.valor, "hello")
        await desk.hear("hello")
        home.anna.username = "other"
        clock.advance(FRESH_SECONDS)
        bot.on_update(tl.UpdateShortMessage(900, home.anna.id, "short", 1, 1, datetime.now(UTC)))
        assert (await desk.hear("short")).sender.username == "other"
    finally:
        await bot.stop()


async def test_a4_valors_own_new_name_is_taken_up_by_a_catch_up(home: Home) -> None:
    desk = Desk()
    async with home.userbot(desk) as bot:
        seen = len(desk.catch_ups)
        bot.on_update(tl.UpdateUserName(home.valor.id, "Valor", "", [tl.Username("valor_new", active=True)]))
        assert bot.account.usernames == ("valor_new",)
        await desk.until(lambda: len(desk.catch_ups) > seen)


async def test_a_sender_whom_nobody_knows_is_received_by_number(home: Home) -> None:
    group = home.world.group("Dev", [home.anna, home.valor], supergroup=False)
    desk = Desk()
    async with home.userbot(desk) as bot:
        bot.on_update(tl.UpdateShortChatMessage(900, 4242, group.id, "who", 1, 1, datetime.now(UTC)))
        assert (await desk.hear("who")).sender == Person(4242)
        bot.on_update(tl.UpdateShortMessage(901, 4243, "dm", 1, 1, datetime.now(UTC)))
        assert (await desk.hear("dm")).sender == Person(4243)


async def test_places_of_messages_that_are_gone_are_passed_over(home: Home) -> None:
    desk = Desk()
    async with home.userbot(desk) as bot:
        bot.on_update(tl.UpdateNewMessage(tl.MessageEmpty(5, None), 1, 1))
        bot.on_update(tl.UpdateNewMessage(tl.MessageEmpty(5, tl.PeerUser(home.anna.id)), 1, 1))
        home.world.say(home.anna, home.valor, "hello")
        await desk.hear("hello")
        assert desk.texts == ["hello"]


async def test_b8_edits_in_a_supergroup_are_read_again_where_its_difference_is_too_long(home: Home) -> None:
    group = home.world.group("Dev", [home.anna, home.valor])
    said = home.world.say(home.anna, group, "helo")
    async with home.userbot(Desk()):
        pass
    home.world.edit(said, "hello")
    home.world.faults.difference_too_long(home.valor, channel=True)
    desk = Desk()
    async with home.userbot(desk) as bot:
        await desk.until(lambda: len(desk.rereads) == 1 and bot.is_settled())
    assert len(desk.rereads) == 1


async def test_b9_a_path_that_stays_silent_is_replaced(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    with caplog.at_level(logging.WARNING):
        async with home.userbot(desk, Pace(call=2.0, watch=0.05, retries=QUICK.retries)) as bot:
            home.world.faults.drop_updates(home.valor)
            home.world.faults.error("PERSISTENT_TIMESTAMP_INVALID", method="updates.getDifference", times=3)
            home.world.say(home.anna, home.valor, "unheard")
            await desk.hear("unheard")
            assert bot.health().status == "healthy"
    assert any("do not arrive" in record.message for record in caplog.records)


@pytest.mark.parametrize("supergroup", [True, False])
async def test_b8_what_was_heard_and_not_written_down_is_heard_again(home: Home, supergroup: bool) -> None:
    """As when a process dies between hearing an edit, which no history tells, and its row."""
    said = home.world.say(home.anna, home.world.group("Dev", [home.anna, home.valor], supergroup=supergroup), "helo")
    async with home.userbot(Desk()):
        pass
    home.world.edit(said, "hello")
    full = Desk(holds="hello")
    async with home.userbot(full):
        await full.until(lambda: full.is_holding)
    desk = Desk()
    async with home.userbot(desk):
        assert (await desk.hear("hello")).edited_at is not None


async def test_b8_messages_say_what_telegrams_clock_says(home: Home) -> None:
    desk, clock = Desk(), FakeClock()
    bot = Userbot(home.access, QUICK, clock)
    await bot.start(desk)
    try:
        await desk.until(lambda: bool(desk.catch_ups))
        clock.jump(86_400)
        home.world.say(home.anna, home.valor, "now")
        heard = await desk.hear("now")
        assert heard.heard_at is not None
        assert abs((heard.heard_at - heard.sent_at).total_seconds()) < 60
    finally:
        await bot.stop()
