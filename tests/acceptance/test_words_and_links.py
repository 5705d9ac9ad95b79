"""The words that need no model, said to the account, and links on either front: real processes, both at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest

from tests.acceptance.bot_story import BotStory, bot_story
from tests.acceptance.script_model import Use, do
from tests.acceptance.test_story_people import begun
from tests.world.anthropic import Say
from tests.world.telegram import Chat, Person, SentMessage
from tests.world.web import WebWorld, html

NOTHING_RUNS = "Nothing is running in this chat."
NO_LINK = "No saved link holds all of these words."
TOLD = {
    "status": ("pong: up ", NOTHING_RUNS, "No promise is open in this workspace."),
    "usage": ("Used in {}", "Last 30 days: "),
    "workspace": ("This chat works in {}.", "groups are served by: account", "tools that ask first: none"),
}


@dataclass
class Stage:
    """The story with both fronts and a web around it."""

    story: BotStory
    web: WebWorld

    async def answer(self, who: Person, where: Chat | Person, text: str, reply_to: SentMessage | None = None) -> str:
        return await self.answer_to(self.story.world.say(who, where, text, reply_to))

    async def answer_to(self, asked: SentMessage) -> str:
        async with self.story.product.explaining():
            (answer,) = await self.story.settled(asked)
        return answer.text

    def page(self, name: str, title: str, summary: str) -> str:
        """The address of a page of which the model says this."""
        self.web.pages[f"/{name}"] = html(title, f"All about {title}.")
        url = f"{self.web.url}/{name}"
        self.story.model.answer(Say(summary), when=lambda asked: url in asked.prompt and not asked.tools)
        return url


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    async with WebWorld() as web, bot_story(tmp_path_factory.mktemp("words"), alone=False) as story:
        story.product.configure(LINK_PRIVATE_HOSTS=web.address, ANSWERS_PER_MINUTE="1000")
        async with story.product.running():
            yield Stage(story, web)
            assert await story.audit() == []


# -- words


@pytest.mark.parametrize("word", TOLD)
@pytest.mark.parametrize("said", ["/{}", "{}", "{}.", "/{}@valor_ai"])
async def test_b9_the_account_tells_in_a_direct_chat_and_in_a_group_without_a_model(
    stage: Stage, word: str, said: str
) -> None:
    story, friend, before = stage.story, stage.story.friend(), len(stage.story.model.calls)
    text = said.format(word).capitalize()
    for who, where, name in ((friend, story.account, f"private-{friend.id}"), (story.olivia, story.dev, "Dev")):
        told = await stage.answer(who, where, text)
        assert all(part.format(name) in told for part in TOLD[word])
        assert str(story.home) not in told
    assert len(story.model.calls) == before


@pytest.mark.parametrize("word", TOLD)
@pytest.mark.parametrize("said", ["@valor_ai {}", "@valor_ai /{}", "/{}@valor_ai", "{} @valor_ai"])
async def test_a4_in_a_group_that_is_to_mention_the_account_it_tells_who_does(
    stage: Stage, word: str, said: str
) -> None:
    story, before = stage.story, len(stage.story.model.calls)
    unasked = [story.world.say(story.sam, story.other, text) for text in (word, f"/{word}", f"/{word}@another_bot")]
    told = await stage.answer(story.sam, story.other, said.format(word))
    assert all(part.format("Other") in told for part in TOLD[word])
    if word == "workspace":
        assert "you are: guest" in told
    assert [story.answers(line) + story.reactions(line) for line in unasked] == [[]] * len(unasked)
    assert len(story.model.calls) == before


async def test_b9_words_in_a_sentence_are_the_models(stage: Stage) -> None:
    friend = stage.story.friend()
    for text in ("status of the build?", "why", "usage, please"):
        assert await stage.answer(friend, stage.story.account, text) == f"Echo: {text}"


async def test_b9_status_tells_whose_work_the_account_is_at_in_this_chat(stage: Stage) -> None:
    story, friend = stage.story, stage.story.friend()
    working = await begun(story, story.olivia, story.dev, "status", story.work("dev"))
    assert "I am at Olivia's work." in await stage.answer(story.olivia, story.dev, "status")
    assert NOTHING_RUNS in await stage.answer(friend, story.account, "/status")
    (story.work("dev") / "status.go").touch()
    assert await stage.answer_to(working) == "Done."


async def test_a9_usage_tells_the_owner_of_everybody_and_a_guest_of_the_guest_alone(stage: Stage) -> None:
    story = stage.story
    for person in (story.olivia, story.sam):
        await stage.answer(person, story.other, "@valor_ai hello")
    owners = await stage.answer(story.olivia, story.other, "@valor_ai usage")
    guests = await stage.answer(story.sam, story.other, "@valor_ai usage")
    assert all(part in owners for part in ("Olivia: ", "Sam: "))
    assert "Used in Other, by you alone:" in guests
    assert "Olivia" not in guests


async def test_a8_why_tells_the_account_s_reason_for_the_message_it_replies_to(stage: Stage) -> None:
    story, friend = stage.story, stage.story.friend()
    unheard = story.world.say(story.sam, story.other, "Lunch?")
    for words in ("/why@valor_ai", "@valor_ai /why", f"@valor_ai /why {unheard.id_for(story.account)}"):
        replied = None if words[-1].isdigit() else unheard
        told = await stage.answer(story.olivia, story.other, words, replied)
        assert told.startswith(f"Message {unheard.id_for(story.account)} by Sam was not answered: no mention")
    heard = story.world.say(friend, story.account, "Are you there?")
    await stage.answer_to(heard)
    told = await stage.answer(friend, story.account, "/why", heard)
    assert f"by {friend.first_name} was answered: direct message" in told
    assert "Say which message: reply /why to it" in await stage.answer(friend, story.account, "/why")
    foreign = await stage.answer(friend, story.account, f"/why {unheard.id_for(story.account) + 100_000}")
    assert "of this chat is stored" in foreign


# -- links


async def test_b10_a_link_sent_to_the_bot_is_saved_summarised_and_found_on_either_front(stage: Stage) -> None:
    """Both reach the same workspace of the same person; another's finds nothing."""
    story, friend, other = stage.story, stage.story.friend(), stage.story.friend()
    url = stage.page("tides", "On tides", "Why the sea\nrises twice.")
    assert await stage.answer(friend, story.bot, url) == "Saved: On tides. Why the sea rises twice."
    for front in (story.bot, story.account):
        told = await stage.answer(friend, front, "/link sea twice")
        assert told.splitlines()[0].startswith(f"{url} ({friend.first_name}, ")
        assert told.splitlines()[1:] == ["On tides. Why the sea rises twice."]
        assert await stage.answer(other, front, "/link tides") == NO_LINK
    await stage.answer(friend, story.bot, do(Use("search_links", {"words": "tides"}), say="Found."))
    assert url in story.model.calls[-1].asked.results[0].text


async def test_b10_a_link_in_a_group_of_the_account_is_saved_and_found_by_all_of_it_and_nowhere_else(
    stage: Stage,
) -> None:
    story = stage.story
    url = stage.page("moss", "On moss", "Soft and green.")
    assert await stage.answer(story.olivia, story.dev, url) == "Saved: On moss. Soft and green."
    told = await stage.answer(story.olivia, story.dev, "/link green")
    assert told.splitlines()[1:] == ["On moss. Soft and green."]
    assert await stage.answer(story.olivia, story.other, "@valor_ai /link green") == NO_LINK
    assert await stage.answer(story.olivia, story.account, "/link green") == NO_LINK


async def test_b10_in_a_group_that_is_to_mention_the_account_a_link_is_saved_for_who_does(stage: Stage) -> None:
    story = stage.story
    unasked = story.world.say(story.sam, story.other, f"{stage.web.url}/unasked")
    url = stage.page("fern", "On ferns", "Older than flowers.")
    assert await stage.answer(story.sam, story.other, f"@valor_ai {url}") == "Saved: On ferns. Older than flowers."
    told = await stage.answer(story.olivia, story.other, "@valor_ai /link flowers")
    assert told.splitlines()[0].startswith(f"{url} (Sam, ")
    assert (story.answers(unasked), story.reactions(unasked)) == ([], [])
    assert story.product.value("SELECT COUNT(*) FROM links WHERE url = ?", unasked.text) == 0
