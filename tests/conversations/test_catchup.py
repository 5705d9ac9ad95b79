from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from conversations.catchup import GONE, Reader
from conversations.inbox import BEFORE
from conversations.receipt import Receipt
from core.access import Accounts
from core.errors import DatabaseError, FloodWait, Undeliverable, Unreachable
from core.message import Chat, ChatKind
from core.schema import admitted_since
from core.workspaces import Listed, Whitelist, WorkspaceConfig
from integrations.memory import OWN
from tests.conversations.stage import CONFIG, DEV, DM, FRONT, MAX, OLGA, STRANGER, TEAM, Stage, locked, opened
from tests.conversations.test_outbox import waiting


async def marks(stage: Stage) -> dict[str, int]:
    return {row.chat_id: row.mark for row in await stage.rows("chats")}


async def caught_up(stage: Stage) -> None:
    await stage.reception.catch_up(FRONT)
    await stage.quiet()


async def test_b8_a_live_message_moves_no_mark(stage: Stage) -> None:
    await stage.say(DM, OLGA, "hello")
    await stage.quiet()
    assert await marks(stage) == {"1": 0}
    await caught_up(stage)
    assert await marks(stage) == {"1": 2}


async def test_b8_a_gap_before_a_live_message_is_read(stage: Stage) -> None:
    missed = stage.front.say("1", OLGA, "missed")
    await stage.say(DM, OLGA, "heard")
    await stage.quiet()
    await caught_up(stage)
    assert stage.front.texts("1") == ["re: heard", "re: missed"]
    assert (await stage.row_of(missed)).via == "history"


async def test_b8_all_pages_are_read_and_get_one_turn_a_chat(stage: Stage) -> None:
    stage.front.page = 3
    for number in range(10):
        stage.front.say("1", OLGA, f"{number}")
        stage.front.say("-20", MAX, f"{number}")
    await caught_up(stage)
    text = "re: " + "\n".join(f"{number}" for number in range(10))
    assert (stage.front.texts("1"), stage.front.texts("-20")) == ([text], [text])
    assert stage.front.told("1")[0].reply_to == 19
    assert await marks(stage) == {"1": 19, "-20": 20}
    calls = len(stage.front.calls)
    stage.front.lines = [line for line in stage.front.lines if line.sender != OWN]
    await caught_up(stage)
    assert [name for name, _ in stage.front.calls[calls:]] == ["dialogs"]


async def test_a8_a_forum_that_is_left_is_told_once_and_not_by_topic(stage: Stage) -> None:
    await stage.say(DM, OLGA, "hello")
    for key in ("-20/5", "-20", "-20/3"):
        await stage.say(Chat(FRONT, key), MAX, "hello")
    await stage.quiet()
    for key in ("-20", "-20/3", "-20/5"):
        stage.front.leave(key)
    await caught_up(stage)
    assert stage.front.texts("1")[1:] == [GONE.format(front="account", title="-20", key="-20")]


async def test_b8_a_page_and_its_mark_are_one_transaction(stage: Stage) -> None:
    stage.front.page = 2
    for number in range(6):
        stage.front.say("1", OLGA, f"{number}")
    pages: list[int] = []

    def arrived(receipts: list[Receipt]) -> None:
        pages.append(len(receipts))
        if len(pages) == 2:
            raise Unreachable("gone")

    with suppress(Unreachable):
        await stage.catchup.read(stage.front, Reader(arrived, lambda _: None))
    assert (await marks(stage), len(await stage.rows("messages"))) == ({"1": 4}, 4)
    await caught_up(stage)
    assert stage.front.texts("1") == ["re: " + "\n".join("012345")]


async def test_b8_a_flood_wait_in_the_middle_loses_nothing(stage: Stage) -> None:
    stage.front.page = 2
    for number in range(4):
        stage.front.say("1", OLGA, f"{number}")
    stage.front.refuse("dialogs", FloodWait(5))
    reading = asyncio.create_task(stage.reception.catch_up(FRONT))
    for call in ("history", "nothing"):
        await waiting(stage, 5)
        stage.front.refuse(call, FloodWait(5))
        stage.clock.advance(5)
    await reading
    await stage.quiet()
    assert stage.front.texts("1") == ["re: 0\n1\n2\n3"]


async def test_b8_a_chat_that_refuses_keeps_no_other_from_being_read(stage: Stage) -> None:
    stage.front.say("-20", MAX, "one")
    stage.front.say("1", OLGA, "two")
    stage.front.refuse("history", Undeliverable("The account is no longer a member of this chat."))
    await caught_up(stage)
    assert (stage.front.texts("-20"), stage.front.texts("1")) == ([], ["re: two"])


@pytest.mark.parametrize("call", ["dialogs", "history"])
async def test_b8_an_unreachable_service_is_told_to_who_asked(stage: Stage, call: str) -> None:
    stage.front.say("1", OLGA, "one")
    stage.front.refuse(call, Unreachable("No answer."))
    with pytest.raises(Unreachable):
        await stage.reception.catch_up(FRONT)
    await caught_up(stage)
    assert stage.front.texts("1") == ["re: one"]


async def test_b8_asked_again_meanwhile_it_reads_once_more(stage: Stage) -> None:
    release = stage.front.hold("dialogs")
    readings = [asyncio.create_task(stage.reception.catch_up(FRONT)) for _ in range(4)]
    await stage.front.until(lambda: ("dialogs", "") in stage.front.calls)
    stage.front.say("1", OLGA, "one")
    release.set()
    await asyncio.gather(*readings)
    await stage.quiet()
    assert stage.front.texts("1") == ["re: one"]
    assert stage.front.calls.count(("dialogs", "")) == 2


async def test_b8_a_reading_that_is_given_up_while_it_waits_keeps_no_later_one_away(stage: Stage) -> None:
    release = stage.front.hold("dialogs")
    readings = [asyncio.create_task(stage.reception.catch_up(FRONT)) for _ in range(2)]
    await stage.front.until(lambda: ("dialogs", "") in stage.front.calls)
    for reading in readings:
        reading.cancel()
    await asyncio.gather(*readings, return_exceptions=True)
    release.set()
    stage.front.say("1", OLGA, "one")
    await caught_up(stage)
    assert stage.front.texts("1") == ["re: one"]


async def test_b8_a_chat_begins_when_the_configuration_first_admitted_it(stage: Stage) -> None:
    stage.clock.advance(-100)
    stage.front.say("1", OLGA, "long ago")
    stage.clock.advance(200)
    stage.front.say("1", OLGA, "while we were down")
    await caught_up(stage)
    assert stage.front.texts("1") == ["re: while we were down"]
    assert len(await stage.rows("messages")) == 1


async def test_b8_a_chat_admitted_while_running_begins_then(stage: Stage) -> None:
    stage.front.say("9", STRANGER, "before")
    stage.clock.advance(60)
    stage.config = replace(CONFIG, whitelist=Whitelist((Listed("nobody"),)))
    stage.front.say("9", STRANGER, "after")
    stage.clock.advance(1)
    await caught_up(stage)
    assert stage.front.told("9") == []  # no configuration was noted: it is admitted from now on
    await stage.inbox.note_configuration()
    await stage.say(Chat(FRONT, "9"), STRANGER, "now")
    await stage.quiet()
    assert stage.front.texts("9") == ["re: now"]


async def test_b8_what_is_too_old_is_passed_over_and_says_so(stage: Stage) -> None:
    old = stage.front.say("1", OLGA, "old")
    stage.clock.advance(25 * 3600)
    stage.front.say("1", OLGA, "young")
    await caught_up(stage)
    assert stage.front.texts("1") == ["re: young"]
    assert (await stage.row_of(old)).reason == "too old to be answered when it was read"


async def test_b8_commands_in_the_history_are_answered_too(stage: Stage) -> None:
    for text in ("/ping", "hello"):
        stage.front.say("1", OLGA, text)
    await caught_up(stage)
    assert sorted(stage.front.texts("1")) == ["pong: all is well", "re: hello"]


async def test_b8_only_admitted_chats_of_this_front_are_read(stage: Stage) -> None:
    stage.accounts = Accounts(frozenset({OWN.id}), frozenset({"valor_ai"}), frozenset({"account", "bot"}))
    stage.config = replace(CONFIG, workspaces=(CONFIG.workspaces[0], replace(CONFIG.workspaces[1], front="bot")))
    stage.front.say("9", STRANGER, "stranger")
    stage.front.say("-77", OLGA, "no workspace")
    stage.front.say("-20", OLGA, "the bot's")
    stage.front.say("-10", OLGA, "@valor_ai ours")
    stage.front.meet("100", ChatKind.SELF)
    await caught_up(stage)
    assert [what for name, what in stage.front.calls if name == "history"] == ["-10", "-10"]
    assert (stage.front.texts("-10"), stage.front.texts("-20")) == (["re: ours"], [])


async def test_b8_the_catch_up_reads_own_messages_without_storing_them_again(stage: Stage) -> None:
    await stage.say(DM, OLGA, "hello")
    await stage.quiet()
    await caught_up(stage)
    assert [row.text for row in await stage.rows("messages")] == ["hello"]


async def test_b8_a_message_that_arrives_while_the_database_is_locked_is_kept(stage: Stage) -> None:
    message = stage.front.say("1", OLGA, "hello")
    with locked(stage.folder):
        with pytest.raises(DatabaseError):
            await stage.reception.take(message)
        receiving = asyncio.create_task(stage.reception.receive(message))
        for _ in range(3):  # the last one waits behind the message
            with pytest.raises(DatabaseError):
                await stage.database.write("other", lambda connection: None)
    await receiving
    await stage.quiet()
    assert stage.front.texts("1") == ["re: hello"]


async def test_a1_without_configuration_no_history_is_read(stage: Stage) -> None:
    stage.config = WorkspaceConfig(stage.folder)
    for chat in (DM, TEAM, DEV):
        stage.front.say(chat.key, OLGA, "hello")
    await caught_up(stage)
    assert [name for name, _ in stage.front.calls] == ["dialogs"]


async def test_b8_a_joined_message_restarts_the_run_that_has_shown_nothing(stage: Stage) -> None:
    with stage.agent.holding() as release:
        await stage.say(DM, OLGA, "one")
        await stage.agent.next_begun()
        stage.front.say("1", OLGA, "two")
        await stage.reception.catch_up(FRONT)
        await stage.agent.next_begun()
        release.set()
        await stage.quiet()
    assert stage.front.texts("1") == ["re: one\ntwo"]


async def test_b8_both_ends_of_a_kill_between_two_pages(stage: Stage) -> None:
    stage.front.page = 1
    for number in range(3):
        stage.front.say("1", OLGA, f"{number}")
    await stage.inbox.note_configuration()
    pages = stage.front.history(DM, 0, stage.clock.now())
    await stage.catchup._readings(
        stage.front, (await stage.front.dialogs())[:1], Reader(lambda _: None, lambda _: None)
    )
    await stage.inbox.receive_page(DM, await anext(pages))
    await stage.die()
    async with opened(stage.again()) as following:
        await caught_up(following)
        assert following.front.texts("1") == ["re: 0\n1\n2"]


async def test_a8_a_front_that_has_no_list_of_its_chats_has_lost_none_of_them(stage: Stage) -> None:
    stage.front.lists_chats = False
    await stage.say(DEV, MAX, "hello")
    await stage.quiet()
    await caught_up(stage)
    assert [row.gone_at for row in await stage.rows("chats")] == [None]
    assert [row.text for row in await stage.rows("deliveries")] == ["re: hello"]
    assert "dialogs" not in [name for name, _ in stage.front.calls]


async def test_b8_what_was_edited_unheard_is_read_again_in_every_admitted_chat_that_lets_us(stage: Stage) -> None:
    """A wait is waited out, a chat that refuses keeps no other back, and others' groups are not asked."""
    began = stage.clock.now()
    stage.clock.advance(10)
    stage.front.meet("-99", ChatKind.GROUP)
    said = [await stage.say(chat, OLGA, "hello") for chat in (TEAM, DEV, DM)]
    await stage.quiet()
    for message in said:
        stage.front.change(message, "@valor_ai hello there")
    stage.front.refuse("history", Undeliverable("The account is no member."), FloodWait(30))
    reading = asyncio.create_task(stage.reception.reread(FRONT, began))
    await waiting(stage, 30)
    stage.clock.advance(30)
    await reading
    await stage.quiet()
    texts = {row.chat_id: row.text for row in await stage.rows("messages")}
    refused = next(key for key, text in texts.items() if text == "hello")
    assert texts == {"-10": "@valor_ai hello there", "-20": "@valor_ai hello there", "1": "@valor_ai hello there"} | {
        refused: "hello"
    }
    assert ("history", "-99") not in stage.front.calls


async def test_b8_an_edit_makes_nothing_ask_that_was_said_before_its_chat_began(stage: Stage) -> None:
    old = [stage.front.say(chat, OLGA, "long ago") for chat in ("1", "-20")]
    stage.clock.advance(3600)
    stage.config = replace(stage.config, groups={**stage.config.groups})
    await stage.database.write("anew", lambda connection: connection.execute(admitted_since.delete()))
    await stage.inbox.note_configuration()
    for message in old:
        await stage.edit(message, "long ago, typo mended")
    await stage.quiet()
    assert (stage.front.texts("1"), stage.front.texts("-20")) == ([], [])
    assert {row.reason for row in await stage.rows("messages")} == {BEFORE}
