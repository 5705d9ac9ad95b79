"""Buttons and pairing, with real processes over the played Bot API."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from conversations.diffs import MEMBERS_ONLY, WANTED
from tests.acceptance.bot_story import BotStory, bot_story
from tests.acceptance.script_model import Use, command, do, write
from tests.acceptance.test_bot_kills import KILLED, PINGED, barrier, server
from tests.world.telegram import Person, SentMessage

GOES_ON = "Promise #1 goes on: what it asked for is allowed, this once."


def told(story: BotStory, person: Person, words: str) -> SentMessage | None:
    """What the bot told a person in the direct chat."""
    chat = story.world.dm(person, story.bot)
    said = story.world.messages(chat, story.bot)
    return next((one for one in reversed(said) if words in one.text), None)


async def test_a1_the_owner_pairs_by_the_printed_link_and_lets_others_in_with_a_button(tmp_path: Path) -> None:
    async with bot_story(tmp_path, alone=True) as story:
        path = story.home / "config" / "workspace_config.json"
        path.unlink()
        async with story.product.running() as started:
            link = re.search(r"https://t\.me/valor_bot\?start=([\w-]+)", started.said)
            assert link is not None, started.said
            story.world.say(story.sam, story.bot, "/start me")
            await story.settled(story.world.say(story.olivia, story.bot, f"/start {link[1]}"))
            assert told(story, story.olivia, "Hello Olivia. I am Valor")
            story.world.say(story.sam, story.bot, "Let me in")
            question = await story.until(lambda: told(story, story.olivia, "Shall I answer?"))
            assert told(story, story.sam, "") is None
            story.api.press(story.olivia, question, "✅ Admit")
            await story.until(lambda: told(story, story.sam, "You may write to me now."))
            (answer,) = await story.settled(story.world.say(story.sam, story.bot, "Hello"))
            assert answer.text == "Echo: Hello"
            assert "t.me" not in (await story.product.start()).said
        people = json.loads(path.read_text())["dm_whitelist"]["allowed_user_ids"]
        assert {number: one["role"] for number, one in people.items()} == {
            str(story.olivia.id): "owner",
            str(story.sam.id): "member",
        }
        before = json.loads(path.with_name(f"{path.name}.before").read_text())
        assert list(before["dm_whitelist"]["allowed_user_ids"]) == [str(story.olivia.id)]


@pytest.mark.parametrize("point", ["promise-grant:before-commit", "promise-grant:after-commit"])
async def test_p11_a_press_counts_once_when_the_server_dies_over_it(tmp_path: Path, point: str) -> None:
    async with bot_story(tmp_path, alone=True) as story:
        configuration = story.configuration()
        configuration["workspaces"]["Served"]["consent"] = ["run_command"]
        (story.home / "config" / "workspace_config.json").write_text(json.dumps(configuration))
        async with server(story, point) as process:
            await story.until(lambda: story.api.hub(story.bot).commands and story.product.value(PINGED), 60)
            asked = story.world.say(story.olivia, story.served, do(command("echo yes"), say="It ran."))
            question = await story.answer_to(asked)
            assert "asked for this work. It has cost" in question.text
            story.api.press(story.sam, question, "✅ Approve")
            answered = story.api.hub(story.bot).answered
            await story.until(lambda: "Only an owner may decide that." in answered.values())
            story.api.press(story.olivia, question, "✅ Approve")
            assert await process.wait() == KILLED
        async with server(story):
            await story.until(lambda: not story.api.buttons(question) and not story.owed(), 60)
            story.api.hub(story.bot)
            await barrier(story)
        said = [one.text for one in story.world.messages(story.served, story.bot)]
        assert said.count(GOES_ON) == 1
        (row,) = story.product.query("SELECT decision, decided_by FROM consents")
        assert tuple(row) == ("granted", "Olivia")


async def test_p11_what_would_change_is_shown_before_it_is_allowed_and_what_changed_after_it(tmp_path: Path) -> None:
    async with bot_story(tmp_path, alone=True) as story:
        configuration = story.configuration()
        configuration["workspaces"]["Served"]["consent"] = ["edit_file"]
        (story.home / "config" / "workspace_config.json").write_text(json.dumps(configuration))
        (story.work("served") / "notes.txt").write_text("one\ntwo\n")
        edited = "--- a/notes.txt\n+++ b/notes.txt\n@@ -1,2 +1,2 @@\n one\n-two\n+2"
        async with story.product.running(), story.product.explaining():
            written = await shown(story, story.world.say(story.olivia, story.served, do(write("new.txt", "x\n"))))
            story.api.press(story.sam, written, "Show diff")
            answered = story.api.hub(story.bot).answered
            await story.until(lambda: MEMBERS_ONLY in answered.values())
            assert await pressed(story, written) == "--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1,1 @@\n+x"
            edit = Use("edit_file", {"path": "notes.txt", "old": "two", "new": "2"})
            question = await shown(story, story.world.say(story.olivia, story.served, do(edit)))
            assert await pressed(story, question) == f"{WANTED}\n\n{edited}"
            assert (story.work("served") / "notes.txt").read_text() == "one\ntwo\n"
            story.api.press(story.olivia, question, "✅ Approve")
            result = await story.until(lambda: find_in(story, "Promise #1 is done"), 20)
            await story.until(lambda: "Show diff" in story.api.buttons(result))
            assert await pressed(story, result) == edited
        assert await story.audit() == []


async def shown(story: BotStory, asked: SentMessage) -> SentMessage:
    """The answer, when it offers the diff."""
    answer = await story.answer_to(asked)
    await story.until(lambda: "Show diff" in story.api.buttons(answer))
    return answer


async def pressed(story: BotStory, message: SentMessage) -> str:
    """What the owner is shown, under the message that bears the button."""
    story.api.press(story.olivia, message, "Show diff")
    return (await story.answer_to(message)).text


def find_in(story: BotStory, words: str) -> SentMessage | None:
    return next((one for one in story.world.messages(story.served, story.bot) if words in one.text), None)
