"""A basic group becomes a supergroup: heard live, seen among the dialogs, found where something is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from core.errors import Moved
from core.message import Move, Part
from integrations.telegram.userbot import Userbot
from tests.integrations.telegram.desk import Desk, Home
from tests.world.telegram import Chat


async def test_b8_both_sides_tell_live_and_the_histories_are_read(home: Home) -> None:
    group = home.world.group("Dev", [home.anna, home.valor], supergroup=False)
    desk = Desk()
    async with home.userbot(desk):
        there = home.world.upgrade(group)
        await desk.until(lambda: len(desk.messages) == 2)
        move = Move(home.chat(group), home.chat(there))
        assert {message.chat for message in desk.messages} == set(move)
        assert {message.service for message in desk.messages} == {"chat_migrate_to", "channel_migrate_from"}
        assert {message.move for message in desk.messages} == {move}
        await desk.until(lambda: len(desk.catch_ups) >= 2)


async def test_b8_the_dialogs_say_what_has_become_of_a_group(home: Home) -> None:
    group = home.world.group("Dev", [home.anna, home.valor], supergroup=False)
    home.world.say(home.anna, group, "last words")
    there = home.world.upgrade(group)
    async with home.userbot(Desk()) as bot:
        listed = {dialog.chat: dialog.moved_to for dialog in await bot.dialogs()}
        assert (listed[home.chat(group)], listed[home.chat(there)]) == (home.chat(there), None)
        pages = [page async for page in bot.history(home.chat(group), 0, home.world.society.clock().replace(year=2020))]
        assert [message.text for page in pages for message in page if not message.service] == ["last words"]


async def _send(bot: Userbot, home: Home, group: Chat, number: int) -> None:
    await bot.send(Part(home.chat(group), "too late", random_id=2))


async def _edit(bot: Userbot, home: Home, group: Chat, number: int) -> None:
    await bot.edit(home.chat(group), number, "too late", ())


@pytest.mark.parametrize("act", [_send, _edit])
async def test_b8_what_is_refused_says_where_the_group_went(
    home: Home, act: Callable[[Userbot, Home, Chat, int], Awaitable[None]]
) -> None:
    group = home.world.group("Dev", [home.anna, home.valor], supergroup=False)
    desk = Desk()
    async with home.userbot(desk) as bot:
        number = await bot.send(Part(home.chat(group), "in time", random_id=1))
        there = home.world.upgrade(group)
        with pytest.raises(Moved) as refused:
            await act(bot, home, group, number)
        assert refused.value.move == Move(home.chat(group), home.chat(there))
        await desk.until(lambda: len(desk.catch_ups) >= 2)
