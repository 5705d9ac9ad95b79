from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from conversations.inbox import Limits
from conversations.moves import Moves
from conversations.reception import Reception
from core.errors import DatabaseError
from core.message import Chat
from core.workspaces import Workspace
from tests.conversations.stage import CONFIG, DEV, DM, FRONT, MAX, OLGA, TEAM, Stage, locked


async def test_b2_the_row_is_committed_before_anything_is_shown(stage: Stage) -> None:
    assert isinstance(stage.reception, Reception)
    release = stage.front.hold("react")
    message = await stage.say(DM, OLGA, "hello")
    await stage.front.until(lambda: ("react", f"{message.id}👀") in stage.front.calls)
    assert (await stage.row_of(message)).answer
    release.set()
    await stage.quiet()


async def test_b1_who_hands_a_message_in_learns_what_became_of_it(stage: Stage) -> None:
    receipt = await stage.reception.take(stage.front.say("-10", OLGA, "hello"))
    assert (receipt.is_new, receipt.turn_id, receipt.reason) == (False, None, "no mention")
    receipt = await stage.reception.take(stage.front.say(TEAM.key, OLGA, "@valor_ai hello"))
    assert (receipt.is_new, receipt.turn_id, receipt.reason) == (True, 1, "mention")


async def test_b8_what_waited_for_a_front_without_history_is_answered_by_one_turn_a_chat(stage: Stage) -> None:
    begin = stage.clock.now()
    old = replace(stage.front.say("-20", OLGA, "of last week"), sent_at=begin - timedelta(days=2))
    lines = [stage.front.say("-20", who, f"from {who.name}") for who in (OLGA, MAX)]
    await stage.reception.receive_waiting([old, *lines])
    rows = await stage.rows("messages")
    assert [row.answer for row in rows] == [False, True, True]
    assert [row.status for row in await stage.rows("turns")] == ["open"]  # nothing is begun before all of it is there
    assert stage.front.texts("-20") == []
    await stage.reception.catch_up(FRONT)
    await stage.quiet()
    assert stage.front.texts("-20") == ["re: from Olga\nfrom Max"]


async def test_b8_the_owner_is_told_when_what_waited_was_too_much(stage: Stage) -> None:
    stage.inbox._limits = Limits(answers_per_minute=1)
    await stage.say(DM, OLGA, "here I am")
    await stage.reception.receive_waiting([stage.front.say("2", MAX, "/ping") for _ in range(2)])
    await stage.reception.catch_up(FRONT)
    await stage.quiet()
    assert any("stopped answering" in text for text in stage.front.texts("1"))


async def test_b8_what_waited_is_written_when_the_database_can_be_used_again(stage: Stage, folder: Path) -> None:
    with locked(folder):
        waiting = asyncio.create_task(stage.reception.receive_waiting([stage.front.say("1", OLGA, "hello")]))
        await asyncio.wait([waiting], timeout=0.3)
        assert not waiting.done()
    await waiting
    assert [row.text for row in await stage.rows("messages")] == ["hello"]


async def test_b8_a_move_that_was_told_while_the_table_could_not_be_read_is_followed_all_the_same(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits there begins without another word of anybody."""
    load, tries = Moves.load, 0

    async def fail_at_first(moves: Moves) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise DatabaseError("The disk is full.")
        await load(moves)

    monkeypatch.setattr(Moves, "load", fail_at_first)
    await stage.inbox.receive(stage.front.say(DEV.key, MAX, "last words"))
    there = stage.front.move(DEV.key, "-1005", OLGA)[0]
    await stage.reception.receive(there)
    await stage.quiet()
    assert stage.front.texts("-1005") == ["re: last words"]


async def test_b12_the_owner_is_told_once_of_a_group_that_a_bot_was_put_out_of(stage: Stage) -> None:
    """A bot has no list of its groups: Telegram tells it of each change. Other groups are nobody's business."""
    await stage.say(DM, OLGA, "hello")
    await stage.say(DEV, OLGA, "hello")
    for chat in (DEV, DEV, Chat(FRONT, "-99")):
        await stage.reception.belongs(chat, "Dev", False)
    await stage.quiet()
    gone = [text for text in stage.front.texts(DM.key) if "is no longer in the group Dev (-20)" in text]
    assert len(gone) == 1
    for is_part in (True, False):
        stage.clock.advance(90)
        await stage.reception.belongs(DEV, "Dev", is_part)
    await stage.quiet()
    assert len([text for text in stage.front.texts(DM.key) if "is no longer" in text]) == 2


async def put_out(stage: Stage, chat: Chat) -> list[str]:
    """What the owner is told of it."""
    await stage.say(DM, OLGA, "hello")
    await stage.reception.belongs(chat, "Dev", False)
    await stage.quiet()
    return [text for text in stage.front.texts(DM.key) if "is no longer" in text]


async def test_b12_a_group_that_has_become_another_is_not_missed(stage: Stage) -> None:
    """Telegram says that a bot has left the group when the supergroup is deleted."""
    await stage.say(DEV, MAX, "hello")
    await stage.reception.receive(stage.front.move(DEV.key, "-1005", OLGA)[0])
    assert await put_out(stage, DEV) == []


async def test_b12_a_group_that_the_other_front_serves_by_now_is_not_missed(stage: Stage) -> None:
    await stage.say(DEV, MAX, "hello")
    stage.config = replace(CONFIG, workspaces=(Workspace("Dev", Path("/srv/dev"), front="bot"),))
    assert await put_out(stage, DEV) == []


async def test_b12_a_forum_is_missed_once_though_only_its_topics_are_known(stage: Stage) -> None:
    stage.config = replace(CONFIG, groups={}, topics={"-20/7": "Dev", "-20/8": "Dev"})
    for key in ("-20/7", "-20/8", "-20"):
        await stage.say(Chat(FRONT, key), MAX, "hello")
    assert len(await put_out(stage, DEV)) == 1
