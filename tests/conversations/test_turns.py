from __future__ import annotations

import asyncio

import pytest

from conversations.turn import Turn
from conversations.turns import Gate
from core.errors import ModelRefused
from core.events import TurnEnded
from core.message import Chat, Person
from core.protocols import Call
from tests.conversations.stage import DEV, DM, FRONT, MAX, OLGA, TEAM, Stage, make_promise, next_event


async def test_b2_signs_follow_the_work(stage: Stage) -> None:
    with stage.agent.holding() as release:
        message = await stage.say(DM, OLGA, "hello")
        await stage.agent.next_begun()
        await stage.front.until(lambda: stage.front.line(DM, message.id).reaction == "👀")
        release.set()
        await stage.quiet()
    assert stage.front.line(DM, message.id).reaction == "👍"
    assert ("mark_read", str(message.id)) in stage.front.calls


async def test_b2_an_empty_answer_has_its_own_sign(stage: Stage) -> None:
    async def nothing(turn: Turn, gate: Gate) -> str:
        return " \n"

    stage.agent.script = nothing
    message = await stage.say(DM, OLGA, "thanks")
    await stage.quiet()
    assert (stage.front.line(DM, message.id).reaction, stage.front.texts("1")) == ("👌", [])


async def test_b4_an_answer_replies_to_the_message_that_asked(stage: Stage) -> None:
    message = await stage.say(DM, OLGA, "hello")
    with stage.events.watch() as watch:
        await stage.quiet()
        assert (await next_event(watch, TurnEnded)).status == "done"
    assert stage.front.told("1")[0].reply_to == message.id


async def test_b5_a_message_within_the_time_joins_and_the_model_call_starts_again(stage: Stage) -> None:
    with stage.agent.holding() as release:
        await stage.say(DM, OLGA, "one")
        first = await stage.agent.next_begun()
        stage.clock.advance(1.4)
        second = await stage.say(DM, OLGA, "two")
        again = await stage.agent.next_begun()
        release.set()
        await stage.quiet()
    assert (again.id, again.joined) == (first.id, 2)
    assert again.run_id != first.run_id
    assert stage.front.texts("1") == ["re: one\ntwo"]
    assert stage.front.told("1")[0].reply_to == second.id


async def test_b5_a_crash_after_a_join_does_not_bring_the_answer_without_it_back(stage: Stage) -> None:
    """The journal of the run before holds an answer to the first message alone."""
    with stage.agent.holding():
        await stage.say(DM, OLGA, "one")
        first = await stage.agent.next_begun()
        joined = await stage.inbox.receive(stage.front.say("1", OLGA, "two"))  # and nobody heard of it
        (row,) = await stage.rows("turns")
        stage.turns.take_in(row.id, joined.joined)
    assert joined.turn_id == row.id
    assert row.run_id != first.run_id


async def test_b5_a_later_message_is_the_next_turn(stage: Stage) -> None:
    with stage.agent.holding() as release:
        await stage.say(DM, OLGA, "one")
        await stage.agent.next_begun()
        stage.clock.advance(1.6)
        await stage.say(DM, OLGA, "two")
        release.set()
        await stage.quiet()
    assert stage.front.texts("1") == ["re: one", "re: two"]


async def test_b5_what_waits_for_its_turn_is_joined_by_its_requester_only(stage: Stage) -> None:
    with stage.agent.holding() as release:
        await stage.say(DEV, MAX, "one")
        await stage.agent.next_begun()
        stage.clock.advance(2)
        for person, text in ((OLGA, "two"), (OLGA, "three"), (MAX, "four")):
            await stage.say(DEV, person, text)
        release.set()
        await stage.quiet()
    assert stage.front.texts("-20") == ["re: one", "re: two\nthree", "re: four"]


async def test_b5_nothing_joins_after_the_first_effect(stage: Stage) -> None:
    effects: list[str] = []
    release = asyncio.Event()
    sealed = asyncio.Event()

    async def work(turn: Turn, gate: Gate) -> str:
        await gate()
        await gate()
        effects.append(turn.prompt)
        sealed.set()
        await release.wait()
        return f"done {turn.prompt}"

    stage.agent.script = work
    await stage.say(DM, OLGA, "one")
    await sealed.wait()
    await stage.say(DM, OLGA, "two")
    release.set()
    await stage.quiet()
    assert effects == ["one", "two"]
    assert stage.front.texts("1") == ["done one", "done two"]


async def test_b5_a_message_that_joins_before_the_gate_is_in_the_run_that_has_effects(stage: Stage) -> None:
    effects: list[str] = []

    async def work(turn: Turn, gate: Gate) -> str:
        if turn.prompt == "one":  # it joins, and nobody tells the run
            await stage.inbox.receive(stage.front.say("1", OLGA, "two"))
        await gate()
        effects.append(turn.prompt)
        return f"done {turn.prompt}"

    stage.agent.script = work
    await stage.say(DM, OLGA, "one")
    await stage.quiet()
    assert (effects, stage.front.texts("1")) == (["one\ntwo"], ["done one\ntwo"])


async def test_b5_a_message_that_joins_while_the_turn_closes_is_answered_with_it(stage: Stage) -> None:
    async def work(turn: Turn, gate: Gate) -> str:
        if turn.prompt == "one":
            await stage.inbox.receive(stage.front.say("1", OLGA, "two"))
        return f"re: {turn.prompt}"

    stage.agent.script = work
    await stage.say(DM, OLGA, "one")
    await stage.quiet()
    assert stage.front.texts("1") == ["re: one\ntwo"]
    assert [row.status for row in await stage.rows("turns")] == ["done"]


async def test_b5_one_who_is_told_late_that_he_was_joined_does_not_begin_again(stage: Stage) -> None:
    with stage.agent.holding() as release:
        await stage.say(DM, OLGA, "one")
        await stage.agent.next_begun()
        await stage.say(DM, OLGA, "two")
        turn = await stage.agent.next_begun()
        stage.turns.take_in(turn.id, turn.joined)
        stage.turns.take_in(99, 2)
        stage.turns.stop(99)
        release.set()
        await stage.quiet()
    assert len(stage.agent.asked) == 2


async def test_b5_many_chats_at_once_and_each_in_order(stage: Stage) -> None:
    people = [Chat(FRONT, key) for key in ("1", "2", "-20")]
    with stage.agent.holding() as release:
        for chat in people:
            await stage.say(chat, MAX if chat.key == "2" else OLGA, "one")
        for _ in people:
            await stage.agent.next_begun()
        stage.clock.advance(2)
        for chat in people:
            await stage.say(chat, MAX if chat.key == "2" else OLGA, "two")
        release.set()
        await stage.quiet()
    assert [stage.front.texts(chat.key) for chat in people] == [["re: one", "re: two"]] * 3


async def test_b6_stop_ends_the_turn_and_says_what_had_been_done(stage: Stage) -> None:
    stage.agent.done = ["read README.md", "ran ls"]
    cancelled = asyncio.Event()

    async def work(turn: Turn, gate: Gate) -> str:
        await gate()
        try:
            return await asyncio.Future[str]()
        finally:
            cancelled.set()

    stage.agent.script = work
    await stage.say(DM, OLGA, "work")
    turn = await stage.agent.next_begun()
    stop = await stage.say(DM, OLGA, "Stop!")
    await stage.quiet()
    assert cancelled.is_set()
    assert stage.front.texts("1") == ["Stopped. Done so far:\n• read README.md\n• ran ls"]
    assert stage.front.told("1")[0].reply_to == stop.id
    (row,) = await stage.rows("turns")
    assert (row.status, row.stop_requested_by, row.run_id) == ("stopped", "Olga", turn.run_id)


async def test_b6_stop_of_a_turn_that_waits_and_of_nothing(stage: Stage) -> None:
    with stage.agent.holding() as release:
        await stage.say(DEV, MAX, "one")
        await stage.agent.next_begun()
        await stage.say(DEV, Person(3, "gus", "Gus"), "two")
        await stage.say(DEV, Person(3, "gus", "Gus"), "stop")
        release.set()
        await stage.quiet()
    await stage.say(DEV, MAX, "stop")
    await stage.quiet()
    assert stage.front.texts("-20") == [
        "re: one",
        "Stopped. Nothing had been done yet.",
        "Nothing is running in this chat.",
    ]


async def test_b6_what_is_asked_after_a_stop_is_answered(stage: Stage) -> None:
    for text in ("do X", "stop", "do Y"):
        stage.front.say("1", OLGA, text)
    await stage.reception.catch_up(FRONT)
    await stage.quiet()
    assert stage.front.texts("1") == ["Stopped. Nothing had been done yet.", "re: do Y"]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [(ModelRefused("The model refused the key."), "The model refused the key. (E-"), (KeyError("x"), "Something went")],
)
async def test_b12_an_error_is_one_sentence_with_an_id(stage: Stage, error: Exception, sentence: str) -> None:
    async def fail(turn: Turn, gate: Gate) -> str:
        raise error

    stage.agent.script = fail
    message = await stage.say(DM, OLGA, "hello")
    await stage.quiet()
    (told,), (row,) = stage.front.texts("1"), await stage.rows("turns")
    assert told.startswith(sentence)
    assert told.endswith(f"({row.error_id})")
    assert (row.status, row.error.split(":")[0]) == ("failed", type(error).__name__)
    assert stage.front.line(DM, message.id).reaction == "💔"


async def test_b12_a_run_that_cancels_itself_is_an_error_too(stage: Stage) -> None:
    async def give_up(turn: Turn, gate: Gate) -> str:
        raise asyncio.CancelledError

    stage.agent.script = give_up
    await stage.say(DM, OLGA, "hello")
    await stage.quiet()
    assert stage.front.texts("1")[0].startswith("Something went wrong on my side. (E-")


async def test_p1_a_held_acknowledgement_becomes_the_answer(stage: Stage) -> None:
    async def promise(turn: Turn, gate: Gate) -> str:
        for number in range(2):
            call = Call(turn.run_id, str(number), turn.id)
            await make_promise(stage.database, stage.clock, turn.asker, f"task {number}", call)
        return "I promised two things. " + "x " * 3000

    stage.agent.script = promise
    await stage.say(DM, OLGA, "do it")
    await stage.quiet()
    told = stage.front.texts("1")
    assert told[0].startswith("I promised two things.")
    assert len(told) == 2
    assert [(row.kind, row.status) for row in await stage.rows("deliveries")] == [
        ("ack", "sent"),
        ("ack", "dropped"),
        ("answer", "sent"),
    ]


@pytest.mark.parametrize("how", ["silent", "fails", "stopped"])
async def test_p1_a_held_acknowledgement_is_released_as_it_is(stage: Stage, how: str) -> None:
    made = asyncio.Event()

    async def promise(turn: Turn, gate: Gate) -> str:
        await gate()
        await make_promise(stage.database, stage.clock, turn.asker, "task", Call(turn.run_id, "1", turn.id))
        made.set()
        if how == "fails":
            raise ModelRefused("No.")
        return await asyncio.Future[str]() if how == "stopped" else ""

    stage.agent.script = promise
    message = await stage.say(DM, OLGA, "do it")
    await made.wait()
    if how == "stopped":
        await stage.say(DM, OLGA, "stop")
    await stage.quiet()
    told = stage.front.texts("1")
    assert told[0] == "Promise #1"
    assert len(told) == (1 if how == "silent" else 2)
    assert stage.front.line(DM, message.id).reaction == ("💔" if how == "fails" else "👍")


async def test_p1_a_command_s_promise_answers_with_its_acknowledgement(stage: Stage) -> None:
    await stage.say(DM, OLGA, "/promise count the stars")
    await stage.quiet()
    assert stage.front.texts("1") == ["Promise #1"]


async def test_b1_a_command_woken_twice_is_answered_once(stage: Stage) -> None:
    receipt = await stage.inbox.receive(stage.front.say("1", OLGA, "/ping"))
    for _ in range(3):
        stage.turns.wake(DM, receipt.turn_id)
    await stage.turns.begin_all([FRONT])
    await stage.quiet()
    assert stage.front.texts("1") == ["pong: all is well"]


async def test_a9_a_turn_has_the_least_of_its_askers_rights(stage: Stage) -> None:
    stage.front.say("-10", OLGA, "@valor_ai one")
    stage.front.say("-10", Person(3, "gus", "Gus"), "@valor_ai two")
    await stage.reception.catch_up(FRONT)
    await stage.quiet()
    turn, prompt = stage.agent.asked[0]
    assert (turn.role, turn.chat, prompt) == ("guest", TEAM, "Olga: one\nGus: two")
