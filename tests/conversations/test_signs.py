from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from conversations.signs import AGAIN_AFTER, SIGNS, Signs
from core.clock import FakeClock
from core.errors import FloodWait, SessionError, Undeliverable, Unreachable
from core.message import Sign
from integrations.memory import MemoryFront
from tests.conversations.stage import DM, OLGA

LEGAL = set(
    "👍👎❤🔥🥰👏😁🤔🤯😱🤬😢🎉🤩🤮💩🙏👌🕊🤡🥱🥴😍🐳🌚🌭💯🤣⚡🍌🏆💔🤨😐🍓🍾💋🖕😈😴"
    "😭🤓👻👀🎃🙈😇😨🤝✍🤗🫡🎅🎄☃💅🤪🗿🆒💘🙉🦄😘💊🙊😎👾🤷😡"
)


def playing() -> tuple[FakeClock, MemoryFront, Signs]:
    clock = FakeClock()
    front, signs = MemoryFront(clock), Signs(clock)
    signs.attach(front)
    return clock, front, signs


def test_b2_the_readme_tells_what_each_sign_says() -> None:
    readme = Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")
    table = readme.partition("| reaction | says |")[2].partition("\n\n")[0].splitlines()[2:]
    assert [line.split()[1] for line in table] == list(SIGNS.values())


def test_b2_every_sign_is_legal_and_differs() -> None:
    assert set(SIGNS) == set(Sign)
    assert len(set(SIGNS.values())) == len(SIGNS)
    assert set(SIGNS.values()) <= LEGAL
    assert SIGNS[Sign.FAILED] != "👍"


async def test_b2_signs_of_a_chat_are_shown_in_order() -> None:
    _, front, signs = playing()
    messages = [front.say("1", OLGA, "hello").id for _ in range(3)]
    for number, sign in zip(messages, (Sign.SEEN, Sign.WORKING, Sign.DONE), strict=True):
        signs.show(DM, [number], sign)
    await signs.close()
    assert [what for _, what in front.calls] == ["1👀", "2✍", "3👍"]
    assert (signs._workers, signs._waiting, signs._tasks) == ({}, {}, set())


async def test_b2_a_sign_that_waits_makes_way_for_the_next_of_its_message() -> None:
    _, front, signs = playing()
    first, second = (front.say("1", OLGA, "hello").id for _ in range(2))
    held = front.hold("react")
    signs.show(DM, [first], Sign.SEEN)
    await front.until(lambda: front.calls == [("react", "1👀")])
    for sign in (Sign.SEEN, Sign.WORKING, Sign.DONE):
        signs.show(DM, [second], sign)
    for number in (first, second, first):
        signs.mark_read(DM, number)
    signs.show(DM, [first], Sign.SILENT)
    held.set()
    await signs.close()
    assert front.calls == [("react", "1👀"), ("react", "2👍"), ("mark_read", "2"), ("react", "1👌")]


async def test_b2_an_error_of_the_front_takes_one_sign_with_it() -> None:
    _, front, signs = playing()
    first, second = (front.say("1", OLGA, "hello").id for _ in range(2))
    front.refuse("react", RuntimeError("A fault of the front's own."))
    signs.show(DM, [first, second], Sign.SEEN)
    await front.until(lambda: front.line(DM, second).reaction == "👀")
    await signs.close()
    assert (signs._workers, signs._waiting) == ({}, {})


async def test_b2_a_refused_sign_costs_nothing_else() -> None:
    _, front, signs = playing()
    messages = [front.say("1", OLGA, "hello").id for _ in range(4)]
    front.refuse("react", Undeliverable("Not here."), FloodWait(9), SessionError("Revoked."))
    for number, sign in zip(messages, (Sign.SEEN, Sign.WORKING, Sign.SILENT, Sign.DONE), strict=True):
        signs.show(DM, [number], sign)
    signs.mark_read(DM, messages[-1])
    await signs.close()
    assert [front.line(DM, number).reaction for number in messages] == [None, None, None, "👍"]
    assert front.calls[-1] == ("mark_read", "4")


@pytest.mark.parametrize(("error", "seconds"), [(FloodWait(600), 600), (Unreachable("Lost."), AGAIN_AFTER)])
@pytest.mark.parametrize("sign", [Sign.DONE, Sign.SILENT, Sign.FAILED])
async def test_b2_a_last_sign_that_was_refused_for_the_moment_is_shown_later(
    error: Exception, seconds: float, sign: Sign
) -> None:
    clock, front, signs = playing()
    message = front.say("1", OLGA, "hello")
    signs.show(DM, [message.id], Sign.WORKING)
    await front.until(lambda: front.line(DM, message.id).reaction == "✍")
    front.refuse("react", error)
    signs.show(DM, [message.id], sign)
    await clock.until_asleep()
    assert (clock.naps, signs._workers) == ([seconds], {})  # what comes meanwhile is not held up
    clock.advance(seconds)
    await front.until(lambda: front.line(DM, message.id).reaction == SIGNS[sign])
    await signs.close()
    assert (signs._tasks, signs._late) == (set(), {})


async def test_b2_a_late_sign_is_shown_once_more_and_no_third_time() -> None:
    clock, front, signs = playing()
    message = front.say("1", OLGA, "hello")
    front.refuse("react", FloodWait(9), FloodWait(9))
    signs.show(DM, [message.id], Sign.DONE)
    await clock.until_asleep()
    clock.advance(9)
    await front.until(lambda: len(front.calls) == 2)
    await signs.close()
    assert (clock.naps, signs._tasks, signs._late) == ([], set(), {})


@pytest.mark.parametrize("newer", [Sign.SEEN, Sign.FAILED])
async def test_b2_a_late_sign_covers_no_newer_one(newer: Sign) -> None:
    clock, front, signs = playing()
    message = front.say("1", OLGA, "hello")
    front.refuse("react", FloodWait(9))
    signs.show(DM, [message.id], Sign.DONE)
    await clock.until_asleep()
    signs.show(DM, [message.id], newer)
    await front.until(lambda: front.line(DM, message.id).reaction == SIGNS[newer])
    clock.advance(9)
    await signs.close()
    assert [what for _, what in front.calls] == ["1👍", f"1{SIGNS[newer]}"]
    assert signs._late == {}


async def test_b2_a_late_sign_is_given_up_with_the_process() -> None:
    clock, front, signs = playing()
    message = front.say("1", OLGA, "hello")
    front.refuse("react", FloodWait(9))
    signs.show(DM, [message.id], Sign.DONE)
    await clock.until_asleep()
    await signs.close()
    assert signs._tasks == set()


async def test_b2_after_the_goodbye_nothing_more_is_shown() -> None:
    _, front, signs = playing()
    first, second = (front.say("1", OLGA, "hello").id for _ in range(2))
    held = front.hold("react")
    signs.show(DM, [first, second], Sign.SEEN)
    await signs.close()
    held.set()
    signs.show(DM, [first], Sign.DONE)
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("sign")] == []
    assert front.calls == [("react", "1👀")]
    assert (signs._tasks, signs._workers) == (set(), {})


async def test_b2_a_chat_without_its_front_shows_nothing() -> None:
    signs = Signs(FakeClock())
    signs.show(DM, [1], Sign.SEEN)
    await signs.close()
    assert signs._tasks == set()


async def test_b3_typing_while_it_works_and_the_sign_of_work_after_a_second() -> None:
    clock, front, signs = playing()
    message = front.say("1", OLGA, "hello")
    async with signs.working(DM, (message.id,)):
        await clock.until_asleep()
        clock.advance(0.3)
        await front.until(lambda: front.calls == [("show_typing", "1")])
        await clock.until_asleep()
        clock.advance(0.7)
        await front.until(lambda: front.line(DM, 1).reaction == "✍")
        await clock.until_asleep()
        clock.advance(4)
        await front.until(lambda: len(front.calls) >= 3)
    clock.advance(4)
    await signs.close()
    assert {name for name, _ in front.calls} == {"show_typing", "react"}


async def test_b3_a_service_that_hangs_piles_up_no_typing_and_holds_no_end() -> None:
    clock, front, signs = playing()
    message = front.say("1", OLGA, "hello")
    front.hold("react")
    signs.show(DM, [message.id], Sign.SEEN)
    async with signs.working(DM, (message.id,)):
        for seconds in (0.3, 0.7, 4, 4, 4):
            await clock.until_asleep()
            clock.advance(seconds)
        await clock.until_asleep()
        assert len(signs._tasks) <= 2
    await signs.close()
    assert signs._tasks == set()
