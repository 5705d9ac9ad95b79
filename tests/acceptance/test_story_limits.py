"""Too much at once: a crowd in a group, a person who never stops asking, a Telegram that wants to be left in peace."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from tests.acceptance.script_model import do
from tests.acceptance.story import Story, told_in
from tests.world.anthropic import Say
from tests.world.telegram import Chat, Person, SentMessage

LIMIT = 20  # answers a minute, as the product is shipped
MANY = 10_000
PATIENCE = 300.0  # for so many rows, on a machine with other work
STOPPED = f"stopped: more than {LIMIT} answers in a minute"
STORED = "SELECT COUNT(*) FROM messages WHERE text LIKE 'Line %'"
SEND = "messages.sendMessage"
DECORATION = {"messages.sendReaction", "messages.setTyping", "messages.readHistory"}
PARTS = [f"{number} " + f"part {number} of what you wanted to know. " * 100 for number in range(4)]


@pytest.fixture(scope="module")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Story]:
    async with told_in(tmp_path_factory.mktemp("limits")) as story, story.product.running():
        await story.settled(story.world.say(story.olivia, story.valor, "Hello"))  # where she is told of what happens
        yield story
        assert await story.audit() == []


# -- A6


@pytest.mark.timeout(600)
async def test_a6_ten_thousand_messages_in_a_group_are_kept_and_stop_it_until_the_owner_lifts_that(
    story: Story,
) -> None:
    crowd = [story.world.person(f"Voice {number}") for number in range(50)]
    for person in crowd:
        story.world.join(story.dev, person)
    friend = story.friend()
    lines = pour(story, crowd, 0, MANY // 2)
    direct = story.world.say(friend, story.valor, "Do you hear me in this noise?")
    lines += pour(story, crowd, MANY // 2, MANY)
    async with story.product.explaining():
        assert (await story.answer_to(direct, PATIENCE)).text == "Echo: Do you hear me in this noise?"
        assert stored(story) < MANY  # who writes elsewhere does not wait for the crowd
        await story.until(lambda: stored(story) == MANY, PATIENCE)
        await story.until(lambda: len(said_in(story, story.dev)) == LIMIT, PATIENCE)
        await lift(story, story.dev)
        asked = story.world.say(crowd[0], story.dev, "Is it quiet now?")
        assert (await story.answer_to(asked)).text == "Echo: Is it quiet now?"
    assert texts_kept(story) == sorted(line.text for line in lines)
    answered = [answer.text for line in lines for answer in story.answers(line)]
    assert answered == [f"Echo: {line.text}" for line in lines[:LIMIT]]
    assert said_in(story, story.dev) == [*answered, "Echo: Is it quiet now?"]
    assert reasons(story, crowd)[STOPPED] == MANY - LIMIT
    assert len(alerts(story, story.dev)) == 1


async def test_a6_a_person_who_asks_too_much_is_left_alone_until_the_owner_lifts_it(story: Story) -> None:
    friend, other = story.friend(), story.friend()
    here = story.world.dm(friend, story.valor)
    pings = [story.world.say(friend, story.valor, "ping") for _ in range(LIMIT + 5)]
    async with story.product.explaining():
        await story.until(lambda: len(said_in(story, here)) == LIMIT and alerts(story, here))
        pleas = [story.world.say(friend, story.valor, text) for text in ("And now?", "/lift", f"/lift {friend.id}")]
        await story.until(lambda: story.row_of(pleas[-1]))
        elsewhere = story.world.say(other, story.valor, "And I?")
        assert (await story.answer_to(elsewhere)).text == "Echo: And I?"
        await lift(story, here)
        again = story.world.say(friend, story.valor, "And by now?")
        assert (await story.answer_to(again)).text == "Echo: And by now?"
    left_alone = [*pings[LIMIT:], *pleas]
    assert [len(story.answers(ping)) for ping in pings[:LIMIT]] == [1] * LIMIT
    assert [row["reason"] for line in left_alone if (row := story.row_of(line))] == [STOPPED] * len(left_alone)
    assert [story.answers(line) + story.reactions(line) for line in left_alone] == [[]] * len(left_alone)
    assert len(alerts(story, here)) == 1


# -- flood waits


async def test_b4_an_answer_of_parts_goes_on_at_the_part_that_was_refused(story: Story) -> None:
    before = len(sends(story))
    asked = await refused_at_its_second_part(story, "all that you know", 2)
    async with story.product.explaining():
        parts = await story.settled(asked)
    told = ["".join(part.text.split()) for part in parts]
    assert told == ["".join(part.split()) for part in PARTS]
    assert sends(story)[before:] == ["ok", "FLOOD_WAIT_2", "ok", "ok", "ok"]


async def test_b2_while_answers_have_to_wait_nothing_is_spent_on_decoration(story: Story) -> None:
    """Neither eyes nor typing for who writes meanwhile; how it went is shown afterwards."""
    asked = await refused_at_its_second_part(story, "it once more", 8)
    calls = story.world.ledger.calls(person=story.valor)
    end = next(call.tick for call in reversed(calls) if call.outcome == "FLOOD_WAIT_8") + 8
    thinking = story.world.say(story.friend(), story.valor, do(say="Thought.", gate="patience"))
    async with story.product.explaining():
        await story.until(lambda: "patience" in story.script.reached)
        assert len(story.answers(asked)) == 1
        await story.until(lambda: len(story.answers(asked)) == len(PARTS))
        meanwhile = [call for call in story.world.ledger.calls(person=story.valor)[len(calls) :] if call.tick < end]
        story.script.open("patience")
        assert [answer.text for answer in await story.settled(thinking)] == ["Thought."]
        await story.settled(asked)
    assert DECORATION.isdisjoint(call.method for call in meanwhile)
    assert story.reactions(asked)[-1] == story.reactions(thinking)[-1] == "👍"


# -- who says what, and what is seen of it


def pour(story: Story, crowd: list[Person], first: int, end: int) -> list[SentMessage]:
    """Everybody in turn, as fast as the world takes it: no person's message joins the one before."""
    return [
        story.world.say(crowd[number % len(crowd)], story.dev, f"Line {number} of all") for number in range(first, end)
    ]


async def refused_at_its_second_part(story: Story, what: str, seconds: int) -> SentMessage:
    """A question whose answer has arrived in its first part, and was refused for some seconds in its second.

    That the first part has arrived is said late, so that the refusal is there in time.
    """
    story.model.answer(Say("\n\n".join(PARTS)), when=lambda asked: what in asked.question)
    story.world.faults.slow(2, story.valor, SEND)
    asked = story.world.say(story.friend(), story.valor, f"Tell me {what}")
    async with story.product.explaining():
        await story.answer_to(asked)
        refusal = story.world.faults.flood_wait(seconds, story.valor, SEND)
        await story.until(lambda: refusal.met)
    assert len(story.answers(asked)) == 1
    return asked


async def lift(story: Story, chat: Chat) -> None:
    """The owner allows answers again, as she was told to."""
    key = chat.peer_id(story.valor)
    told = await story.answer_to(story.world.say(story.olivia, story.valor, f"/lift {key}"))
    assert told.text == f"I answer in {key} again."


def alerts(story: Story, chat: Chat) -> list[str]:
    """How the owner was told that nothing is answered in a chat, with the command that ends that."""
    command = f"Send /lift {chat.peer_id(story.valor)} to let me go on."
    owner = story.world.dm(story.olivia, story.valor)
    return [text for text in said_in(story, owner) if text.endswith(command)]


def said_in(story: Story, chat: Chat) -> list[str]:
    return [message.text for message in story.world.messages(chat, story.valor)]


def stored(story: Story) -> int:
    return story.product.value(STORED)


def texts_kept(story: Story) -> list[str]:
    return sorted(row["text"] for row in story.product.query("SELECT text FROM messages WHERE text LIKE 'Line %'"))


def reasons(story: Story, crowd: list[Person]) -> dict[str, int]:
    """Why the crowd's messages were or were not answered, and how many for each reason."""
    ids = ", ".join(str(person.id) for person in crowd)
    sql = f"SELECT reason, COUNT(*) AS number FROM messages WHERE sender_id IN ({ids}) GROUP BY reason"
    return {row["reason"]: row["number"] for row in story.product.query(sql)}


def sends(story: Story) -> list[str]:
    """What came of every message that Valor tried to send."""
    return [call.outcome for call in story.world.ledger.calls(SEND, story.valor)]
