"""Away, deaf, or overtaken: what people said, edited and took away unseen, and who may have a say in it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conversations.inbox import TOO_OLD
from tests.acceptance.bot_story import bot_story
from tests.acceptance.script_model import do
from tests.acceptance.story import Story, told_in
from tests.acceptance.test_story_people import answered, begun, steers
from tests.world.anthropic import Asked, Hang, Say
from tests.world.telegram import Chat, Person, SentMessage
from tests.world.telegram.faults import Faults

SILENT = 10**9  # more updates than there will be: none is pushed any more
FOUND = 90.0  # the product looks every nine seconds, twice before it opens a new connection
EARLIER = "strftime('%Y-%m-%d %H:%M:%f000', since, '-5 days')"
MENTION = "@valor_ai "


@pytest.fixture(scope="module")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Story]:
    """In Dev, Mia and Max are members, Gus is a guest."""
    async with told_in(tmp_path_factory.mktemp("away")) as story:
        people = [story.world.person(name, f"{name.lower()}_1") for name in ("Mia", "Max", "Gus")]
        configuration = story.configuration()
        roles = {"owner_olivia": "owner", "mia_1": "member", "max_1": "member", "gus_1": "guest"}
        configuration["workspaces"]["Dev"]["roles"] = roles
        (story.home / "config" / "workspace_config.json").write_text(json.dumps(configuration))
        for person in people:
            story.world.join(story.dev, person)
        async with story.product.running():
            yield story
            assert await story.audit() == []


# -- days


async def test_b8_after_days_away_the_last_day_is_answered_and_what_is_older_says_so(story: Story) -> None:
    friend, other = story.friend(), story.friend()
    async with story.product.explaining():
        await away_for_days(story)
        old = [ago(story, 50, friend, story.valor, "Is it Monday?"), ago(story, 26, friend, story.valor, "Tuesday?")]
        young = [ago(story, 20, friend, story.valor, "Is it Wednesday?"), ago(story, 1, friend, story.valor, "Late?")]
        given_up = ago(story, 30, other, story.valor, "Is anybody there?")
        unasked = [ago(story, 70 - number / 5, story.sam, story.other, f"Chatter {number}") for number in range(250)]
        in_group = ago(story, 19, story.olivia, story.other, f"{MENTION}who is on duty?")
        await back(story)
        told, there = await answered(story, young[-1]), await answered(story, in_group)
        rows = [await story.until(lambda line=line: story.row_of(line)) for line in (*old, given_up, *unasked)]
    assert all(line.text in told for line in young)
    assert not any(line.text in told for line in old)
    assert there == "Echo: who is on duty?"
    assert [row["reason"] for row in rows[:3]] == [TOO_OLD] * 3
    assert [row["text"] for row in rows] == [line.text for line in (*old, given_up, *unasked)]
    assert [story.answers(line) + story.reactions(line) for line in (*old, given_up)] == [[]] * 3
    assert story.shown_in(given_up.chat) == []
    (call,) = (seen for seen in story.model.calls if "Is it Wednesday?" in seen.asked.question)
    assert all(json.dumps(call.asked.body).count(line.text) == 1 for line in (*old, *young))


async def test_b8_who_wants_older_messages_answered_says_how_old(story: Story) -> None:
    story.product.configure(CATCHUP_HOURS="96")
    friend = story.friend()
    async with story.product.explaining():
        await away_for_days(story)
        asked = ago(story, 95, friend, story.valor, "Are you back from your holidays?")
        too_old = ago(story, 97, story.olivia, story.dev, "Are you leaving?")
        in_group = ago(story, 80, story.olivia, story.dev, "Who is on holiday?")
        await back(story)
        assert await answered(story, asked) == f"Echo: {asked.text}"
        assert await answered(story, in_group) == f"Echo: {in_group.text}"
        row = story.row_of(too_old)
    story.product.configure(CATCHUP_HOURS="24")
    assert row is not None
    assert (row["reason"], story.answers(too_old), story.reactions(too_old)) == (TOO_OLD, [], [])


# -- deaf


@pytest.fixture
def faults(story: Story) -> Generator[Faults]:
    """What goes wrong in one test and in no other."""
    yield story.world.faults
    story.world.faults.clear()


async def test_b9_a_receive_path_that_is_dead_is_found_and_everything_missed_is_answered_once(
    story: Story, faults: Faults
) -> None:
    """Nothing is pushed while the connection answers whatever is asked over it."""
    async with story.product.explaining():
        unasked = story.world.say(story.olivia, story.other, "what is missed?")
        await story.until(lambda: story.row_of(unasked))
        faults.drop_updates(story.valor, SILENT)
        direct = story.world.say(story.friend(), story.valor, "Do you hear me?")
        in_group = story.world.say(story.olivia, story.dev, "And me?")
        edited = story.world.edit(unasked, f"{MENTION}what is missed?")
        for asked in (direct, in_group, edited):
            await story.settled(asked, FOUND)
        faults.clear()
        again = story.world.say(story.olivia, story.dev, "And by now?")
        assert await answered(story, again) == "Echo: And by now?"
    told = [[answer.text for answer in story.answers(asked)] for asked in (direct, in_group, edited)]
    assert told == [["Echo: Do you hear me?"], ["Echo: And me?"], ["Echo: what is missed?"]]


# -- taken away


async def test_b4_what_was_deleted_before_its_answer_is_answered_once_without_a_reply(story: Story) -> None:
    friend = story.friend()
    here = story.world.dm(friend, story.valor)
    asked = story.world.say(friend, story.valor, do(say="You asked me something.", gate="deleted"))
    async with story.product.explaining():
        await story.until(lambda: "deleted" in story.script.reached)
        story.world.delete(asked)
        story.script.open("deleted")
        (told,) = await story.until(lambda: story.world.messages(here, story.valor))
        following = story.world.say(friend, story.valor, "Never mind. And this?")
        assert await answered(story, following) == f"Echo: {following.text}"
    assert (told.text, told.reply_to) == ("You asked me something.", None)
    assert len(story.world.messages(here, story.valor)) == 2


async def test_a4_a_reply_to_what_exists_no_more_is_answered(story: Story, faults: Faults) -> None:
    """To an answer of ours that was taken away, and to words that nobody here has ever seen."""
    world = story.world
    async with story.product.explaining():
        (ours,) = await story.settled(world.say(story.olivia, story.other, f"{MENTION}what is it?"))
        world.delete(ours)
        replied = world.say(story.sam, story.other, "Was that true?", reply_to=ours)
        assert await answered(story, replied) == "Echo: Was that true?"
        faults.drop_updates(story.valor, 2)
        unseen = world.say(story.sam, story.other, "A secret")
        world.delete(unseen)
        asked = world.say(story.olivia, story.other, f"{MENTION}what did it say?", reply_to=unseen)
        assert await answered(story, asked) == "Echo: what did it say?"
    assert story.row_of(unseen) is None


# -- whose turn it is


async def test_b5_nobody_steers_anothers_turn_and_its_requester_does_by_an_edit(story: Story) -> None:
    """A member and a guest get turns of their own, whatever they reply to or correct."""
    mia, max_, gus = (named(story, name) for name in ("mia_1", "max_1", "gus_1"))
    async with story.product.explaining():
        asked = await begun(story, mia, story.dev, "painting", story.work("dev"))
        red = story.world.say(max_, story.dev, "Paint it red")
        grey = story.world.say(gus, story.dev, "Paint it grey", reply_to=asked)
        await story.until(lambda: story.row_of(red) and story.row_of(grey))
        story.world.edit(red, "Paint it crimson")
        await story.until(lambda: (row := story.row_of(red)) and row["text"] == "Paint it crimson")
        story.world.edit(asked, f"{asked.text} (and paint it blue)")
        await story.until(lambda: "paint it blue" in steers(story))
        (story.work("dev") / "painting.go").touch()
        await story.settled(asked)
        assert await answered(story, red) == "Echo: Paint it crimson"
        assert await answered(story, grey) == "Echo: Paint it grey"
    assert [answer.text for answer in story.answers(asked) if answer.sender is story.valor] == ["Done."]
    heard = [seen.asked.said for seen in story.model.calls if "touch painting" in seen.asked.said]
    assert "paint it blue" in heard[-1]
    assert not any(colour in said for said in heard for colour in ("Paint it red", "crimson", "grey"))


async def test_b8_a_flood_wait_while_edits_are_read_again_loses_no_message(story: Story) -> None:
    """A supergroup's difference was too long for Telegram to tell; nothing else says that something was missed."""
    async with story.product.explaining():
        await story.settled(story.world.say(story.olivia, story.dev, "Hello"))
        story.world.faults.difference_too_long(story.valor, channel=True)
        story.world.faults.flood_wait(2, story.valor, "messages.getHistory")
        story.world.faults.drop_updates(story.valor, 1)
        missed = story.world.say(story.olivia, story.dev, "Missed?")
        await story.until(lambda: not story.world.faults.drops_left(story.valor))
        seen = story.world.say(story.olivia, story.dev, "Seen?")

        def told() -> str:
            return "".join(answer.text for one in (missed, seen) for answer in story.answers(one))

        await story.until(lambda: "Missed?" in told() and "Seen?" in told(), FOUND)
    assert [told().count(words) for words in ("Missed?", "Seen?")] == [1, 1]


# -- the bot


async def test_b3_a_bot_killed_while_its_answer_grows_goes_on_with_the_same_message(tmp_path: Path) -> None:
    """Its sends have no key: that the message stands there is known from what was written down before the kill."""
    async with bot_story(tmp_path, alone=True) as story, story.product.running(), story.product.explaining():
        for reply in (Hang(said="Once upon "), Say("Once upon a *time*.")):
            story.model.answer(reply, when=is_tale)
        asked = story.world.say(story.friend(), story.bot, "Tell me a tale")
        (begins,) = await story.until(lambda: story.answers(asked))
        await story.until(
            lambda: story.product.value("SELECT 1 FROM deliveries WHERE text = 'Once upon' AND message_id")
        )
        await story.until(lambda: "Stop" in story.api.buttons(begins))
        killed = await story.product.kill("server")
        await story.product.restarted("server", killed, 60)
        (told,) = await story.settled(asked)
        assert (begins.text, told.number, told.text) == ("Once upon", begins.number, "Once upon a time.")
        assert story.api.buttons(told) == {}
        assert story.product.value("SELECT sends FROM deliveries WHERE text = ?", told.text) == 1
        assert await story.audit() == []


# -- who says what, and when


async def away_for_days(story: Story) -> None:
    """Stopped; and by its tables it has been at home for five days more than it has."""
    stopped = await story.product.stop()
    assert stopped.code == 0, stopped.said
    for table in ("chats", "admitted_since"):
        story.product.change(f"UPDATE {table} SET since = {EARLIER}")


async def back(story: Story) -> None:
    started = await story.product.start()
    assert started.code == 0, started.said


def ago(story: Story, hours: float, person: Person, chat: Chat | Person, text: str) -> SentMessage:
    """Something that was said so many hours ago."""
    return story.world.say(person, chat, text, at=datetime.now(UTC) - timedelta(hours=hours))


def named(story: Story, username: str) -> Person:
    person = story.world.society.find_username(username)
    assert person is not None
    return person


def is_tale(asked: Asked) -> bool:
    return "a tale" in asked.question
