"""The past of a chat, searched by Telegram: of this chat and of no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import Undeliverable
from core.message import Chat
from tests.integrations.telegram.desk import Desk, Home
from tests.integrations.telegram.house import open_house


async def test_b7_a_chat_s_past_is_searched_and_no_other_chat_s(home: Home) -> None:
    group = home.world.group("Dev", [home.anna, home.valor])
    topic = home.world.topic(group, home.anna, "Plums")
    said = [home.world.say(home.anna, group, f"plum {number}") for number in range(3)]
    home.world.say(home.anna, topic, "plum of a topic")
    home.world.say(home.anna, home.valor, "plum in private")
    home.world.say(home.anna, group, "a pear")
    async with home.userbot(Desk()) as bot:
        found = await bot.search_past(home.chat(group), "plum", 0, 10)
        assert [message.text for message in found] == ["plum 2", "plum 1", "plum 0"]
        older = await bot.search_past(home.chat(group), "plum", said[2].id_for(home.valor), 1)
        assert [message.text for message in older] == ["plum 1"]
        in_topic = Chat(bot.name, f"{home.chat(group).key}/{topic.id}")
        assert [one.text for one in await bot.search_past(in_topic, "plum", 0, 10)] == ["plum of a topic"]
        assert [one.text for one in await bot.search_past(home.chat(home.anna), "plum", 0, 10)] == ["plum in private"]
        with pytest.raises(Undeliverable):
            await bot.search_past(Chat(bot.name, "-1009999999"), "plum", 0, 10)


async def test_b7_an_agent_finds_what_was_said_before_the_account_was_set_up(home: Home, tmp_path: Path) -> None:
    group = home.world.group("Dev", [home.anna, home.valor])
    home.world.say(home.anna, group, "the word is plum")
    async with open_house(home, tmp_path) as house:
        await house.admit(group)
        await house.answer_to(home.world.say(home.anna, group, "hello"))
        house.stage.history.pasts[house.bot.name] = house.bot
        found = await house.stage.history.search(home.chat(group), "plum")
        assert [(said.sender, said.text) for said in found] == [("Anna", "the word is plum")]
