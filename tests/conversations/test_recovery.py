"""What becomes of a turn when its process, or the database under it, goes away."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Connection

from conversations.turn import Ending, Turn
from conversations.turns import DEATHS, Gate
from core.errors import DatabaseError
from core.message import Chat
from core.protocols import Call
from tests.conversations.stage import DM, FRONT, MAX, OLGA, Stage, locked, make_promise, opened


async def test_b6_a_stop_survives_the_process(folder: Path) -> None:
    stage = Stage(folder)
    await stage.open()
    with stage.agent.holding():
        await stage.say(DM, OLGA, "work")
        await stage.agent.next_begun()
        await stage.inbox.receive(stage.front.say("1", OLGA, "stop"))
        await stage.die()
    async with opened(stage.again()) as stage:
        await stage.turns.begin_all([FRONT])
        await stage.quiet()
        assert stage.front.texts("1") == ["Stopped. Nothing had been done yet."]


async def test_b1_a_killed_server_goes_on_with_the_same_run(folder: Path) -> None:
    stage = Stage(folder)
    await stage.open()
    with stage.agent.holding():
        await stage.say(DM, OLGA, "work")
        before = await stage.agent.next_begun()
        await stage.die()
    async with opened(stage.again()) as stage:
        await stage.turns.begin_all([FRONT])
        await stage.quiet()
        after = stage.agent.asked[-1][0]
        assert (after.run_id, after.epoch, after.attempts) == (before.run_id, 2, 2)
        assert stage.front.texts("1") == ["re: work"]


async def test_b1_what_is_written_while_we_are_down_joins_only_a_turn_without_effects(folder: Path) -> None:
    """A journaled run answers what it was asked: what comes later is not its question."""

    async def work(turn: Turn, gate: Gate) -> str:
        if turn.chat == DM:
            await gate()
            sealed.set()
        return await asyncio.Future[str]()

    sealed = asyncio.Event()
    stage = Stage(folder)
    await stage.open()
    stage.agent.script = work
    await stage.say(DM, OLGA, "sealed")
    await stage.say(Chat(FRONT, "2"), MAX, "open")
    runs = {(await stage.agent.next_begun()).run_id for _ in range(2)}
    await sealed.wait()
    await stage.die()
    stage = stage.again()
    stage.agent.script = _echo
    stage.front.say("1", OLGA, "later")
    stage.front.say("2", MAX, "later")
    async with opened(stage):
        await stage.reception.catch_up(FRONT)
        await stage.quiet()
        assert stage.front.texts("1") == ["re: sealed", "re: later"]
        assert stage.front.texts("2") == ["re: open\nlater"]
        again = {turn.run_id for turn, _ in stage.agent.asked[2:]}
        assert len(runs & again) == 1


async def test_b1_a_message_that_kills_the_server_three_times_is_set_aside(folder: Path) -> None:
    stage = Stage(folder)
    stage.front.say("1", OLGA, "poison")
    for _ in range(3):
        await stage.open()
        with stage.agent.holding():
            await stage.reception.catch_up(FRONT)
            await stage.agent.next_begun()
            await stage.die()
        stage = stage.again()
    for _ in range(2):
        await stage.open()
        await stage.reception.catch_up(FRONT)
        await stage.quiet()
        await stage.die()
        stage = stage.again()
    async with opened(stage):
        (told,), (row,) = stage.front.texts("1"), await stage.rows("turns")
        assert told.startswith("I set this message aside: I was ended 3 times while working on it. (E-")
        assert (row.status, len(stage.agent.asked)) == ("aside", 3)


async def test_b1_a_message_that_joins_what_is_set_aside_goes_with_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes between the claim and the end: the turn is not left running with nobody at it."""
    stage = Stage(folder)
    await stage.open()
    await stage.inbox.receive(stage.front.say("1", OLGA, "poison"))
    await stage.put("turns", attempts=DEATHS)
    end, joined = stage.turns._end, False

    async def join_first(turn: Turn, ending: Ending) -> object:
        nonlocal joined
        if not joined:
            joined = True
            await stage.say(DM, OLGA, "and more")
        return await end(turn, ending)

    monkeypatch.setattr(stage.turns, "_end", join_first)
    stage.turns.wake(DM)
    await stage.quiet()
    ended = [(row.status, row.joined) for row in await stage.rows("turns")]
    await stage.close()
    assert ended == [("aside", 2)]


async def test_p1_the_acknowledgement_of_a_turn_that_is_set_aside_is_told_once(folder: Path) -> None:
    stage = Stage(folder)
    stage.front.say("1", OLGA, "poison")
    for _ in range(DEATHS):
        made = asyncio.Event()

        async def promise(turn: Turn, gate: Gate, stage: Stage = stage, made: asyncio.Event = made) -> str:
            await gate()
            await make_promise(stage.database, stage.clock, turn.asker, "task", Call(turn.run_id, "1", turn.id))
            made.set()
            return await asyncio.Future[str]()

        stage.agent.script = promise
        await stage.open()
        await stage.reception.catch_up(FRONT)
        await made.wait()
        await stage.die()
        stage = stage.again()
    async with opened(stage):
        await stage.reception.catch_up(FRONT)
        await stage.quiet()
        acknowledged, aside = stage.front.texts("1")
    assert acknowledged == "Promise #1"
    assert aside.startswith("I set this message aside")


async def test_s2_an_orderly_end_leaves_work_and_is_no_death(folder: Path) -> None:
    stage = Stage(folder)
    for _ in range(4):
        await stage.open()
        with stage.agent.holding():
            await stage.say(DM, OLGA, "work") if stage.pid == 1 else await stage.turns.begin_all([FRONT])
            turn = await stage.agent.next_begun()
            await stage.close()
        assert turn.attempts == 1
        stage = stage.again()
    async with opened(stage):
        await stage.turns.begin_all([FRONT])
        await stage.quiet()
        assert stage.front.texts("1") == ["re: work"]


async def test_s2_nothing_begins_after_the_end(folder: Path) -> None:
    stage = Stage(folder)
    await stage.open()
    await stage.turns.close()
    await stage.say(DM, OLGA, "hello")
    await stage.say(DM, OLGA, "/ping")
    await stage.quiet()
    assert stage.agent.asked == []
    await stage.die()
    async with opened(stage.again()) as stage:
        await stage.turns.begin_all([FRONT])
        await stage.quiet()
        assert sorted(stage.front.texts("1")) == ["pong: all is well", "re: hello"]


async def test_s2_a_turn_that_was_joined_as_the_end_came_is_left(stage: Stage) -> None:
    with stage.agent.holding():
        await stage.say(DM, OLGA, "one")
        turn = await stage.agent.next_begun()
        stage.turns.take_in(turn.id, 99)
        await stage.turns.close()
    (row,) = await stage.rows("turns")
    assert (row.status, row.attempts) == ("open", 0)


async def test_s2_a_locked_database_does_not_keep_the_server_from_ending(stage: Stage, folder: Path) -> None:
    with stage.agent.holding():
        await stage.say(DM, OLGA, "one")
        await stage.agent.next_begun()
        with locked(folder):
            await stage.turns.close()
    assert [row.status for row in await stage.rows("turns")] == ["running"]


async def test_bad_input_a_database_locked_while_a_turn_ends_loses_nothing(stage: Stage, folder: Path) -> None:
    with stage.agent.holding() as release:
        await stage.say(DM, OLGA, "hello")
        await stage.agent.next_begun()
        with locked(folder):
            release.set()
            await asyncio.wait(stage.turns._chats.values())
            stage.turns.wake(DM)  # a claim that finds the lock as well
            await asyncio.wait(stage.turns._chats.values())
        await stage.front.until(lambda: bool(stage.front.told("1")))
        await stage.quiet()
    assert stage.front.texts("1") == ["re: hello"]
    assert [(row.status, row.attempts) for row in await stage.rows("turns")] == [("done", 1)]


async def test_bad_input_a_database_locked_while_a_command_ends_loses_nothing(stage: Stage, folder: Path) -> None:
    claimed = asyncio.Event()

    def lock(connection: Connection) -> None:
        loop.call_soon_threadsafe(claimed.set)

    loop = asyncio.get_running_loop()
    receipt = await stage.inbox.receive(stage.front.say("1", OLGA, "/ping"))
    stage.turns.wake(DM, receipt.turn_id)
    await stage.database.write("after the claim", lock)
    await claimed.wait()
    with locked(folder):
        await asyncio.wait(stage.turns._commands)
    await stage.front.until(lambda: bool(stage.front.told("1")))
    await stage.quiet()
    assert stage.front.texts("1") == ["pong: all is well"]
    assert [(row.status, row.attempts) for row in await stage.rows("turns")] == [("done", 1)]


async def test_bad_input_a_turn_that_found_the_database_out_of_order_is_begun_again(stage: Stage) -> None:
    """As often as it takes: with the same run, whose journal holds what was done."""

    async def fail_at_first(turn: Turn, gate: Gate) -> str:
        if len(stage.agent.asked) <= DEATHS:
            raise DatabaseError("The disk is full.")
        return "re: hello"

    stage.agent.script = fail_at_first
    await stage.say(DM, OLGA, "hello")
    await stage.front.until(lambda: bool(stage.front.told("1")))
    await stage.quiet()
    assert stage.front.texts("1") == ["re: hello"]
    assert len({turn.run_id for turn, _ in stage.agent.asked}) == 1
    assert [(row.status, row.attempts) for row in await stage.rows("turns")] == [("done", 1)]


async def test_bad_input_an_end_that_can_never_be_written_is_set_aside(stage: Stage) -> None:
    """A fault of ours, not of the file: it would come again forever."""

    async def garbage(turn: Turn, gate: Gate) -> str:
        return cast("str", {"text": 1})

    stage.agent.script = garbage
    await stage.say(DM, OLGA, "hello")
    await stage.front.until(lambda: bool(stage.front.told("1")), 60)  # three tries, a second apart, each with its log
    await stage.quiet()
    assert stage.front.texts("1")[0].startswith("I set this message aside")
    assert len(stage.agent.asked) == 3


async def _echo(turn: Turn, gate: Gate) -> str:
    return f"re: {turn.prompt}"
