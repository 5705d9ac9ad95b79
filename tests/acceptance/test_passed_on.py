"""Messages in the words of others, and of others than people: forwards, quotes, anonymous administrators, channels."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from tests.acceptance.bot_story import BotStory, bot_story
from tests.acceptance.test_bot_both import bots_barrier
from tests.acceptance.test_replies import asked_last
from tests.acceptance.test_story import barrier
from tests.world.telegram import Chat, Person, SentMessage


@pytest.fixture(scope="module")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[BotStory]:
    async with bot_story(tmp_path_factory.mktemp("passed-on"), alone=False) as story, story.product.running():
        yield story
        assert await story.audit() == []


@pytest.fixture(params=["account", "bot"])
def front(request: pytest.FixtureRequest, story: BotStory) -> Person:
    return story.account if request.param == "account" else story.bot


def group_of(story: BotStory, front: Person) -> Chat:
    """Where that front answers everything."""
    return story.dev if front is story.account else story.served


def row_of(story: BotStory, front: Person, message: SentMessage) -> dict[str, Any]:
    where = "SELECT * FROM messages WHERE front = ? AND chat_id = ? AND message_id = ?"
    kind = "bot" if front.is_bot else "account"
    numbers = str(message.chat.peer_id(front)), message.id_for(front)
    (row,) = story.product.query(where, f"{kind}:{front.id}", *numbers)
    return dict(row)


async def test_b7_what_is_forwarded_is_read_as_the_words_of_who_wrote_them(story: BotStory, front: Person) -> None:
    friend = story.friend()
    said = story.world.say(story.sam, story.other, f"Lunch at noon, says {front.first_name}")
    async with story.product.explaining():
        for hidden in (False, True):
            asked = story.world.forward(friend, said, front, hidden=hidden)
            assert len(await story.settled(asked)) == 1
            assert asked_last(story, said.text).prompt.endswith(f"[Forwarded from Sam]\n{said.text}")


async def test_b7_a_forwarded_command_commands_nothing(story: BotStory, front: Person) -> None:
    friend = story.friend()
    said = story.world.say(story.sam, story.sam, f"/ping {front.id}")
    async with story.product.explaining():
        asked = story.world.forward(friend, said, front)
        (answer,) = await story.settled(asked)
    assert answer.text.endswith(said.text)
    assert row_of(story, front, asked)["text"] == f"[Forwarded from Sam]\n{said.text}"


async def test_b7_the_quoted_part_is_read_above_what_is_said_of_it(story: BotStory, front: Person) -> None:
    group = group_of(story, front)
    async with story.product.explaining():
        said = story.world.say(story.olivia, group, f"Cake, tea and {front.first_name}")
        await story.settled(said)
        asked = story.world.say(story.olivia, group, f"How much for {front.id}?", said, quote="Cake")
        await story.settled(asked)
    assert f"> Cake\nHow much for {front.id}?" in asked_last(story, f"How much for {front.id}?").prompt


async def test_a9_an_anonymous_administrator_is_answered_as_a_guest(story: BotStory, front: Person) -> None:
    """Telegram tells nobody who it is, be it the owner."""
    group = group_of(story, front)
    async with story.product.explaining():
        asked = story.world.say(story.olivia, group, "Who am I?", guise=group)
        (answer,) = await story.settled(asked)
        refused = story.world.say(story.olivia, group, "/lift", guise=group)
        (no,) = await story.settled(refused)
    row = row_of(story, front, asked)
    assert (row["role"], row["sender_name"], row["sender_id"]) == ("guest", group.title, group.peer_id(front))
    assert answer.text.endswith("Who am I?")
    assert "owner" in no.text


async def test_a6_a_channels_post_in_its_group_is_context_and_never_answered(story: BotStory, front: Person) -> None:
    group, name = group_of(story, front), front.username
    channel = story.world.channel("News", story.olivia)
    async with story.product.explaining():
        post = story.world.post(channel, f"@{name} is new here", group)
        comment = story.world.say(story.olivia, group, f"@{name} what is new?", post)
        await story.settled(comment)
        await (bots_barrier(story) if front is story.bot else barrier(story))
    row = row_of(story, front, post)
    assert (row["answer"], row["sender_name"], story.answers(post)[1:]) == (0, "News", [])
    assert f"> News: @{name} is new here" in asked_last(story, "what is new?").prompt


async def test_a4_who_writes_as_a_channel_is_answered_as_a_guest(story: BotStory, front: Person) -> None:
    group = group_of(story, front)
    channel = story.world.channel("My diary", story.sam)
    async with story.product.explaining():
        asked = story.world.say(story.olivia, group, "May a diary ask?", guise=channel)
        assert len(await story.settled(asked)) == 1
    row = row_of(story, front, asked)
    assert (row["role"], row["sender_name"]) == ("guest", "My diary")
