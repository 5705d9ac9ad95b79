"""What is heard live while histories are read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

import pytest

from conversations import catchup
from conversations.moves import Moves
from core.errors import DatabaseError, FloodWait, Undeliverable, Unreachable
from core.message import Chat, Message
from core.schema import chats
from tests.conversations.stage import DEV, DM, FRONT, MAX, OLGA, TEAM, Stage
from tests.conversations.test_outbox import waiting


@asynccontextmanager
async def reading(stage: Stage, call: str = "history") -> AsyncGenerator[asyncio.Event]:
    """Within the block a catch-up is under way, which gets no answer to this call before the event is set."""
    release = stage.front.hold(call)
    catching_up = asyncio.create_task(stage.reception.catch_up(FRONT))
    try:
        async with asyncio.timeout(10):
            await stage.front.until(lambda: any(name == call for name, _ in stage.front.calls))
            yield release
            release.set()
            with suppress(Unreachable):
                await catching_up
            await stage.quiet()
    finally:
        catching_up.cancel()


def hear(stage: Stage, message: Message) -> asyncio.Task[None]:
    return asyncio.create_task(stage.reception.receive(message))


async def until_idle(stage: Stage) -> None:
    """Until whatever does not wait for somebody else has run, and is written."""
    for _ in range(10):
        await stage.database.write("test", lambda connection: None)


@pytest.mark.parametrize("call", ["dialogs", "history"])
async def test_b8_what_is_heard_waits_for_what_was_missed_before_it(stage: Stage, call: str) -> None:
    missed = stage.front.say("1", OLGA, "missed")
    async with reading(stage, call) as release:
        heard = hear(stage, stage.front.say("1", OLGA, "heard"))
        await until_idle(stage)
        assert not heard.done()
        assert await stage.rows("messages") == []
        release.set()
        await heard
    assert (await stage.row_of(missed)).via == "history"
    assert stage.front.texts("1") == ["re: missed\nheard"]


async def test_b8_what_the_history_had_costs_no_transaction_more(stage: Stage) -> None:
    message = stage.front.say("1", OLGA, "hello")
    async with reading(stage) as release:
        heard = hear(stage, message)
        release.set()
        await heard
    names: list[str] = []
    stage.database.edge = names.append
    await stage.reception.receive(message)
    assert names == []
    await stage.edit(message, "hello?")
    await stage.say(DM, OLGA, "and now?")
    await stage.quiet()
    assert names.count("receive:after-commit") == 2
    assert [row.text for row in await stage.rows("messages")] == ["hello?", "and now?"]


async def test_b8_an_edit_waits_for_no_history(stage: Stage) -> None:
    message = stage.front.say("1", OLGA, "hello")
    async with reading(stage):
        await stage.edit(message, "hello?")
        assert (await stage.row_of(message)).text == "hello?"


async def test_b8_a_chat_in_which_nothing_was_missed_waits_for_no_other(stage: Stage) -> None:
    stage.front.say("1", OLGA, "missed")
    async with reading(stage):
        await stage.say(DEV, MAX, "heard")
        await stage.front.until(lambda: stage.front.texts(DEV.key) == ["re: heard"])
        assert stage.front.texts(DM.key) == []
    assert stage.front.texts(DM.key) == ["re: missed"]


@pytest.mark.parametrize("call", ["dialogs", "history"])
async def test_b8_what_is_heard_waits_for_no_patience_with_the_service(stage: Stage, call: str) -> None:
    stage.front.say("1", OLGA, "missed")
    stage.front.refuse(call, FloodWait(600))
    async with reading(stage, call) as release:
        heard = hear(stage, stage.front.say("1", OLGA, "heard"))
        await until_idle(stage)
        release.set()
        await waiting(stage, 600)
        await heard
        await stage.front.until(lambda: stage.front.texts("1") == ["re: heard"])
        stage.clock.advance(600)
    assert stage.front.texts("1") == ["re: heard", "re: missed"]


@pytest.mark.parametrize("error", [Unreachable("Lost."), Undeliverable("Not here.")])
@pytest.mark.parametrize("call", ["dialogs", "history"])
async def test_b8_a_history_that_cannot_be_read_keeps_nothing_waiting(
    stage: Stage, call: str, error: Exception
) -> None:
    stage.front.say("1", OLGA, "missed")
    stage.front.refuse(call, error)
    with suppress(Undeliverable):
        async with reading(stage, call) as release:
            heard = hear(stage, stage.front.say("1", OLGA, "heard"))
            await until_idle(stage)
            release.set()
            await heard
    await stage.quiet()
    assert stage.front.texts("1")[0] == "re: heard"


async def test_b8_what_is_older_than_the_history_is_not_taken_for_read(stage: Stage) -> None:
    """As where our clock was ahead of Telegram's when the chat was met."""
    message = stage.front.say("1", OLGA, "hello")
    stage.clock.advance(3600)
    async with reading(stage, "dialogs"):
        pass
    later = {"since": message.sent_at + timedelta(hours=1)}
    await stage.database.write("test", lambda connection: connection.execute(chats.update().values(**later)))
    stage.front.say("1", OLGA, "once more")
    async with reading(stage, "dialogs"):
        pass
    assert stage.catchup._read[DM].number == 3
    assert not await stage.catchup.has_read(message)


async def test_b8_a_chat_that_has_been_read_is_answered_before_the_others_are(stage: Stage) -> None:
    history, gate = stage.front.history, asyncio.Event()

    async def slow(chat: Chat, after: int, since: datetime) -> AsyncGenerator[list[Message]]:
        if chat == TEAM:
            await gate.wait()
        async for page in history(chat, after, since):
            yield page

    stage.front.history = slow
    for key in (DM.key, TEAM.key):
        stage.front.say(key, OLGA, "@valor_ai missed")
    async with reading(stage, "dialogs") as release:
        release.set()
        await stage.front.until(lambda: len(stage.front.texts(DM.key)) == 1)
        assert stage.front.texts(TEAM.key) == []
        gate.set()
    assert len(stage.front.texts(TEAM.key)) == 1


@pytest.mark.parametrize("error", [FloodWait(600), Undeliverable("Not here.")])
async def test_b8_what_was_read_before_a_refusal_is_answered_at_once(stage: Stage, error: Exception) -> None:
    """Also where the one that was heard live is among it."""
    history, gate = stage.front.history, asyncio.Event()

    async def refusing(chat: Chat, after: int, since: datetime) -> AsyncGenerator[list[Message]]:
        if chat == TEAM:
            await gate.wait()
        async for page in history(chat, after, since):
            yield page
            if chat == DM:
                stage.front.history = history
                raise error

    stage.front.history = refusing
    message = stage.front.say("1", OLGA, "hello")
    stage.front.say(TEAM.key, OLGA, "@valor_ai hello")
    async with reading(stage, "dialogs") as release:
        heard = hear(stage, message)
        release.set()
        await heard
        await stage.front.until(lambda: stage.front.texts("1") == ["re: hello"])
        assert stage.front.texts(TEAM.key) == []
        gate.set()
        stage.clock.advance(600)
    assert [stage.front.texts(chat.key) for chat in (DM, TEAM)] == [["re: hello"], ["re: hello"]]


async def test_b8_who_waits_behind_a_chat_that_has_to_be_patient_is_heard(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catchup, "AT_ONCE", 1)
    for key in (DEV.key, DM.key):
        stage.front.say(key, OLGA, "missed")
    stage.front.refuse("history", FloodWait(600))
    async with reading(stage) as release:
        heard = [hear(stage, stage.front.say(key, OLGA, "heard")) for key in (DEV.key, DM.key)]
        release.set()
        await waiting(stage, 600)
        await asyncio.gather(*heard)
        assert [row.via for row in await stage.rows("messages", text="heard")] == ["live", "live"]
        stage.clock.advance(600)


async def test_b8_the_history_of_a_group_that_moved_keeps_nobody_waiting(stage: Stage) -> None:
    stage.front.say(DEV.key, OLGA, "missed")
    stage.front.move(DEV.key, "-1000000000099", OLGA)
    stage.front.refuse("history", FloodWait(600))
    async with reading(stage) as release:
        heard = hear(stage, stage.front.say("1", OLGA, "heard"))
        release.set()
        await waiting(stage, 600)
        await heard
        assert [row.via for row in await stage.rows("messages", text="heard")] == ["live"]
        stage.clock.advance(600)


async def test_b8_a_database_that_fails_after_the_reading_leaves_no_turn_behind(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, failures = stage.moves.load, [DatabaseError("Locked.")]

    async def fail_once(_: Moves) -> None:
        if failures:
            raise failures.pop()
        await load()

    await stage.inbox.note_configuration()
    await stage.inbox.receive_page(DM, [stage.front.say("1", OLGA, "hello")])  # as a process did that has ended
    monkeypatch.setattr(Moves, "load", fail_once)
    await stage.reception.catch_up(FRONT)
    await stage.quiet()
    assert stage.front.texts("1") == ["re: hello"]
