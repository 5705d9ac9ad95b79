"""Messages that did not arrive: listed, sent again behind a look, or dropped."""

from __future__ import annotations

import pytest

from conversations.dead_letters import DeadLetters
from conversations.delivery import Draft
from conversations.signs import SIGNS
from core.errors import RequestError, Undeliverable, Unknown
from core.message import Sign
from tests.conversations.stage import DM, OLGA, Stage

BLOCKED = Undeliverable("The person has blocked the account.")


def letters_of(stage: Stage) -> DeadLetters:
    return DeadLetters(stage.database, stage.outbox.wake)


async def buried(stage: Stage, *texts: str) -> list[int]:
    """Messages that are dead letters."""
    stage.front.refuse("send", *[BLOCKED] * len(texts))
    numbers = [number for one in texts for number in await stage.owe(Draft(DM, "notice", one))]
    await stage.quiet()
    return numbers


def calls(stage: Stage) -> list[str]:
    return [name for name, _ in stage.front.calls]


async def test_b4_dead_letters_are_listed_oldest_first(stage: Stage) -> None:
    first, second = await buried(stage, "one", "two")
    await stage.owe(Draft(DM, "notice", "arrives"))
    await stage.quiet()
    found = await letters_of(stage).list(10)
    assert [(letter.id, letter.text, letter.status, letter.error) for letter in found] == [
        (first, "one", "dead", str(BLOCKED)),
        (second, "two", "dead", str(BLOCKED)),
    ]
    assert found[0].chat == DM
    assert [letter.id for letter in await letters_of(stage).list(1)] == [first]


async def test_b4_a_retried_one_is_sent_again_after_a_look(stage: Stage) -> None:
    [number] = await buried(stage, "hello")
    stage.front.calls.clear()
    assert (await letters_of(stage).retry(number)).status == "ready"
    await stage.quiet()
    assert stage.front.texts("1") == ["hello"]
    assert calls(stage) == ["sent_after", "send"]
    assert await letters_of(stage).list(10) == []


async def test_b4_one_that_had_arrived_after_all_is_not_sent_twice(stage: Stage) -> None:
    await stage.owe(Draft(DM, "notice", "hello"))
    await stage.quiet()
    await stage.put("deliveries", status="ambiguous", message_id=None, sends=2)
    stage.front.forget_keys()
    await letters_of(stage).retry(1)
    await stage.quiet()
    assert (stage.front.texts("1"), calls(stage)) == (["hello"], ["send", "sent_after"])
    [row] = await stage.rows("deliveries")
    assert (row.status, row.message_id) == ("sent", 1)


async def test_b2_the_sign_of_failure_goes_with_the_arrival(stage: Stage) -> None:
    stage.front.refuse("send", BLOCKED)
    asked = await stage.say(DM, OLGA, "hello")
    await stage.quiet()
    before = stage.front.line(DM, asked.id).reaction
    [letter] = await letters_of(stage).list(10)
    await letters_of(stage).retry(letter.id)
    await stage.quiet()
    assert (before, stage.front.line(DM, asked.id).reaction) == (SIGNS[Sign.FAILED], SIGNS[Sign.DONE])


async def test_b4_a_dropped_one_is_gone(stage: Stage) -> None:
    [number] = await buried(stage, "hello")
    assert (await letters_of(stage).drop(number)).status == "dropped"
    await stage.quiet()
    assert stage.front.texts("1") == []
    assert await letters_of(stage).list(10) == []


async def test_b4_what_is_no_dead_letter_is_neither_sent_again_nor_dropped(stage: Stage) -> None:
    await stage.owe(Draft(DM, "notice", "arrives"))
    await stage.quiet()
    for act in (letters_of(stage).retry, letters_of(stage).drop):
        with pytest.raises(RequestError, match="#1 is no dead letter: it is sent"):
            await act(1)
        with pytest.raises(Unknown, match="no dead letter #2"):
            await act(2)
    assert stage.front.texts("1") == ["arrives"]
