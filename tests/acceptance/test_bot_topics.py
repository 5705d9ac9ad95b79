"""A forum's topics with the bot: each a chat of its own, bound to a workspace of its own where it is configured so."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import pytest

from tests.acceptance.bot_story import BotStory, bot_story
from tests.acceptance.script_model import do, write
from tests.world.anthropic import Asked
from tests.world.telegram import Chat, Person, SentMessage, Topic

CHAIN = "They reply to:\n"


@dataclass(slots=True)
class Forums:
    """Forum answers everything; its topic Plans is bound to Quiet, which answers when it is asked.

    Of Board nothing is configured but its topic News. `general` is Forum's general topic.
    """

    story: BotStory
    general: Chat = field(init=False)
    things: Topic = field(init=False)
    ideas: Topic = field(init=False)
    plans: Topic = field(init=False)
    news: Topic = field(init=False)
    rumours: Topic = field(init=False)

    def __post_init__(self) -> None:
        world, people = self.story.world, [self.story.olivia, self.story.sam, self.story.bot]
        self.general, board = world.group("Forum", people), world.group("Board", people)
        self.things, self.ideas, self.plans = (
            self._open(self.general, title) for title in ("Things", "Ideas", "Plans")
        )
        self.news, self.rumours = (self._open(board, title) for title in ("News", "Rumours"))
        file = self.story.home / "config" / "workspace_config.json"
        configuration = self.story.configuration()
        self.story.work("forum").mkdir()
        ids = [str(self.general.peer_id(self.story.bot))]
        place = {"working_directory": str(self.story.work("forum")), "telegram_chat_ids": ids, "front": "bot"}
        configuration["workspaces"]["Forum"] = place | {"is_dev_group": True}
        configuration["telegram_topics"] = {self.key(topic): "Quiet" for topic in (self.plans, self.news)}
        file.write_text(json.dumps(configuration))

    def _open(self, forum: Chat, title: str) -> Topic:
        return self.story.world.topic(forum, self.story.olivia, title)

    def key(self, topic: Topic) -> str:
        return f"{topic.chat.peer_id(self.story.bot)}/{topic.id}"

    def say(
        self, where: Topic | Chat, text: str, reply_to: SentMessage | None = None, *, who: Person | None = None
    ) -> SentMessage:
        return self.story.world.say(who or self.story.olivia, where, text, reply_to)

    async def answer(self, asked: SentMessage) -> SentMessage:
        """Its one answer, which stands in the same topic."""
        async with self.story.product.explaining():
            (answer,) = await self.story.settled(asked)
        assert answer.topic == asked.topic
        return answer

    async def answers(self, where: Topic | Chat, text: str) -> str:
        return (await self.answer(self.say(where, text))).text

    def asked_with(self, words: str) -> Asked:
        return next(seen.asked for seen in reversed(self.story.model.calls) if words in seen.asked.question)


@pytest.fixture(scope="module")
async def forums(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Forums]:
    async with bot_story(tmp_path_factory.mktemp("topics"), alone=True) as story:
        forums = Forums(story)
        async with story.product.running():
            yield forums
            assert await story.audit() == []


async def test_b7_a_topic_knows_itself_and_neither_its_neighbours_nor_the_general_topic(forums: Forums) -> None:
    for where, colour in ((forums.things, "teal"), (forums.ideas, "ochre"), (forums.general, "plum")):
        text = f"The colour here is {colour}"
        assert await forums.answers(where, text) == f"Echo: {text}"
    for where, colour in ((forums.things, "teal"), (forums.ideas, "ochre"), (forums.general, "plum")):
        question = f"Which colour was it, not {len(colour)} but what?"
        await forums.answers(where, question)
        body = json.dumps(forums.asked_with(question).body)
        assert [one for one in ("teal", "ochre", "plum") if one in body] == [colour]


async def test_b5_topics_do_not_wait_for_each_other_and_are_stopped_one_by_one(forums: Forums) -> None:
    story = forums.story
    working = forums.say(forums.things, do(say="That took a while.", gate="a while"))
    async with story.product.explaining():
        await story.until(lambda: "a while" in story.script.reached)
        assert await forums.answers(forums.ideas, "And here?") == "Echo: And here?"
        assert await forums.answers(forums.ideas, "stop") == "Nothing is running in this chat."
        await story.until(lambda: f"typing in {forums.things.id}" in typed_in(story, forums.general))
        story.script.open("a while")
        assert (await forums.answer(working)).text == "That took a while."


def typed_in(story: BotStory, chat: Chat) -> list[str]:
    return [deed.detail for deed in story.world.ledger.did("typing", story.bot, chat)]


async def test_w3_a_topic_works_where_the_configuration_binds_it_and_the_rest_of_its_forum_does_not(
    forums: Forums,
) -> None:
    story = forums.story
    for where, name in ((forums.plans, "plan.txt"), (forums.things, "thing.txt")):
        assert await forums.answers(where, f"@valor_bot {do(write(name, '1'), say='Written.')}") == "Written."
    assert [(story.work("quiet") / name).exists() for name in ("plan.txt", "thing.txt")] == [True, False]
    assert [(story.work("forum") / name).exists() for name in ("plan.txt", "thing.txt")] == [False, True]
    assert "This chat works in Quiet." in await forums.answers(forums.plans, "/workspace@valor_bot")
    assert "This chat works in Forum." in await forums.answers(forums.things, "/workspace")


async def test_a4_a_bound_topic_answers_as_its_workspace_does_and_an_unbound_one_is_not_heard(forums: Forums) -> None:
    story = forums.story
    unasked = forums.say(forums.plans, "Lunch?", who=story.sam)
    unheard = forums.say(forums.rumours, "@valor_bot have you heard?")
    assert await forums.answers(forums.plans, "@valor_bot what is planned?") == "Echo: what is planned?"
    assert await forums.answers(forums.news, "@valor_bot what is new?") == "Echo: what is new?"
    assert [story.answers(line) + story.reactions(line) for line in (unasked, unheard)] == [[], []]
    keys = [row["chat_id"] for row in story.product.query("SELECT DISTINCT chat_id FROM messages")]
    assert forums.key(forums.plans) in keys
    assert forums.key(forums.rumours) not in keys


async def test_b7_a_reply_in_a_topic_brings_what_it_replies_to_and_needs_no_mention(forums: Forums) -> None:
    first = forums.say(forums.plans, "@valor_bot the meeting is on Friday")
    told = await forums.answer(first)
    replied = forums.say(forums.plans, "Is that certain?", told, who=forums.story.sam)
    assert (await forums.answer(replied)).text == "Echo: Is that certain?"
    chain = forums.asked_with("Is that certain?").prompt.partition(CHAIN)[2].splitlines()[:2]
    assert [line.endswith("the meeting is on Friday") for line in chain] == [True, True]
    assert await forums.answers(forums.ideas, "What is on Friday?") == "Echo: What is on Friday?"
    assert "meeting" not in json.dumps(forums.asked_with("What is on Friday?").body)


async def test_a8_why_is_told_in_the_topic_of_the_message(forums: Forums) -> None:
    unasked = forums.say(forums.plans, "Supper?", who=forums.story.sam)
    why = forums.say(forums.plans, "/why@valor_bot", unasked)
    assert "by Sam was not answered: no mention." in (await forums.answer(why)).text


async def test_b4_what_was_deleted_in_a_topic_is_answered_there_without_a_reply(forums: Forums) -> None:
    story = forums.story
    asked = forums.say(forums.things, do(say="You asked me in here.", gate="deleted"))
    async with story.product.explaining():
        await story.until(lambda: "deleted" in story.script.reached)
        story.world.delete(asked)
        story.script.open("deleted")
        (told,) = await story.until(lambda: said(story, "You asked me in here."))
        assert await forums.answers(forums.things, "Never mind.") == "Echo: Never mind."
    assert (told.topic, told.reply_to) == (forums.things.id, None)
    assert len(said(story, told.text)) == 1


def said(story: BotStory, text: str) -> list[SentMessage]:
    return [one for one in story.world.messages(sender=story.bot) if one.text == text]


async def test_b1_what_was_said_in_topics_while_it_was_stopped_is_answered_there(forums: Forums) -> None:
    story = forums.story
    async with story.product.explaining():
        assert (await story.product.stop()).code == 0
        lines = [forums.say(where, f"Night {n}") for n, where in enumerate((forums.things, forums.ideas))]
        assert (await story.product.start()).code == 0
        assert [(await forums.answer(line)).text for line in lines] == ["Echo: Night 0", "Echo: Night 1"]
