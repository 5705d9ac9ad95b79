from __future__ import annotations

from dataclasses import replace

import pytest

from core.message import PAGE, Chat, ChatKind, Message, Person
from core.workspaces import Listed, Role, Whitelist
from tests.conversations.bot import become_bot
from tests.conversations.stage import DEV, DM, FRONT, GUS, MAX, OLGA, TEAM, Stage

MAX_DM = Chat(FRONT, str(MAX.id))
STOPPED = "stopped: more than 20 answers in a minute"


@pytest.fixture
def stage(stage: Stage) -> Stage:
    """Max owns the workspace of Dev, and nothing else; Olga, who owns the installation, is nobody's owner there."""
    dev = replace(stage.config.named("Dev"), roles={"max": Role.OWNER})
    team = stage.config.named("Team")
    people = (Listed("olga", role=Role.OWNER), Listed("max"), Listed("gus", directory=dev.directory))
    stage.config = replace(stage.config, workspaces=(team, dev), whitelist=Whitelist(people))
    return stage


async def stop_all(stage: Stage) -> None:
    for chat, who in ((DEV, OLGA), (TEAM, OLGA), (Chat(FRONT, str(GUS.id)), GUS)):
        await stage.say(chat, who, "hello")
    await stage.quiet()
    await stage.put("chats", stopped_at=stage.clock.now(), stopped_reason=STOPPED)


async def stopped(stage: Stage) -> set[str]:
    return {row.chat_id for row in await stage.rows("chats", stopped_reason=STOPPED)}


async def test_a9_the_owner_of_a_workspace_lifts_what_belongs_to_it_and_nothing_else(stage: Stage) -> None:
    await stop_all(stage)
    for key in ("-20", "3", "-10", "-99", "99"):
        await stage.say(MAX_DM, MAX, f"/lift {key}")
        await stage.quiet()
    told = stage.front.texts("2")
    assert told[:2] == ["I answer in -20 again.", "I answer in 3 again."]
    sentence = "Only an owner of the installation, or of that chat's workspace, may let me answer in {} again: ask one."
    assert [text.partition(" (E-")[0] for text in told[2:]] == [sentence.format(key) for key in ("-10", "-99", "99")]
    assert await stopped(stage) == {"-10"}


async def test_a9_an_owner_of_the_installation_lifts_everything_also_from_where_a_workspace_has_other_owners(
    stage: Stage,
) -> None:
    await stop_all(stage)
    for words in ("/lift", "/lift -10"):
        await stage.say(DEV, OLGA, words)
        await stage.quiet()
    assert stage.front.texts("-20")[1:] == ["I answer in -20 again.", "I answer in -10 again."]
    assert await stopped(stage) == {"3"}


async def test_a6_a_stop_is_lifted_from_another_front(stage: Stage) -> None:
    await stop_all(stage)
    now = stage.clock.now()
    await stage.reception.receive(Message(PAGE, 1, ChatKind.LOCAL, Person(0), now, "/lift -20"))
    await stage.quiet()
    assert await stopped(stage) == {"-10", "3"}
    become_bot(stage.front)
    stage.attach(stage.front)
    await stage.say(Chat(stage.front.name, DM.key), OLGA, "/lift -10")
    await stage.quiet()
    assert await stopped(stage) == {"3"}


async def test_b8_a_lift_of_three_days_ago_lifts_nothing(stage: Stage) -> None:
    await stage.say(DM, OLGA, "hello")
    await stage.quiet()
    late = stage.front.say("1", OLGA, "/lift")
    stage.clock.advance(3 * 86_400)
    await stage.put("chats", stopped_at=stage.clock.now(), stopped_reason=STOPPED)
    await stage.reception.catch_up(FRONT)
    await stage.quiet()
    assert [row.stopped_reason for row in await stage.rows("chats")] == [STOPPED]
    assert (await stage.row_of(late)).turn_id is None


async def test_a9_an_owner_of_a_workspace_by_a_second_username_lifts_there(stage: Stage) -> None:
    """Though the first one has a role elsewhere."""
    dev = replace(stage.config.named("Dev"), roles={"pia": Role.OWNER})
    team = replace(stage.config.named("Team"), roles={"pia_work": Role.GUEST})
    stage.config = replace(stage.config, workspaces=(team, dev))
    await stage.say(DEV, Person(7, "pia_work", "Pia", more_usernames=("pia",)), "/lift")
    await stage.quiet()
    assert stage.front.texts("-20") == ["I had not stopped answering in -20."]
