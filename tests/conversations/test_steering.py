"""B5: what is said to a turn that runs and can no longer be joined."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from conversations.delivery import Draft
from conversations.turn import Turn
from conversations.turns import Gate
from core.errors import ModelRefused
from core.message import Message, Person
from core.workspaces import Listed, Role, Whitelist
from runtime import steer_store
from runtime.steer_store import Place
from runtime.store import Run
from tests.conversations.stage import CONFIG, DEV, DM, FRONT, GUS, MAX, OLGA, TEAM, Stage, opened

EVA = Person(4, "eva", "Eva")
LATER = 2.0  # seconds after which nothing joins


@dataclass
class Work:
    """A run as the journal makes it: it waits, and makes one more model request where it is told to take."""

    stage: Stage
    takes: bool = True
    sealed: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, turn: Turn, gate: Gate) -> str:
        await gate()
        self.sealed.set()
        await self.release.wait()
        return "; ".join([f"re: {turn.prompt}", *(await take(self.stage, turn) if self.takes else ())])


async def take(stage: Stage, turn: Turn) -> list[str]:
    run, now = Run(turn.run_id, "played", turn.workspace, turn.id, None, turn.epoch), stage.clock.now()
    taken = await stage.database.write("take", lambda connection: steer_store.take(connection, run, Place(2, 0), now))
    return [step.request["text"] for step in taken]


@pytest.fixture
def work(stage: Stage) -> Work:
    stage.agent.script = made = Work(stage)
    return made


async def begin(stage: Stage, work: Work, text: str = "one") -> Message:
    message = await stage.say(DM, OLGA, text)
    await work.sealed.wait()
    return message


async def end(stage: Stage, work: Work) -> None:
    work.release.set()
    await stage.quiet()


async def statuses(stage: Stage) -> list[str]:
    return [row.status for row in await stage.rows("turns")]


async def steers(stage: Stage) -> list[Any]:
    return await stage.rows("steps", kind="steer")


async def test_b5_a_message_during_the_turn_belongs_to_it_and_reaches_its_run(stage: Stage, work: Work) -> None:
    first = await begin(stage, work)
    stage.clock.advance(LATER)
    second = await stage.say(DM, OLGA, "two")
    await stage.front.until(lambda: stage.front.line(DM, second.id).reaction == "👀")
    await end(stage, work)
    assert stage.front.texts("1") == ["re: one; Meanwhile Olga wrote: two"]
    assert stage.front.told("1")[0].reply_to == first.id
    assert {stage.front.line(DM, one.id).reaction for one in (first, second)} == {"👍"}
    (step,) = await steers(stage)
    assert (step.key, step.name, step.status, step.response) == (
        f"steer:1:{second.id}",
        "message",
        "done",
        {"request": 2, "number": 0},
    )
    assert {row.turn_id for row in await stage.rows("messages")} == {1}


async def test_b5_what_the_run_ends_without_is_the_next_turn(stage: Stage, work: Work) -> None:
    work.takes = False
    await begin(stage, work)
    second, third = await stage.say(DM, OLGA, "two"), await stage.say(DM, OLGA, "three")
    await end(stage, work)
    assert stage.front.texts("1") == ["re: one", "re: two\nthree"]
    assert stage.front.told("1")[1].reply_to == third.id
    assert [row.turn_id for row in await stage.rows("messages")] == [1, 2, 2]
    assert {stage.front.line(DM, one.id).reaction for one in (second, third)} == {"👍"}
    assert await steers(stage) == []


async def test_b5_a_turn_that_fails_hands_on_what_it_did_not_read(stage: Stage) -> None:
    async def fail(turn: Turn, gate: Gate) -> str:
        await gate()
        await stage.inbox.receive(stage.front.say("1", OLGA, "two"))
        raise ModelRefused("No.")

    stage.agent.scripts["one"] = fail
    await stage.say(DM, OLGA, "one")
    await stage.quiet()
    assert [text[:7] for text in stage.front.texts("1")] == ["No. (E-", "re: two"]


async def test_b5_a_message_delivered_twice_steers_once(stage: Stage, work: Work) -> None:
    await begin(stage, work)
    second = await stage.say(DM, OLGA, "two")
    await stage.reception.receive(second)
    await stage.reception.catch_up(FRONT)
    await end(stage, work)
    assert stage.front.texts("1") == ["re: one; Meanwhile Olga wrote: two"]


async def test_b5_a_message_read_in_the_history_steers_too(stage: Stage, work: Work) -> None:
    await begin(stage, work)
    stage.front.say("1", OLGA, "two")
    await stage.reception.catch_up(FRONT)
    await end(stage, work)
    assert stage.front.texts("1") == ["re: one; Meanwhile Olga wrote: two"]


async def test_b5_others_are_the_next_turn_unless_they_may_and_reply(stage: Stage, work: Work) -> None:
    stage.config = replace(CONFIG, whitelist=Whitelist((*CONFIG.whitelist.entries, Listed("eva"))))
    asked = await stage.say(DEV, MAX, "one")
    await work.sealed.wait()
    for person, text, reply_to in (
        (GUS, "from a guest", asked.id),
        (EVA, "from a member", asked.id),
        (OLGA, "something else", None),
        (OLGA, "about that", asked.id),
        (MAX, "of my own", None),
    ):
        await stage.say(DEV, person, text, reply_to)
    await end(stage, work)
    assert stage.front.texts("-20") == [
        "re: one; Meanwhile Olga wrote: about that; Meanwhile Max wrote: of my own",
        "re: from a guest",
        "re: from a member",
        "re: something else",
    ]


async def test_b5_who_may_steers_by_replying_to_what_the_turn_has_told(stage: Stage, work: Work) -> None:
    await stage.say(DEV, MAX, "one")
    await work.sealed.wait()
    (told,) = await stage.owe(Draft(DEV, "notice", "so far", turn_id=1))
    await stage.front.until(lambda: bool(stage.front.told("-20")))
    (shown,) = stage.front.told("-20")
    await stage.say(DEV, OLGA, "go on", shown.id)
    await end(stage, work)
    assert stage.front.texts("-20") == ["so far", "re: one; Meanwhile Olga wrote: go on"]
    assert told == (await stage.rows("deliveries"))[0].id


async def test_a9_nobody_steers_a_turn_that_may_more_than_they(stage: Stage, work: Work) -> None:
    """What the turn does it does with the rights that it began with."""
    await begin(stage, work)
    listed = Whitelist((Listed("olga", role=Role.GUEST), Listed("max", role=Role.OWNER)))
    stage.config = replace(CONFIG, whitelist=listed)
    await stage.say(DM, OLGA, "two")
    await end(stage, work)
    assert stage.front.texts("1") == ["re: one", "re: two"]
    assert [row.role for row in await stage.rows("turns")] == ["owner", "guest"]


async def test_w3_what_is_said_in_another_workspace_is_another_turn(stage: Stage, work: Work) -> None:
    await stage.say(DEV, OLGA, "one")
    await work.sealed.wait()
    stage.config = replace(CONFIG, groups={"-20": "Team"})
    await stage.say(DEV, OLGA, "@valor_ai two")
    await end(stage, work)
    assert stage.front.texts("-20") == ["re: one", "re: two"]
    assert [row.workspace for row in await stage.rows("turns")] == ["Dev", "Team"]


async def test_b5_a_correction_while_the_turn_runs_steers(stage: Stage, work: Work) -> None:
    first = await begin(stage, work)
    stage.clock.advance(LATER)
    for text in ("one, or two", "two"):
        await stage.edit(first, text)
        stage.clock.advance(1)
    await end(stage, work)
    assert stage.front.texts("1") == [
        "re: one; Olga corrected what they wrote before to: one, or two; Olga corrected what they wrote before to: two"
    ]
    assert (await stage.row_of(first)).prompt == "two"
    assert [step.key for step in await steers(stage)] == [f"steer:1:{first.id}:1", f"steer:1:{first.id}:2"]


async def test_b5_an_edit_that_says_nothing_new_does_not_steer(stage: Stage, work: Work) -> None:
    asked = await stage.say(TEAM, OLGA, "@valor_ai one")
    await work.sealed.wait()
    stage.clock.advance(LATER)
    await stage.edit(asked, "one @valor_ai")
    await stage.edit(asked, "never mind")
    assert await steers(stage) == []
    await end(stage, work)
    assert stage.front.texts("-10") == ["re: one"]


async def test_b5_a_correction_that_came_too_late_gets_no_answer_of_its_own(stage: Stage, work: Work) -> None:
    work.takes = False
    first = await begin(stage, work)
    stage.clock.advance(LATER)
    await stage.edit(first, "two")
    await end(stage, work)
    stage.clock.advance(LATER)
    await stage.edit(first, "three")
    await stage.quiet()
    assert stage.front.texts("1") == ["re: one"]
    assert (await steers(stage), await statuses(stage)) == ([], ["done"])


async def test_b5_what_waits_to_be_read_is_read_as_it_was_corrected(stage: Stage, work: Work) -> None:
    await begin(stage, work)
    second = await stage.say(DM, OLGA, "twp")
    stage.clock.advance(LATER)
    await stage.edit(second, "two")
    await end(stage, work)
    assert stage.front.texts("1") == ["re: one; Meanwhile Olga wrote: two"]


async def test_b5_a_correction_within_the_time_begins_the_turn_again(stage: Stage) -> None:
    with stage.agent.holding() as release:
        first = await stage.say(DM, OLGA, "onr")
        run = (await stage.agent.next_begun()).run_id
        stage.clock.advance(1)
        await stage.edit(first, "one")
        again = await stage.agent.next_begun()
        release.set()
        await stage.quiet()
    assert stage.front.texts("1") == ["re: one"]
    assert (again.prompt, again.run_id != run, await steers(stage)) == ("one", True, [])


async def test_b6_a_stop_ends_what_waits_to_be_read_too(stage: Stage, work: Work) -> None:
    first = await begin(stage, work)
    second = await stage.say(DM, OLGA, "two")
    await stage.say(DM, OLGA, "stop")
    await stage.quiet()
    assert stage.front.texts("1") == ["Stopped. Nothing had been done yet."]
    assert (await statuses(stage), await steers(stage)) == (["stopped"], [])
    assert {stage.front.line(DM, one.id).reaction for one in (first, second)} == {"👍"}
    await stage.say(DM, OLGA, "three")
    work.release.set()
    await stage.quiet()
    assert stage.front.texts("1")[1:] == ["re: three"]


async def test_b5_what_was_said_before_a_crash_reaches_the_same_run(folder: Path) -> None:
    stage = Stage(folder)
    stage.agent.script = work = Work(stage)
    await stage.open()
    first = await begin(stage, work)
    second = await stage.say(DM, OLGA, "two")
    await stage.die()
    async with opened(stage.again()) as stage:
        stage.agent.script = work = Work(stage)
        stage.front.say("1", OLGA, "three")
        await stage.reception.catch_up(FRONT)
        await work.sealed.wait()
        await end(stage, work)
        assert stage.front.texts("1") == ["re: one; Meanwhile Olga wrote: two; Meanwhile Olga wrote: three"]
        assert len({turn.run_id for turn, _ in stage.agent.asked}) == 1
        assert [prompt for _, prompt in stage.agent.asked] == ["one", "one"]
        assert {stage.front.line(DM, one.id).reaction for one in (first, second)} == {"👍"}


async def test_b7_what_steers_is_not_quoted_as_the_past_as_well(folder: Path) -> None:
    """It may be older than what the turn was asked last: what was missed live is read in the history."""
    stage = Stage(folder)
    stage.agent.script = work = Work(stage)
    await stage.open()
    await stage.inbox.receive(stage.front.say("1", OLGA, "one"))
    stage.front.say("1", OLGA, "two")
    await begin(stage, work, "three")
    await stage.reception.catch_up(FRONT)
    await stage.die()
    async with opened(stage.again()) as stage:
        stage.agent.script = work = Work(stage)
        await stage.turns.begin_all([FRONT])
        await end(stage, work)
        assert [prompt for _, prompt in stage.agent.asked] == ["one\nthree", "one\nthree"]
        assert stage.front.texts("1") == ["re: one\nthree; Meanwhile Olga wrote: two"]


async def test_b5_a_turn_set_aside_takes_what_steered_it_along(folder: Path) -> None:
    stage = Stage(folder)
    stage.agent.script = work = Work(stage)
    await stage.open()
    await begin(stage, work)
    await stage.say(DM, OLGA, "two")
    await stage.turns.close()
    await stage.put("turns", attempts=9)
    await stage.die()
    async with opened(stage.again()) as stage:
        await stage.turns.begin_all([FRONT])
        await stage.quiet()
        assert [text[:9] for text in stage.front.texts("1")] == ["I set thi"]
        assert (await statuses(stage), await steers(stage)) == (["aside"], [])


async def test_b5_the_next_turn_knows_what_was_said_to_the_one_before(stage: Stage, work: Work) -> None:
    await begin(stage, work)
    await stage.say(DM, OLGA, "two")
    await end(stage, work)
    stage.clock.advance(LATER)
    await stage.say(DM, OLGA, "three")
    await stage.quiet()
    assert stage.agent.asked[-1][1].startswith("Earlier in this chat:\n> Olga: one\n> Olga: two\n> Valor: re: one")


async def test_b5_what_replies_to_something_else_is_the_next_turns_and_read_with_it(stage: Stage) -> None:
    cake = await stage.say(TEAM, MAX, "The cake is for Paula.")
    for number in range(60):
        await stage.say(TEAM, MAX, f"chatter {number}")
    with stage.agent.holding() as go:
        await stage.say(TEAM, OLGA, "@valor_ai plan the party")
        await stage.agent.next_begun()
        stage.clock.advance(5)
        await stage.say(TEAM, OLGA, "@valor_ai what of this?", reply_to=cake.id)
        assert await stage.rows("steps", kind="steer") == []
        go.set()
    await stage.quiet()
    assert "> Max: The cake is for Paula." in stage.agent.asked[-1][1]
