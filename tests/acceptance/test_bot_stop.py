"""`stop` while a command of the agent's runs for days, on either front: nothing else can be what ended it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.acceptance.bot_story import BotStory, bot_story
from tests.acceptance.installation import all_pids, read_process
from tests.acceptance.script_model import command, do
from tests.world.telegram import Chat, Person, SentMessage

WAYS = ["stop", "/stop", "edit"]
# Nothing here listens to SIGTERM, and one of three has left its process group.
STUBBORN = "trap '' TERM; setsid sh -c \"trap '' TERM; sleep {0}1\" & sleep {0}2 & touch {1}; sleep {0}3"


@pytest.fixture(scope="module")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[BotStory]:
    async with bot_story(tmp_path_factory.mktemp("stop"), alone=False) as story, story.product.running():
        yield story
        assert await story.audit() == []


@pytest.mark.parametrize("front", ["account", "bot"])
@pytest.mark.parametrize("way", WAYS)
async def test_b6_stop_ends_a_command_that_runs_for_days_and_the_chat_is_told(
    story: BotStory, front: str, way: str
) -> None:
    friend = story.friend()
    place = story.bot if front == "bot" else story.account
    async with story.product.explaining():
        asked = await working(story, friend, place, story.private_work(friend))
        told = await story.answer_to(stop(story, asked, way))
        await story.until(lambda: not running(friend))
        assert await answered(story, friend, place) == "Echo: And now?"
    assert told.text.startswith("Stopped.")
    assert "run_command" in told.text
    assert "never" not in [one.text for one in story.world.messages(asked.chat)]


@pytest.mark.parametrize("front", ["account", "bot"])
async def test_b6_stop_in_a_group_ends_the_command_of_who_says_it(story: BotStory, front: str) -> None:
    group, name = (story.served, "served") if front == "bot" else (story.dev, "dev")
    if story.sam not in group.members:
        story.world.join(group, story.sam)
    async with story.product.explaining():
        asked = await working(story, story.olivia, group, story.work(name))
        refused = await story.answer_to(story.world.say(story.sam, group, "stop"))
        assert running(story.olivia)
        stopped = story.world.say(story.olivia, group, "stop")
        told = await story.answer_to(stopped)
        await story.until(lambda: not running(story.olivia))
        (story.work(name) / begun(story.olivia)).unlink()
        assert await answered(story, story.olivia, group) == "Echo: And now?"
    assert "only they or an owner may stop it" in refused.text
    assert told.text.startswith("Stopped.")
    assert not any(one.text == "never" for one in story.answers(asked))


def begun(person: Person) -> str:
    return f"begun {person.id}"


async def working(story: BotStory, person: Person, where: Chat | Person, work: Path) -> SentMessage:
    """A question over which such a command runs now."""
    line = STUBBORN.format(person.id, f"'{begun(person)}'")
    asked = story.world.say(person, where, do(command(line), say="never"))
    await story.until((work / begun(person)).exists)
    await story.until(lambda: len(running(person)) >= 3)
    return asked


def running(person: Person) -> list[str]:
    """What a person's command still runs, whatever environment it has."""
    lines = (read_process(pid)[0].strip() for pid in all_pids())
    return [line for line in lines if line.startswith(f"sleep {person.id}")]


def stop(story: BotStory, asked: SentMessage, way: str) -> SentMessage:
    """The message that says it."""
    if way != "edit":
        return story.world.say(asked.sender, asked.chat, way)
    return story.world.edit(asked, "stop")


async def answered(story: BotStory, person: Person, where: Chat | Person) -> str:
    (answer,) = await story.settled(story.world.say(person, where, "And now?"))
    return answer.text
