from __future__ import annotations

from dataclasses import replace

import pytest

from conversations.alert_store import Alert, owner_chats, write_alert
from core.message import PAGE, Chat, ChatKind, Message, Person
from core.workspaces import Listed, Role, Whitelist
from integrations.telegram.presses import number_of
from tests.conversations.stage import DEV, DM, FRONT, GUS, MAX, OLGA, OWN, Stage

MAX_DM = Chat(FRONT, str(MAX.id))
MAX_OWNS = Whitelist((Listed("olga", role=Role.MEMBER), Listed("max", role=Role.OWNER)))


async def owners(stage: Stage) -> list[Chat]:
    return await stage.database.read(lambda connection: owner_chats(connection, stage.config))


async def told(stage: Stage, sentence: str) -> list[Chat]:
    """Where the owner is owed a sentence."""
    await stage.alerts.tell_owner(sentence)
    return [Chat(row.front, row.chat_id) for row in await stage.rows("deliveries", text=sentence)]


async def test_a6_alerts_go_to_the_owner_s_newest_direct_chat(stage: Stage) -> None:
    await stage.say(MAX_DM, MAX, "hello")
    assert await owners(stage) == []
    await stage.say(DM, OLGA, "hello")
    await stage.say(DM, OWN, "by hand")
    await stage.say(DEV, OLGA, "hello")
    assert await owners(stage) == [DM]


async def test_a6_a_pressed_button_makes_a_chat_the_newest_too(stage: Stage) -> None:
    stage.config = replace(stage.config, whitelist=Whitelist((*MAX_OWNS.entries[1:], Listed("olga", role=Role.OWNER))))
    await stage.say(DM, OLGA, "hello")
    await stage.say(MAX_DM, MAX, "hello")
    assert await owners(stage) == [MAX_DM, DM]
    now = stage.clock.now()
    press = Message(DM, number_of("1"), ChatKind.DM, OLGA, now, "/approve 7", reply_to=900, pressed="1", heard_at=now)
    await stage.reception.press(press)
    assert await owners(stage) == [DM, MAX_DM]


async def test_a9_who_is_no_owner_any_more_is_told_nothing_and_who_is_one_by_now_at_once(stage: Stage) -> None:
    await stage.say(DM, OLGA, "hello")
    await stage.say(MAX_DM, MAX, "hello")
    assert await told(stage, "The disk is full.") == [DM]
    stage.config = replace(stage.config, whitelist=MAX_OWNS)
    assert await told(stage, "The disk is fuller.") == [MAX_DM]
    stage.config = replace(stage.config, whitelist=Whitelist((Listed("gus", role=Role.OWNER),)))
    assert await told(stage, "The disk is bursting.") == [PAGE]


@pytest.mark.parametrize("role", [Role.OWNER, Role.MEMBER])
async def test_a9_the_owners_of_one_workspace_are_not_those_of_the_installation(stage: Stage, role: Role) -> None:
    dev = replace(stage.config.named("Dev"), roles={"max": Role.OWNER, "olga": role})
    people = (Listed("olga", directory=dev.directory, role=Role.OWNER), Listed("max", directory=dev.directory))
    stage.config = replace(stage.config, workspaces=(dev,), whitelist=Whitelist(people))
    await stage.say(DM, OLGA, "hello")
    await stage.say(MAX_DM, MAX, "hello")
    assert [row.role for row in await stage.rows("messages")] == [role, "owner"]
    assert await owners(stage) == [DM]


async def test_a9_a_username_that_has_changed_hands_takes_the_alerts_with_it(stage: Stage) -> None:
    await stage.say(DM, OLGA, "hello")
    stage.config = replace(stage.config, whitelist=replace(MAX_OWNS, entries=(*MAX_OWNS.entries, Listed(id=1))))
    await stage.say(DM, Person(OLGA.id, "ole", "Olga"), "my name is another now")
    stage.config = replace(stage.config, whitelist=Whitelist((Listed("olga", role=Role.OWNER), Listed(id=GUS.id))))
    assert await owners(stage) == []
    await stage.say(Chat(FRONT, str(GUS.id)), Person(GUS.id, "Olga", "Gus"), "and mine")
    assert await owners(stage) == [Chat(FRONT, str(GUS.id))]


async def test_the_owner_is_owed_a_sentence_once_within_a_minute(stage: Stage) -> None:
    await stage.say(DM, OLGA, "hello")
    alert, now = Alert("Mind this."), stage.clock.now()
    for _ in range(2):
        await stage.database.write("alert", lambda connection: write_alert(connection, alert, stage.config, now))
    stage.outbox.wake()
    await stage.quiet()
    assert stage.front.texts(DM.key).count("Mind this.") == 1
