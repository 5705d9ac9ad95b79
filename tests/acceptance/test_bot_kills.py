"""The bot under kill -9, which has no keys for its sends: nothing is lost, and what may be a repeat says so, once."""

from __future__ import annotations

import contextlib
import sys
import time
from asyncio.subprocess import DEVNULL, Process, create_subprocess_exec
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from conversations.typeset import REPEAT
from tests.acceptance.bot_story import BotStory, bot_story
from tests.acceptance.installation import PROJECT
from tests.world.telegram import SentMessage

KILLED = -9


@pytest.fixture
async def story(tmp_path: Path) -> AsyncGenerator[BotStory]:
    async with bot_story(tmp_path, alone=True) as story:
        yield story


@contextlib.asynccontextmanager
async def server(story: BotStory, point: str = "") -> AsyncGenerator[Process]:
    """A server alone, which ends at `point`."""
    story.product.configure(FAIL_POINTS=point)
    program = (sys.executable, str(PROJECT / "main.py"))
    process = await create_subprocess_exec(*program, env=story.product.environment, stdin=DEVNULL, stdout=DEVNULL)
    try:
        async with story.product.explaining():
            yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def killed_at(story: BotStory, point: str) -> SentMessage:
    """The question that the server died over."""
    async with server(story, point) as process:
        await story.until(lambda: story.api.hub(story.bot).commands and story.product.value(PINGED), 60)
        await story.until(lambda: story.product.value(ADMITTED) < time.time() - SECOND, 60)
        asked = story.world.say(story.friend(), story.bot, f"Tell me at {point}")
        assert await process.wait() == KILLED
        story.api.hub(story.bot).commands = []
    return asked


# Telegram tells whole seconds: what is said in that of the first start counts as older than it.
SECOND, ADMITTED = 1.0, "SELECT (julianday(MAX(since)) - 2440587.5) * 86400 FROM admitted_since"
# The self-ping of the local page passes the points of the database once before.
PINGED = "SELECT seq FROM sqlite_sequence WHERE name = 'turns'"


@pytest.mark.parametrize(
    ("point", "told"),
    [
        ("receive:before-commit#2", ["{}"]),
        ("intent:before-commit", ["{}"]),
        ("intent:after-commit", [REPEAT + "{}"]),
        ("bot.sendMessage:after", ["{}", REPEAT + "{}"]),
    ],
)
async def test_p3_a_message_is_answered_and_only_a_send_that_may_have_happened_is_repeated(
    story: BotStory, point: str, told: list[str]
) -> None:
    asked = await killed_at(story, point)
    async with server(story):
        await story.until(lambda: len(story.answers(asked)) == len(told) and not story.owed(), 60)
        await barrier(story)
        assert await story.audit(ambiguous=99) == []  # which waits for a self-ping that is under way
    assert [answer.text for answer in story.answers(asked)] == [text.format(f"Echo: {asked.text}") for text in told]


async def test_p3_a_repeat_that_may_have_happened_is_ambiguous_and_never_sent_again(story: BotStory) -> None:
    asked = await killed_at(story, "bot.sendMessage:after")
    async with server(story, "bot.sendMessage:after") as repeating:
        assert await repeating.wait() == KILLED
    async with server(story):
        await barrier(story)
    text = f"Echo: {asked.text}"
    assert [answer.text for answer in story.answers(asked)] == [text, REPEAT + text]
    where = "SELECT status, sends, message_id FROM deliveries WHERE text = ?"
    (row,) = story.product.query(where, REPEAT + text)
    assert tuple(row) == ("ambiguous", 2, None)


async def barrier(story: BotStory) -> None:
    """What was to be told before has been told."""
    await story.settled(story.world.say(story.olivia, story.bot, "ping"), 60)
