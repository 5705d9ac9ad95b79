"""The bot as @BotFather makes them: in groups Telegram lets it hear what is said to it, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from tests.acceptance.bot_story import BotStory, bot_story
from tests.world.telegram import SentMessage


@pytest.fixture(scope="module")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[BotStory]:
    async with bot_story(tmp_path_factory.mktemp("privacy"), alone=True) as story:
        story.api.hub(story.bot).privacy = True
        async with story.product.running():
            yield story
            assert await story.audit() == []


async def answered(story: BotStory, asked: SentMessage) -> SentMessage:
    async with story.product.explaining():
        (answer,) = await story.settled(asked)
    return answer


@pytest.mark.parametrize("name", ["served", "quiet"])
async def test_a4_in_privacy_mode_a_mention_a_reply_and_a_command_are_answered_and_nothing_else_is_heard(
    story: BotStory, name: str
) -> None:
    """Also where a bot that hears everything would answer all of it."""
    world, group = story.world, story.served if name == "served" else story.quiet
    before = len(world.messages(group, story.bot))
    unheard = [
        world.say(story.sam, group, text) for text in ("Lunch?", "/ping@another_bot", "and/or", "@owner_olivia?")
    ]
    unheard.append(world.say(story.olivia, group, "At noon", reply_to=unheard[0]))
    told = await answered(story, world.say(story.sam, group, "@valor_bot who are you?"))
    replied = await answered(story, world.say(story.olivia, group, "Is that so?", reply_to=told))
    command = await answered(story, world.say(story.olivia, group, "/ping@valor_bot"))
    world.join(group, world.person(f"Newcomer in {name}"))
    last = await answered(story, world.say(story.sam, group, "@valor_bot who came?"))
    assert [told.text, replied.text, last.text] == ["Echo: who are you?", "Echo: Is that so?", "Echo: who came?"]
    assert command.text.startswith("pong: up ")
    assert [story.rows(story.bot, line) for line in unheard] == [0] * len(unheard)
    assert [story.by(story.bot, line) + story.reactions(line) for line in unheard] == [[]] * len(unheard)
    assert len(world.messages(group, story.bot)) == before + 4


async def test_a4_in_privacy_mode_a_command_without_a_name_is_heard_and_answered_where_everything_is(
    story: BotStory,
) -> None:
    commands = [story.world.say(story.olivia, group, "/ping") for group in (story.served, story.quiet)]
    assert (await answered(story, commands[0])).text.startswith("pong: up ")
    async with story.product.explaining():
        row = await story.until(lambda: story.row_of(commands[1]))
    assert (row["reason"], story.answers(commands[1]), story.reactions(commands[1])) == ("no mention", [], [])


async def test_a4_in_privacy_mode_an_edit_that_mentions_the_bot_is_heard_and_answered_once(story: BotStory) -> None:
    line = story.world.say(story.sam, story.quiet, "what time is it?")
    story.world.edit(line, "@valor_bot what time is it?")
    assert (await answered(story, line)).text == "Echo: what time is it?"
    assert (await answered(story, story.world.say(story.olivia, story.bot, "And in private?"))).text.startswith("Echo")
    assert len(story.answers(line)) == 1
