from __future__ import annotations

from pathlib import Path

from conversations.typeset import REPEAT
from scripts.experiments.spoken import is_repeat, key_of, said_by_us, stand_once, where
from tests.scripts.experiments.scene import quiet


def test_a_direct_chat_with_the_account_is_another_than_that_with_the_bot(tmp_path: Path) -> None:
    with quiet(tmp_path) as scene:
        cast = scene.scene.cast
        to_account, to_bot = (scene.ask("ask", "aaaaaaaa", front).message for front in cast.fronts)
        assert key_of(to_account, cast)[0] == f"account:{cast.valor.id}"
        assert key_of(to_bot, cast)[0] == f"bot:{cast.bot.id}"
        assert key_of(to_account, cast)[1] == key_of(to_bot, cast)[1] == str(cast.writers[3].id)


def test_only_the_bot_says_that_it_may_repeat_itself(tmp_path: Path) -> None:
    with quiet(tmp_path) as scene:
        cast = scene.scene.cast
        account, bot = (scene.ask("ask", "aaaaaaaa", front).message for front in cast.fronts)
        once, again = scene.say("Here.", bot), scene.say(f"{REPEAT}Here.", bot)
        others = scene.say(f"{REPEAT}Here.", account)
        assert [is_repeat(one) for one in (once, again, others)] == [False, True, False]
        assert [stand_once(said) for said in ([once], [again], [once, again])] == [True] * 3
        assert [stand_once(said) for said in ([], [once, once], [again, again], [others, once])] == [False] * 4
        assert [one.number for one in said_by_us(scene.scene.world, cast)] == [others.number, once.number, again.number]


def test_a_group_that_has_moved_is_where_it_went(tmp_path: Path) -> None:
    with quiet(tmp_path) as scene:
        group = scene.scene.cast.groups["Yard"]
        asked = scene.ask("ask", "aaaaaaaa", group).message
        assert where(asked) is group
        there = scene.scene.world.upgrade(group)
        assert where(asked) is there
