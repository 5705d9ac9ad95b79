"""Who may end what, and when (B6, A6)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from conversations.inbox import Limits
from core.message import Message, Person
from tests.conversations.stage import DEV, DM, FRONT, GUS, MAX, OLGA, TEAM, Stage, opened
from tests.conversations.test_buttons import press

NOTHING_DONE = "Stopped. Nothing had been done yet."


async def began(stage: Stage, *said: tuple[Person, str]) -> list[Message]:
    """One after the other, too far apart to join; the first one's turn runs when this returns."""
    asked: list[Message] = []
    for who, text in said:
        asked.append(await stage.say(DEV, who, text))
        if len(asked) == 1:
            await stage.agent.next_begun()
        stage.clock.advance(5)
    return asked


async def waits(stage: Stage) -> list[tuple[str, str | None]]:
    return [(turn.requester_name, turn.stop_requested_by) for turn in await stage.rows("turns", kind="agent")]


async def test_b6_everyone_ends_their_own_work_first(stage: Stage) -> None:
    with stage.agent.holding() as go:
        await began(stage, (OLGA, "first"), (MAX, "second"), (GUS, "third"), (MAX, "stop"))
        assert await waits(stage) == [("Olga", None), ("Max", "Max"), ("Gus", None)]
        go.set()
    await stage.quiet()
    assert sorted(stage.front.texts(DEV.key)) == sorted(["re: first", NOTHING_DONE, "re: third"])


async def test_b6_a_reply_ends_what_it_replies_to_and_not_the_senders_own(stage: Stage) -> None:
    with stage.agent.holding() as go:
        asked = await began(stage, (MAX, "delete everything"), (OLGA, "what is the time?"))
        await stage.say(DEV, OLGA, "stop", reply_to=asked[0].id)
        assert await waits(stage) == [("Max", "Olga"), ("Olga", None)]
        go.set()
    await stage.quiet()
    assert stage.front.texts(DEV.key) == [NOTHING_DONE, "re: what is the time?"]


async def test_b6_a_reply_to_what_is_not_theirs_to_end_ends_nothing(stage: Stage) -> None:
    with stage.agent.holding() as go:
        asked = await began(stage, (OLGA, "first"), (MAX, "second"))
        await stage.say(DEV, MAX, "stop", reply_to=asked[0].id)
        assert await waits(stage) == [("Olga", None), ("Max", None)]
        go.set()
    await stage.quiet()
    assert {"re: first", "re: second"} <= set(stage.front.texts(DEV.key))


async def test_b6_where_only_mentions_ask_a_bare_stop_ends_the_senders_own_work_alone(stage: Stage) -> None:
    with stage.agent.holding() as go:
        await stage.say(TEAM, OLGA, "@valor_ai first")
        await stage.agent.next_begun()
        others = await stage.say(TEAM, MAX, "stop")
        assert (await stage.row_of(others)).turn_id is None
        assert await waits(stage) == [("Olga", None)]
        await stage.say(TEAM, OLGA, "stop")
        await stage.front.until(lambda: stage.front.texts(TEAM.key) == [NOTHING_DONE])
        go.set()
    await stage.quiet()
    nothing = await stage.say(TEAM, OLGA, "stop")
    await stage.quiet()
    assert (await stage.row_of(nothing)).reason == "no mention"
    assert stage.front.texts(TEAM.key) == [NOTHING_DONE]


async def test_b6_a_bare_stop_in_reply_to_anothers_question_ends_nothing(stage: Stage) -> None:
    with stage.agent.holding() as go:
        first = await stage.say(TEAM, OLGA, "@valor_ai first")
        await stage.agent.next_begun()
        stage.clock.advance(5)
        own = await stage.say(TEAM, MAX, "@valor_ai second")
        await stage.say(TEAM, MAX, "stop", reply_to=first.id)
        assert await waits(stage) == [("Olga", None), ("Max", None)]
        await stage.say(TEAM, MAX, "stop", reply_to=own.id)
        assert await waits(stage) == [("Olga", None), ("Max", "Max")]
        go.set()
    await stage.quiet()


async def test_b6_a_bare_stop_said_to_a_person_ends_nothing(stage: Stage) -> None:
    with stage.agent.holding() as go:
        await stage.say(TEAM, OLGA, "@valor_ai first")
        await stage.agent.next_begun()
        joke = await stage.say(TEAM, MAX, "Knock, knock.")
        await stage.say(TEAM, OLGA, "stop", reply_to=joke.id)
        assert await waits(stage) == [("Olga", None)]
        go.set()
    await stage.quiet()
    assert stage.front.texts(TEAM.key) == ["re: first"]


async def test_b6_what_has_not_begun_is_ended_at_once(stage: Stage) -> None:
    with stage.agent.holding() as go:
        await began(stage, (OLGA, "first"), (MAX, "second"), (MAX, "stop"))
        await stage.front.until(lambda: stage.front.texts(DEV.key) == [NOTHING_DONE])
        go.set()
    await stage.quiet()
    assert stage.front.texts(DEV.key) == [NOTHING_DONE, "re: first"]


async def test_b6_a_message_that_is_edited_into_stop_ends_its_turn(stage: Stage) -> None:
    with stage.agent.holding():
        asked = await stage.say(DM, OLGA, "delete all of it")
        await stage.agent.next_begun()
        await stage.edit(asked, "stop")
        await stage.quiet()
        assert stage.front.texts(DM.key) == [NOTHING_DONE]


async def test_b6_somebody_elses_turn_is_not_ended_by_an_edit(stage: Stage) -> None:
    with stage.agent.holding() as go:
        await stage.say(DEV, OLGA, "first")
        await stage.agent.next_begun()
        asked = await stage.say(DEV, MAX, "and this")
        await stage.edit(asked, "stop")
        assert ("Olga", None) in await waits(stage)
        go.set()
    await stage.quiet()
    assert "re: first" in "".join(stage.front.texts(DEV.key))


async def test_a6_in_a_chat_that_asked_too_much_work_can_still_be_ended(folder: Path) -> None:
    limits = Limits(answers_per_minute=2, join_seconds=0)
    async with opened(Stage(folder, limits=limits)) as stage:
        with stage.agent.holding():
            await stage.say(DEV, MAX, "long work")
            await stage.agent.next_begun()
            await stage.say(DEV, OLGA, "a")
            refused = await stage.say(DEV, GUS, "b")
            assert not (await stage.row_of(refused)).answer
            await stage.say(DEV, MAX, "stop")
            await stage.front.until(lambda: NOTHING_DONE in stage.front.texts(DEV.key))
            again = await stage.row_of(await stage.say(DEV, MAX, "stop"))
            assert (again.answer, again.reason) == (False, "stopped: more than 2 answers in a minute")


async def test_a6_buttons_work_in_a_chat_that_asked_too_much(folder: Path) -> None:
    async with opened(Stage(folder, limits=Limits(answers_per_minute=1, join_seconds=0))) as stage:
        with stage.agent.holding():
            await stage.say(DEV, MAX, "long work")
            turn = await stage.agent.next_begun()
            await stage.say(DEV, OLGA, "b")
            assert await press(stage, DEV, MAX, f"/stop {turn.id}") == ""
            await stage.front.until(lambda: NOTHING_DONE in stage.front.texts(DEV.key))
            assert await press(stage, DEV, OLGA, "/approve 7", "2") == ""
            await stage.front.until(lambda: len(stage.front.texts(DEV.key)) == 2)


async def test_b6_a_stop_that_is_heard_late_ends_nothing_that_was_asked_after_it(stage: Stage) -> None:
    await stage.say(TEAM, GUS, "hello all")
    await stage.reception.catch_up(FRONT)
    late = stage.front.say("-10", GUS, "stop")  # said to Max; its update was lost
    with stage.agent.holding() as go:
        await stage.say(TEAM, GUS, "@valor_ai work")
        await stage.agent.next_begun()
        stage.clock.advance(30)
        await stage.reception.catch_up(FRONT)  # the gap is noticed
        assert (await stage.row_of(late)).reason == "no mention"
        assert await waits(stage) == [("Gus", None)]
        go.set()
    await stage.quiet()
    assert stage.front.texts("-10") == ["re: work"]


async def test_b6_nor_does_an_edit_into_stop_that_is_read_late(stage: Stage) -> None:
    said = await stage.say(TEAM, GUS, "stpo")
    stage.front.change(said, "stop")  # its update was lost
    stage.clock.advance(3 * 3600)
    with stage.agent.holding() as go:
        await stage.say(TEAM, GUS, "@valor_ai work")
        await stage.agent.next_begun()
        stage.clock.advance(5)
        await stage.reception.reread(FRONT, stage.clock.now() - timedelta(hours=24))
        assert (await stage.row_of(said)).text == "stop"
        assert await waits(stage) == [("Gus", None)]
        go.set()
    await stage.quiet()
    assert stage.front.texts("-10") == ["re: work"]
