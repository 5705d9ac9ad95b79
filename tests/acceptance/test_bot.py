"""The bot alone: the story without an account, over the played Bot API with real processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from tests.acceptance.bot_story import BotStory, bot_story
from tests.acceptance.script_model import command, do, promise, report, write
from tests.acceptance.test_story import PROGRESS, barrier, find, promised
from tests.world.anthropic import Hang, Say


@pytest.fixture(scope="module")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[BotStory]:
    async with bot_story(tmp_path_factory.mktemp("bot"), alone=True) as story, story.product.running():
        yield story
        assert await story.audit() == []


async def test_s1_a_start_says_that_the_bot_is_up_and_the_account_off(story: BotStory) -> None:
    said = (await story.product.start()).said
    lines = {tuple(line.split()[:3]): line for line in said.splitlines()}
    assert "Connected as @valor_bot." in lines["up", "telegram", "bot"]
    assert "TELEGRAM_API_ID" in lines["off", "telegram", "account"]
    assert f"bot:{story.bot.id}" in next(line for line in said.splitlines() if line.startswith("up        self-ping"))


async def test_b2_a_dm_sees_eyes_and_then_one_answer_as_a_reply(story: BotStory) -> None:
    asked = story.world.say(story.friend(), story.bot, "Hello, are you there?")
    async with story.product.explaining():
        (answer,) = await story.settled(asked)
    assert answer.text == "Echo: Hello, are you there?"
    assert (story.reactions(asked)[0], story.reactions(asked)[-1]) == ("👀", "👍")
    first = next(deed for deed in story.world.ledger.did("reaction") if deed.number == asked.number)
    assert first.tick < answer.tick
    assert story.product.value("SELECT sends FROM deliveries WHERE text = ?", answer.text) == 1


async def test_a7_a_stranger_meets_silence(story: BotStory) -> None:
    line = story.world.say(story.sam, story.bot, "Let me in")
    where = "SELECT COUNT(*) FROM audit WHERE kind = 'access' AND sender_id = ?"
    async with story.product.explaining():
        await story.until(lambda: story.product.value(where, story.sam.id))
        await barrier(story)
    assert story.shown_in(line.chat) == []


async def test_a4_groups_answer_mentions_replies_and_commands_by_name(story: BotStory) -> None:
    async with story.product.explaining():
        everything = story.world.say(story.olivia, story.dev, "Who is on duty?")
        assert [one.text for one in await story.settled(everything)] == ["Echo: Who is on duty?"]
        quiet = story.world.say(story.sam, story.other, "Lunch?")
        asked = story.world.say(story.olivia, story.other, "@valor_bot what is new?")
        (answer,) = await story.settled(asked)
        assert answer.text == "Echo: what is new?"
        replied = story.world.say(story.sam, story.other, "And since then?", reply_to=answer)
        assert [one.text for one in await story.settled(replied)] == ["Echo: And since then?"]
        named = story.world.say(story.olivia, story.other, "/ping@valor_bot")
        assert (await story.answer_to(named)).text.startswith("pong: up ")
        elsewhere = story.world.say(story.olivia, story.dev, "/ping@another_bot")
        await barrier(story)
    reasons = [row["reason"] for row in map(story.row_of, (quiet, elsewhere)) if row]
    assert reasons == ["no mention", "command for another bot"]
    assert [story.reactions(line) + story.answers(line) for line in (quiet, elsewhere)] == [[], []]


async def test_a6_the_account_is_a_stranger_to_nobody_and_bots_are_not_answered(story: BotStory) -> None:
    """Other bots are not even heard."""
    other = story.world.bot("Another", "another_bot")
    story.world.join(story.dev, other)
    line = story.world.say(other, story.dev, "@valor_bot are you a bot?")
    async with story.product.explaining():
        await barrier(story)
    assert story.answers(line) == []


async def test_p1_a_long_task_is_promised_shown_and_done(story: BotStory) -> None:
    words = do(report("begun"), write("notes.txt", "kept\n"), command("cat notes.txt"), say="All done.", gate="the end")
    asked = story.world.say(story.olivia, story.dev, promise(words))
    async with story.product.explaining():
        number = await promised(story, asked)
        line = await story.until(lambda: find(story, asked, PROGRESS.format(number) + "begun"), 20)
        story.script.open("the end")
        result = await story.until(lambda: find(story, asked, f"Promise #{number} is done"), 10)
        await story.until(lambda: not story.owed())
    assert "All done." in result.text
    assert story.world.ledger.message(line.number).text.startswith(f"Promise #{number}: done")
    assert len(story.answers(asked)) == 3


async def test_b6_stop_ends_the_turn(story: BotStory) -> None:
    friend = story.friend()
    async with story.product.explaining():
        story.model.answer(Hang(), when=lambda asked: "think for ever" in asked.question)
        story.world.say(friend, story.bot, "Please think for ever")
        await story.until(lambda: any("think for ever" in seen.asked.question for seen in story.model.calls))
        told = await story.answer_to(story.world.say(friend, story.bot, "/stop"))
    assert told.text == "Stopped. Nothing had been done yet."


async def test_b3_an_answer_that_takes_its_time_is_one_message_that_grows(story: BotStory) -> None:
    release = asyncio.Event()
    story.model.answer(Hang(release, Say("a *time*."), "Once upon "), when=lambda asked: "a tale" in asked.question)
    asked = story.world.say(story.friend(), story.bot, "Tell me a tale")
    async with story.product.explaining():
        (begun,) = await story.until(lambda: story.answers(asked))
        assert begun.text == "Once upon"
        await story.until(lambda: "Stop" in story.api.buttons(begun))
        release.set()
        (answer,) = await story.settled(asked)
    assert (answer.number, answer.text) == (begun.number, "Once upon a time.")
    assert story.api.buttons(answer) == {}
    assert story.product.value("SELECT sends FROM deliveries WHERE text = ?", answer.text) == 1


async def test_b6_the_stop_button_ends_an_answer_that_grows(story: BotStory) -> None:
    story.model.answer(Hang(said="And then "), when=lambda asked: "an endless tale" in asked.question)
    asked = story.world.say(story.friend(), story.bot, "Tell me an endless tale")
    async with story.product.explaining():
        (begun,) = await story.until(lambda: story.answers(asked))
        await story.until(lambda: "Stop" in story.api.buttons(begun))
        story.api.press(asked.sender, begun, "Stop")
        (told,) = await story.settled(asked)
    assert (told.number, told.text) == (begun.number, "Stopped. Nothing had been done yet.")
    assert story.api.buttons(told) == {}


async def test_b3_an_edit_that_makes_a_message_ask_gets_one_answer(story: BotStory) -> None:
    line = story.world.say(story.olivia, story.other, "what is the time?")
    async with story.product.explaining():
        await story.until(lambda: story.row_of(line))
        story.world.edit(line, "@valor_bot what is the time?")
        answers = await story.settled(line)
        story.world.edit(line, "@valor_bot what is the time now?")
        await barrier(story)
    assert [one.text for one in answers] == ["Echo: what is the time?"] == [one.text for one in story.answers(line)]


async def test_b4_a_flood_wait_is_waited_out(story: BotStory) -> None:
    story.world.faults.flood_wait(1, story.bot, "sendMessage")
    asked = story.world.say(story.friend(), story.bot, "Take your time")
    async with story.product.explaining():
        answers = await story.settled(asked)
    assert [one.text for one in answers] == ["Echo: Take your time"]


async def test_b8_what_waited_while_it_was_stopped_is_answered_by_one_turn_a_chat(story: BotStory) -> None:
    friend = story.friend()
    async with story.product.explaining():
        assert (await story.product.stop()).code == 0
        lines = [story.world.say(friend, story.bot, f"Line {number} in the night") for number in range(3)]
        group = [
            story.world.say(who, story.other, f"@valor_bot {who.first_name}?") for who in (story.olivia, story.sam)
        ]
        assert (await story.product.start()).code == 0
        answers = await story.settled(lines[-1], 20)
        both = await story.settled(group[-1], 20)
    assert len(answers) == len(both) == 1
    assert all(line.text in answers[0].text for line in lines)
    assert "Olivia?" in both[0].text
    assert [story.answers(line) for line in lines[:-1]] == [[], []]
    assert not any("away" in message.text for message in story.world.messages(sender=story.bot))
