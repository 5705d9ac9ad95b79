"""A forum's topics are chats of their own: heard, answered, read and marked each by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.errors import Undeliverable
from core.message import Chat, Part
from tests.integrations.telegram.desk import Desk, Home
from tests.integrations.telegram.house import open_house
from tests.world.telegram import Chat as WorldChat
from tests.world.telegram import Topic

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def key_of(home: Home, topic: Topic) -> str:
    return f"{topic.chat.peer_id(home.valor)}/{topic.id}"


def forum(home: Home) -> tuple[WorldChat, Topic, Topic]:
    group = home.world.group("Dev", [home.anna, home.valor])
    return group, home.world.topic(group, home.anna, "Bugs"), home.world.topic(group, home.anna, "News")


async def test_b8_messages_of_a_topic_have_its_chat_and_the_general_topic_the_groups(home: Home) -> None:
    group, bugs, _ = forum(home)
    desk = Desk()
    async with home.userbot(desk):
        home.world.say(home.anna, group, "in general")
        first = home.world.say(home.anna, bugs, "a bug")
        home.world.say(home.anna, bugs, "the same bug", reply_to=first)
        assert (await desk.hear("in general")).chat == home.chat(group)
        heard = await desk.hear("a bug")
        assert (heard.chat.key, heard.reply_to) == (key_of(home, bugs), None)
        replied = await desk.hear("the same bug")
        assert (replied.chat.key, replied.reply_to) == (key_of(home, bugs), first.id_for(home.valor))


async def test_b4_answers_go_into_the_topic_with_and_without_a_message_to_answer(home: Home) -> None:
    group, bugs, news = forum(home)
    asked = home.world.say(home.anna, bugs, "a bug")
    async with home.userbot(Desk()) as bot:
        chat = Chat(bot.name, key_of(home, bugs))
        await bot.send(Part(chat, "answer", reply_to=asked.id_for(home.valor), random_id=1))
        await bot.send(Part(chat, "notice", random_id=2))
        await bot.send(Part(chat, "to one that is gone", reply_to=9_999, random_id=3))
        await bot.send(Part(home.chat(group), "general", random_id=4))
        sent = {one.text: (one.topic, one.reply_to) for one in home.world.messages(group, home.valor)}
        gone = sent.pop("to one that is gone")
        assert sent == {"answer": (bugs.id, asked.number), "notice": (bugs.id, None), "general": (0, None)}
        assert gone == (bugs.id, None)
        assert [one.text for one in await bot.sent_after(chat, 0)] == ["answer", "notice", "to one that is gone"]
        assert [one.text for one in await bot.sent_after(home.chat(group), 0)] == ["general"]
        news.closed = True
        with pytest.raises(Undeliverable, match="topic is closed"):
            await bot.send(Part(Chat(bot.name, key_of(home, news)), "too late", random_id=5))


async def test_b2_signs_in_a_topic(home: Home) -> None:
    group, bugs, _ = forum(home)
    asked = home.world.say(home.anna, bugs, "a bug")
    async with home.userbot(Desk()) as bot:
        chat = Chat(bot.name, key_of(home, bugs))
        await bot.show_typing(chat)
        await bot.react(chat, asked.id_for(home.valor), "👀")
        await bot.mark_read(chat, asked.id_for(home.valor))
        assert [deed.detail for deed in home.world.ledger.did("typing", home.valor)] == [f"typing in {bugs.id}"]
        assert home.world.ledger.reactions_to(asked.number) == ["👀"]
        assert [deed.number for deed in home.world.ledger.did("read", home.valor, group)] == [asked.number]


async def test_b8_every_topic_is_a_dialog_with_a_history_of_its_own(home: Home) -> None:
    group, bugs, _ = forum(home)
    topics = [home.world.topic(group, home.anna, f"Topic {number}") for number in range(45)]
    home.world.say(home.anna, group, "general")
    for number in range(230):
        home.world.say(home.anna, bugs if number % 2 else topics[0], f"{number}")
    async with home.userbot(Desk()) as bot:
        listed = {dialog.chat.key: dialog for dialog in await bot.dialogs()}
        assert {key_of(home, topic) for topic in (bugs, *topics)} | {str(group.peer_id(home.valor))} <= listed.keys()
        assert listed[key_of(home, bugs)].title == "Dev / Bugs"
        for key, dialog in listed.items():
            if key.startswith("-"):
                pages = [page async for page in bot.history(dialog.chat, 0, LONG_AGO)]
                found = [message for page in pages for message in page]
                assert {message.chat for message in found} <= {dialog.chat}
                assert not found or found[-1].id == dialog.last_message
                if key == key_of(home, bugs):
                    assert [message.text for message in found if not message.service] == [
                        f"{number}" for number in range(230) if number % 2
                    ]


async def test_w3_a_topic_bound_to_a_workspace_and_the_rest_of_its_forum(home: Home, tmp_path: Path) -> None:
    group, bugs, news = forum(home)
    async with open_house(home, tmp_path) as house:
        await house.admit(group)
        await house.bind({key_of(home, bugs): "Topic"})
        asked = [home.world.say(home.anna, place, "@valor_ai hello") for place in (group, bugs, news)]
        answers = [await house.answer_to(one) for one in asked]
        assert [answer.topic for answer in answers] == [0, bugs.id, news.id]
        rows = await house.stage.rows("turns")
        assert {row.chat_id: row.workspace for row in rows} == {
            str(group.peer_id(home.valor)): "Dev",
            key_of(home, bugs): "Topic",
            key_of(home, news): "Dev",
        }


async def test_b8_topics_are_caught_up_each_from_its_own_mark(home: Home, tmp_path: Path) -> None:
    group, bugs, news = forum(home)
    async with open_house(home, tmp_path) as house:
        await house.admit(group)
        await house.answer_to(home.world.say(home.anna, bugs, "one"))
        await house.bot.stop()
        asked = [home.world.say(home.anna, place, "while you were away") for place in (bugs, news, group)]
        await house.bot.start(house)
        for one in asked:
            assert (await house.answer_to(one)).topic == one.topic
        await house.stage.quiet()
        await house.bot.on_gap()
        marks = {row.chat_id: row.mark for row in await house.stage.rows("chats")}
        for one, topic in zip(asked[:2], (bugs, news), strict=True):
            assert marks[key_of(home, topic)] >= one.id_for(home.valor)
        assert len(home.world.messages(group, home.valor)) == 4
        calls = len(home.world.ledger.calls("messages.getReplies"))
        await house.bot.on_gap()
        assert len(home.world.ledger.calls("messages.getReplies")) == calls


async def test_w1_the_general_topic_may_be_bound_by_its_number(home: Home, tmp_path: Path) -> None:
    group, bugs, _ = forum(home)
    async with open_house(home, tmp_path) as house:
        await house.admit()
        await house.bind({f"{group.peer_id(home.valor)}/1": "Topic"})
        asked = home.world.say(home.anna, group, "@valor_ai in general")
        home.world.say(home.anna, bugs, "@valor_ai in a topic")
        assert (await house.answer_to(asked)).topic == 0
        await house.stage.quiet()
        assert len(home.world.messages(group, home.valor)) == 1
