"""Groups that the account joins or loses, while it runs and while it is away."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.integrations.telegram.desk import Desk, Home
from tests.integrations.telegram.house import open_house
from tests.waiting import until_found


async def test_b8_a_group_joined_while_running_is_answered(home: Home, tmp_path: Path) -> None:
    async with open_house(home, tmp_path) as house:
        group = home.world.group("New", [home.anna])
        await house.admit(group)
        home.world.join(group, home.valor)
        asked = home.world.say(home.anna, group, "are you there?")
        assert (await house.answer_to(asked)).text == "re: are you there?"


async def test_b8_a_silent_join_is_found_by_the_watch(home: Home) -> None:
    group = home.world.group("New", [home.anna])
    desk = Desk()
    async with home.userbot(desk) as bot:
        home.world.faults.drop_updates(home.valor, 10**9)
        group.members.append(home.valor)
        home.world.say(home.anna, group, "are you there?")
        standing = await bot._life.line.standing(2)
        assert standing.met
        assert not (await bot._life.line.standing(2)).met


async def test_b8_groups_joined_while_away_are_read_and_old_messages_are_passed_over(
    home: Home, tmp_path: Path
) -> None:
    async with open_house(home, tmp_path) as house:
        group = home.world.group("Old", [home.anna, home.valor])
        await house.admit(group)
        await house.stage.put("admitted_since", since=home.world.society.clock() - timedelta(days=9))
        await house.bot.stop()
        long_ago = home.world.society.clock() - timedelta(days=3)
        for number in range(250):
            home.world.say(home.anna, group, f"old {number}", at=long_ago)
        asked = home.world.say(home.anna, group, "and today?")
        await house.bot.start(house)
        assert (await house.answer_to(asked)).text == "re: and today?"

        async def passed_over() -> list[Any] | None:  # it may be answered live, before its history is read
            rows = await house.stage.rows("messages", answer=False)
            return rows if len(rows) >= 250 else None

        reasons = {row.reason for row in await until_found(passed_over) if row.text.startswith("old")}
        assert reasons == {"too old to be answered when it was read"}


async def test_a8_a_group_that_the_account_is_thrown_out_of_is_told_to_the_owner_once(
    home: Home, tmp_path: Path
) -> None:
    async with open_house(home, tmp_path) as house:
        group = home.world.group("Lost", [home.anna, home.valor])
        await house.admit(group)
        await house.answer_to(home.world.say(home.anna, home.valor, "hello"))
        await house.answer_to(home.world.say(home.anna, group, "hello"))
        home.world.leave(group, home.valor)
        key = group.peer_id(home.valor)
        told = f"The account is no longer in the group Lost ({key}): add it there again, or take the group out of "
        await home.world.until(lambda: [text for text in house.told_the_owner() if text.startswith(told)])
        await house.bot.on_gap()
        assert len(house.told_the_owner()) == 1
        home.world.join(group, home.valor)
        asked = home.world.say(home.anna, group, "back?")
        await house.answer_to(asked)
        await house.bot.on_gap()
        assert [row.gone_at for row in await house.stage.rows("chats", chat_id=str(key))] == [None]
