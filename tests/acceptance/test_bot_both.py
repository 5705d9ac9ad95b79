"""User, account and bot in one group: each message is answered once, by the front that serves its chat."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from tests.acceptance.bot_story import BotStory, bot_story
from tests.acceptance.test_story import barrier


@pytest.fixture(scope="module")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[BotStory]:
    async with bot_story(tmp_path_factory.mktemp("both"), alone=False) as story, story.product.running():
        yield story
        assert await story.audit() == []


async def test_b9_both_fronts_are_up_and_pinged(story: BotStory) -> None:
    said = (await story.product.start()).said
    ping = next(line for line in said.splitlines() if line.startswith("up        self-ping"))
    assert f"account:{story.account.id}" in ping
    assert f"bot:{story.bot.id}" in ping


async def test_b1_a_group_is_answered_by_the_account_alone_unless_told_otherwise(story: BotStory) -> None:
    async with story.product.explaining():
        asked = story.world.say(story.olivia, story.dev, "Who is here?")
        await story.settled(asked)
        named = story.world.say(story.olivia, story.other, "@valor_bot do you hear me?")
        await story.settled(named)
        await bots_barrier(story)
    assert (story.by(story.account, asked), story.by(story.bot, asked)) == (["Echo: Who is here?"], [])
    assert (story.by(story.account, named), story.by(story.bot, named)) == (["Echo: do you hear me?"], [])
    assert [story.rows(front, asked) for front in (story.account, story.bot)] == [1, 0]
    assert [deed for deed in story.world.ledger.did("reaction", story.bot) if deed.number == asked.number] == []


async def test_b1_a_group_that_the_configuration_gives_the_bot_is_answered_by_it_alone(story: BotStory) -> None:
    async with story.product.explaining():
        asked = story.world.say(story.olivia, story.served, "Who is here?")
        await story.settled(asked)
        await barrier(story)
    assert (story.by(story.account, asked), story.by(story.bot, asked)) == ([], ["Echo: Who is here?"])
    assert [story.rows(front, asked) for front in (story.account, story.bot)] == [0, 1]


async def test_b1_a_dm_is_answered_by_the_account_it_was_written_to(story: BotStory) -> None:
    friend = story.friend()
    async with story.product.explaining():
        lines = [story.world.say(friend, front, "Hello you") for front in (story.account, story.bot)]
        for line in lines:
            await story.settled(line)
    assert (story.by(story.account, lines[0]), story.by(story.bot, lines[1])) == (["Echo: Hello you"],) * 2
    assert [len(story.answers(line)) for line in lines] == [1, 1]


async def test_a6_our_own_accounts_are_never_answered(story: BotStory) -> None:
    async with story.product.explaining():
        by_account = story.world.say(story.account, story.served, "@valor_bot what do you think?")
        by_bot = story.world.say(story.bot, story.dev, "@valor_ai what do you think?")
        to_bot = story.world.say(story.account, story.bot, "psst")
        await bots_barrier(story)
        await barrier(story)
    assert [story.answers(line) for line in (by_account, by_bot, to_bot)] == [[], [], []]
    where = "SELECT reason FROM messages WHERE front LIKE 'bot:%' AND sender_id = ? AND text LIKE '%what do you%'"
    assert story.product.value(where, story.account.id) == "own message"
    # What the world made them say was owed by nobody.
    story.world.delete(by_account, by_bot, to_bot)


async def test_a4_a_reply_to_either_of_ours_is_a_reply_to_us(story: BotStory) -> None:
    """Whichever of them wrote it."""
    async with story.product.explaining():
        said = story.world.say(story.account, story.quiet, "Something of long ago")
        replied = story.world.say(story.sam, story.quiet, "Is that so?", reply_to=said)
        await story.settled(replied)
    story.world.delete(said)
    assert story.by(story.bot, replied) == ["Echo: Is that so?"]


async def bots_barrier(story: BotStory) -> None:
    """What was said to the bot before has been dealt with."""
    await story.settled(story.world.say(story.olivia, story.bot, "ping"))
