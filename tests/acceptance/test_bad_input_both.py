"""What Telegram refuses, has forgotten, or never told, on either front: real processes, account and bot at once.

What the account does where messages are deleted stands in test_story_away.py.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncGenerator, Generator

import pytest

from tests.acceptance.bot_story import BotStory, bot_story
from tests.acceptance.script_model import command, do, promise
from tests.acceptance.story import UNFINISHED
from tests.acceptance.test_bot_media import Stage, carried
from tests.acceptance.test_story import find
from tests.world.anthropic import Call, Say
from tests.world.speech import SpeechWorld
from tests.world.telegram import Chat, Person, SentMessage
from tests.world.telegram.ledger import Request

FRONTS = ("account", "bot")
REACTS = {"account": "messages.sendReaction", "bot": "setMessageReaction"}
SIGNS = 3  # 👀, where it takes longer ✍, and 👍
UNITS = 1_024  # of a caption, as Telegram counts
CAPTIONS = {
    "letters": "c" * (UNITS + 1),
    "emoji": "🧪" * (UNITS // 2 + 1),
    "two messages": "\n\n".join(f"Line {number} says what is in the file." for number in range(150)),
}


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """In Dev, who goes by mia_1 is a member: people are told apart by their usernames."""
    async with SpeechWorld() as speech, bot_story(tmp_path_factory.mktemp("both"), alone=False) as story:
        story.change("Dev", roles={"owner_olivia": "owner", "mia_1": "member"})
        story.product.configure(OPENAI_BASE_URL=speech.url, OPENAI_API_KEY="dummy")
        async with story.product.running():
            yield Stage(story, speech)
            assert await story.audit() == []


def ours(story: BotStory, front: str) -> Person:
    return story.bot if front == "bot" else story.account


def squeeze(text: str) -> str:
    return "".join(text.split())


async def answered(story: BotStory, asked: SentMessage) -> str:
    async with story.product.explaining():
        (answer,) = await story.settled(asked)
    return answer.text


# -- reactions


@pytest.fixture
def no_reactions(stage: Stage) -> Generator[None]:
    stage.story.world.refuse_reactions()
    yield
    stage.story.world.refuse_reactions(refuse=False)


@pytest.mark.usefixtures("no_reactions")
@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("in_group", [False, True], ids=["direct", "group"])
async def test_b2_where_reactions_are_refused_the_answer_comes_once_and_no_sign_is_tried_twice(
    stage: Stage, front: str, in_group: bool
) -> None:
    story, us = stage.story, ours(stage.story, front)
    where: Chat | Person = (story.served if front == "bot" else story.dev) if in_group else us
    who, before = story.olivia if in_group else story.friend(), len(reactions_by(story, front))
    asked = story.world.say(who, where, f"Hello, {front}")
    async with story.product.explaining():
        await story.answer_to(asked)
        await story.until(lambda: len(reactions_by(story, front)) >= before + 2)
        story.world.refuse_reactions(refuse=False)
        again = story.world.say(who, where, f"And now, {front}?")
        assert await answered(story, again) == f"Echo: And now, {front}?"  # what was to be shown before has been tried
    assert [answer.text for answer in story.answers(asked)] == [f"Echo: Hello, {front}"]
    refused = [call for call in reactions_by(story, front)[before:] if call.outcome != "ok"]
    assert 2 <= len(refused) <= SIGNS
    assert all("REACTION_INVALID" in call.outcome for call in refused)
    assert story.reactions(asked) == []
    assert "This reaction is not allowed in this chat." in (story.home / "logs" / "agent_system.log").read_text()


def reactions_by(story: BotStory, front: str) -> list[Request]:
    return story.world.ledger.calls(REACTS[front], ours(story, front))


# -- captions


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("kind", CAPTIONS)
async def test_b11_a_caption_that_is_too_long_stands_above_its_file_and_everything_arrives_once(
    stage: Stage, front: str, kind: str
) -> None:
    *said, file, end = await answers_with_caption(stage.story, front, CAPTIONS[kind])
    assert squeeze("".join(part.text for part in said)) == squeeze(CAPTIONS[kind])
    assert [part.media for part in said] == [None] * (2 if kind == "two messages" else 1)
    assert (carried(file), file.text) == (("document", "a.csv", b"1,2\n"), "")
    assert (end.text, end.media) == ("That is all.", None)


@pytest.mark.parametrize("front", FRONTS)
async def test_b11_a_caption_that_just_fits_is_the_files_own(stage: Stage, front: str) -> None:
    file, end = await answers_with_caption(stage.story, front, "🧪" * (UNITS // 2))
    assert (file.text, carried(file)[1], end.text) == ("🧪" * (UNITS // 2), "a.csv", "That is all.")


async def answers_with_caption(story: BotStory, front: str, caption: str) -> list[SentMessage]:
    """All that is answered, in the order in which it arrived, by an agent that sends a file with this caption."""
    friend = story.friend()
    question = f"The table for {friend.first_name}, please"
    write, send = {"path": "a.csv", "text": "1,2\n"}, {"path": "a.csv", "caption": caption}
    for reply in (Call("write_file", write), Call("send_file", send), Say("That is all.")):
        story.model.answer(reply, when=lambda asked: question in asked.question)
    asked = story.world.say(friend, ours(story, front), question)
    async with story.product.explaining():
        answers = await story.settled(asked)
    assert answers == [one for one in story.world.messages(asked.chat) if one.sender is ours(story, front)]
    return answers


# -- whom nobody has told of


async def test_bad_input_somebody_never_seen_before_writes_in_a_group_of_the_account(stage: Stage) -> None:
    """Telegram tells neither username nor usable access hash with the message: the account has to ask by whom it is."""
    story = stage.story
    mia, stranger = story.world.person("Mia", "mia_1"), story.world.person("Ned")
    for person in (mia, stranger):
        person.is_partial = True
        for group in (story.dev, story.other):
            story.world.join(group, person)
    told = await answered(story, story.world.say(mia, story.dev, "/workspace"))
    assert "• you are: member" in told
    made = story.world.say(mia, story.dev, do(command("touch mias.txt"), say="Made."))
    assert await answered(story, made) == "Made."
    assert (story.work("dev") / "mias.txt").exists()
    asked = story.world.say(stranger, story.other, "@valor_ai who are you?")
    assert await answered(story, asked) == "Echo: who are you?"
    told = await answered(story, story.world.say(stranger, story.dev, "/workspace"))
    assert "• you are: guest" in told


async def test_bad_input_chats_whose_access_hashes_the_session_has_lost_are_answered(stage: Stage) -> None:
    """What was said while it was away, and what a promise made before still owes."""
    story, friend, other = stage.story, stage.story.friend(), stage.story.friend()
    owed = story.world.say(friend, story.account, promise(do(say="All is done.", gate="lost")))
    async with story.product.explaining():
        await story.until(lambda: "lost" in story.script.reached)
        assert (await story.product.stop()).code == 0
        assert forget_everybody(story) > 0
        direct = story.world.say(other, story.account, "Do you know me?")
        in_group = story.world.say(story.olivia, story.dev, "And this group?")
        story.script.open("lost")
        assert (await story.product.start()).code == 0
        result = await story.until(lambda: find(story, owed, "Promise #"))
        assert await answered(story, direct) == "Echo: Do you know me?"
        assert await answered(story, in_group) == "Echo: And this group?"
    assert "All is done." in result.text


def forget_everybody(story: BotStory) -> int:
    """Take all access hashes out of the account's session; how many there were."""
    with contextlib.closing(sqlite3.connect(story.home / "data" / "telegram.session")) as session, session:
        return session.execute("DELETE FROM entities WHERE id <> 0").rowcount


# -- what was taken away, with the bot


@pytest.mark.parametrize("in_group", [False, True], ids=["direct", "group"])
async def test_b4_what_was_deleted_before_the_bots_answer_is_answered_once_without_a_reply(
    stage: Stage, in_group: bool
) -> None:
    story, gate = stage.story, f"deleted {in_group}"
    who, where = (story.olivia, story.served) if in_group else (story.friend(), story.bot)
    asked = story.world.say(who, where, do(say="You asked me something.", gate=gate))
    before = len(story.world.messages(asked.chat, story.bot))
    async with story.product.explaining():
        await story.until(lambda: gate in story.script.reached)
        story.world.delete(asked)
        story.script.open(gate)
        await story.until(lambda: story.world.messages(asked.chat, story.bot)[before:])
        following = story.world.say(who, where, "Never mind. And this?")
        assert await answered(story, following) == "Echo: Never mind. And this?"
        await story.until(lambda: not story.product.value(UNFINISHED))
    told, _ = story.world.messages(asked.chat, story.bot)[before:]
    assert (told.text, told.reply_to) == ("You asked me something.", None)


async def test_a4_a_reply_to_what_exists_no_more_is_answered_by_the_bot(stage: Stage) -> None:
    """To an answer of its own and to somebody's words: Telegram tells the bot nothing of either."""
    story, friend = stage.story, stage.story.friend()
    async with story.product.explaining():
        (own,) = await story.settled(story.world.say(friend, story.bot, "What is it?"))
        secret = story.world.say(story.sam, story.quiet, "A secret")
        story.world.delete(own, secret)
        replied = story.world.say(friend, story.bot, "Was that true?", reply_to=own)
        assert await answered(story, replied) == "Echo: Was that true?"
        asked = story.world.say(story.olivia, story.quiet, "@valor_bot what did it say?", reply_to=secret)
        assert await answered(story, asked) == "Echo: what did it say?"
    assert [len(story.world.messages(secret.chat, front)) for front in (story.bot, story.account)] == [1, 0]


# -- sounds that are none


async def test_b11_an_audio_that_is_no_audio_is_said_so_by_the_bot(stage: Stage) -> None:
    for kind in ("audio", "voice"):
        content = b"MZ program, " + kind.encode()
        told = await stage.answer(stage.say("listen", stage.media(kind, "song", content, "audio/mpeg")))
        assert "not read. It is no sound that can be read" in told
        assert content not in [heard.sound for heard in stage.speech.heard]
