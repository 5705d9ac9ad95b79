"""The bot under kill -9, which has no keys for its sends: nothing is lost, and what may be a repeat says so, once."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from conversations.typeset import REPEAT
from tests.acceptance.bot_story import BotStory, bot_story
from tests.acceptance.installation import is_alive, until
from tests.world.telegram import SentMessage


@pytest.fixture(scope="module")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[BotStory]:
    async with bot_story(tmp_path_factory.mktemp("bot-kills"), alone=True) as story:
        yield story
        await story.product.stop()


async def start(story: BotStory, point: str = "") -> None:
    """Without a supervisor: a process that ends at `point` stays ended."""
    story.product.configure(FAIL_POINTS=point)
    started = await story.product.start("--no-supervise")
    assert started.code == 0, started.said + story.product.tail()


async def death(story: BotStory) -> None:
    pid = story.product.pid("server")
    await until(lambda: not is_alive(pid), 20)


async def killed_at(story: BotStory, point: str) -> SentMessage:
    """The question that the server died over."""
    await story.product.stop()
    await start(story, point)
    asked = story.world.say(story.friend(), story.bot, f"Tell me at {point}")
    await death(story)
    return asked


# The self-ping passes the points of the database once before.
@pytest.mark.parametrize(
    ("point", "told"),
    [
        ("receive:before-commit#2", ["{}"]),
        ("receive:after-commit#2", ["{}"]),
        ("intent:before-commit", ["{}"]),
        ("intent:after-commit", [REPEAT + "{}"]),
        ("bot.sendMessage:after", ["{}", REPEAT + "{}"]),
        ("sent:before-commit#2", ["{}", REPEAT + "{}"]),
        ("sent:after-commit#2", ["{}"]),
    ],
)
async def test_p3_a_message_is_answered_and_only_a_send_that_may_have_happened_is_repeated(
    story: BotStory, point: str, told: list[str]
) -> None:
    async with story.product.explaining():
        asked = await killed_at(story, point)
        await start(story)
        await story.until(lambda: len(story.answers(asked)) == len(told) and not story.owed(), 20)
        await barrier(story)
    assert [answer.text for answer in story.answers(asked)] == [text.format(f"Echo: {asked.text}") for text in told]
    assert await story.audit(ambiguous=99) == []


async def test_p3_a_repeat_that_may_have_happened_is_ambiguous_and_never_sent_again(story: BotStory) -> None:
    async with story.product.explaining():
        asked = await killed_at(story, "bot.sendMessage:after")
        await start(story, "bot.sendMessage:after")
        await death(story)
        for _ in range(2):
            await start(story)
            await barrier(story)
            await story.product.stop()
    text = f"Echo: {asked.text}"
    assert [answer.text for answer in story.answers(asked)] == [text, REPEAT + text]
    where = "SELECT status, sends, message_id FROM deliveries WHERE text = ?"
    (row,) = story.product.query(where, REPEAT + text)
    assert tuple(row) == ("ambiguous", 2, None)
    # Somebody looked into the chat and let it go.
    story.product.change("UPDATE deliveries SET status = 'dropped' WHERE status = 'ambiguous'")
    story.world.delete(*story.answers(asked))


async def barrier(story: BotStory) -> None:
    """What was to be told before has been told."""
    await story.settled(story.world.say(story.olivia, story.bot, "ping"), 20)
