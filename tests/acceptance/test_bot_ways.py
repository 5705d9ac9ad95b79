"""The ways to the bot: pushed updates, a second program with its token, who is let in, its commands and its buttons."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.bot_story import BotStory, bot_story
from tests.acceptance.script_model import Use, command, do, promise, report, write
from tests.acceptance.test_bot_buttons import told
from tests.acceptance.test_bot_kills import KILLED, PINGED, barrier, server
from tests.acceptance.test_story import find, promised
from tests.waiting import until_found
from tests.world.anthropic import Fail
from tests.world.telegram import Chat, SentMessage
from tests.world.telegram.ledger import Request

WISHED = {"start", "help", "status", "promises", "promise", "cancel", "stop", "why", "usage", "link", "workspace"}
UP = "Connected as @valor_bot."
TWO = "Another program fetches this bot's updates"
WHO_DOES_WHAT = "stop it, or give this installation a bot of its own."
RECOVERY = 120.0  # half a minute without a conflict and a fetch of 20 s lie before the bot calls itself well again


@pytest.fixture(scope="module")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[BotStory]:
    """In Served commands ask first."""
    async with bot_story(tmp_path_factory.mktemp("ways"), alone=True) as story:
        story.change("Served", consent=["run_command"])
        async with story.product.running():
            yield story
            assert await story.audit() == []


def file_of(story: BotStory) -> Path:
    return story.home / "config" / "workspace_config.json"


def before(story: BotStory) -> Path:
    return file_of(story).with_name("workspace_config.json.before")


async def answered(story: BotStory, asked: SentMessage) -> list[str]:
    return [answer.text for answer in await story.settled(asked)]


# -- pushed


@contextlib.asynccontextmanager
async def pushed(folder: Path) -> AsyncGenerator[BotStory]:
    """A story in which Telegram pushes the updates; its product is not started yet."""
    async with bot_story(folder, alone=True) as story:
        story.product.configure(TELEGRAM_WEBHOOK_URL=f"http://127.0.0.1:{story.product.port}")
        yield story


async def test_b8_what_is_pushed_is_answered_once_over_a_kill_of_the_server(tmp_path: Path) -> None:
    async with pushed(tmp_path) as story, story.product.running(), story.product.explaining():
        hub = story.api.hub(story.bot)
        assert hub.webhook.url == f"http://127.0.0.1:{story.product.port}/telegram/webhook"
        assert hub.webhook.secret
        hello = story.world.say(story.friend(), story.bot, "Hello")
        assert await answered(story, hello) == ["Echo: Hello"]
        thinking = story.world.say(story.friend(), story.bot, do(say="Thought through.", gate="the kill"))
        await story.until(lambda: "the kill" in story.script.reached and not hub.updates)
        killed = await story.product.kill("server")
        direct = story.world.say(story.friend(), story.bot, "Anybody?")
        in_group = story.world.say(story.olivia, story.other, "@valor_bot and here?")
        assert len(hub.updates) == 2
        await story.product.restarted("server", killed, 60)
        story.script.open("the kill")
        assert await answered(story, thinking) == ["Thought through."]
        assert await answered(story, direct) == ["Echo: Anybody?"]
        assert await answered(story, in_group) == ["Echo: and here?"]
        assert await story.audit() == []
        assert "getUpdates" not in {request.method for request in story.world.ledger.requests}


@pytest.mark.parametrize("point", ["receive:before-commit#2", "receive:after-commit#2"])
async def test_b8_an_update_whose_taking_the_server_dies_over_is_pushed_again_and_answered_once(
    tmp_path: Path, point: str
) -> None:
    """The self-ping of the local page passes the point once before; what was told of the groups' founding would too."""
    async with pushed(tmp_path) as story:
        hub = story.api.hub(story.bot)
        hub.confirm(hub.updates[-1]["update_id"] + 1)
        async with server(story, point) as process:
            await story.until(lambda: hub.webhook.url and story.product.value(PINGED))
            asked = story.world.say(story.friend(), story.bot, "Did you get that?")
            assert await process.wait() == KILLED
        assert len(hub.updates) == 1
        async with server(story):
            assert await answered(story, asked) == ["Echo: Did you get that?"]
            await barrier(story)
            await story.until(lambda: not hub.updates)
        assert story.rows(story.bot, asked) == 1
        assert await story.audit() == []


# -- a second program with the token


@contextlib.asynccontextmanager
async def another_program(story: BotStory) -> AsyncGenerator[None]:
    """In the block it fetches the bot's updates without end, and confirms what it got."""

    async def fetch() -> None:
        address, offset = f"{story.api.url}/bot{story.api.token(story.bot)}/getUpdates", 0
        async with httpx.AsyncClient(timeout=90, trust_env=False) as client:
            while True:
                found = (await client.get(address, params={"offset": offset, "timeout": 50})).json()
                offset = max([offset, *(one["update_id"] + 1 for one in found.get("result", ()))])

    fetching = asyncio.create_task(fetch())
    try:
        yield
    finally:
        fetching.cancel()
        await asyncio.gather(fetching, return_exceptions=True)


async def health_when(story: BotStory, status: str, seconds: float = 60.0) -> tuple[int, str]:
    """The code of `/health` and the bot's sentence, once the bot is said to be so."""
    async with httpx.AsyncClient(trust_env=False) as client:

        async def look() -> tuple[int, str] | None:
            answer = await client.get(f"http://127.0.0.1:{story.product.port}/health")
            part = answer.json()["components"]["telegram bot"]
            return (answer.status_code, part["sentence"]) if part["status"] == status else None

        return await until_found(look, seconds)


def logged(story: BotStory) -> list[dict[str, Any]]:
    """What the bot's connection has said in the log of the server."""
    lines = (story.home / "logs" / "agent_system.log").read_text().splitlines()
    return [line for line in map(json.loads, lines) if str(line["logger"]).endswith("bot_life")]


def calls(story: BotStory, method: str) -> list[Request]:
    return [request for request in story.world.ledger.requests if request.method == method]


async def test_b9_a_second_program_with_the_token_is_named_and_when_it_is_gone_people_are_answered(
    tmp_path: Path,
) -> None:
    async with bot_story(tmp_path, alone=True) as story, story.product.running(), story.product.explaining():
        assert (await health_when(story, "healthy"))[1] == UP
        async with another_program(story):
            code, sentence = await health_when(story, "unhealthy")
            assert (code, TWO in sentence, "409" in sentence, WHO_DOES_WHAT in sentence) == (503, True, True, True)
            loud = [line for line in logged(story) if line["level"] == "critical"]
            assert [line["message"] for line in loud] == [sentence]
            again = await story.product.start()
            assert again.code != 0
            assert sentence in again.said
        asked = story.world.say(story.friend(), story.bot, "Are you alone again?")
        assert await answered(story, asked) == ["Echo: Are you alone again?"]
        assert (await health_when(story, "healthy", RECOVERY))[1] == UP
        assert await story.audit() == []


async def test_b9_the_bot_is_not_called_well_while_the_second_program_is_there(tmp_path: Path) -> None:
    """However long that lasts: the pauses between its attempts grow to half a minute."""
    async with bot_story(tmp_path, alone=True) as story, story.product.running(), story.product.explaining():
        async with another_program(story):
            await health_when(story, "unhealthy")
            known = len(logged(story))
            tried = len(calls(story, "getWebhookInfo"))  # which begins each attempt
            await story.until(lambda: len(calls(story, "getWebhookInfo")) >= tried + 4, RECOVERY)
            met = len(refused(story))
            await story.until(lambda: len(refused(story)) >= met + 2)
            since = [line["message"] for line in logged(story)[known:]]
        assert UP not in since


def refused(story: BotStory) -> list[Request]:
    """The fetches that another one ended."""
    return [request for request in calls(story, "getUpdates") if request.outcome.startswith("Conflict")]


# -- who is let in


async def test_a1_the_owner_pairs_by_sending_the_printed_code(tmp_path: Path) -> None:
    async with bot_story(tmp_path, alone=True) as story:
        by_hand = json.dumps({"workspaces": story.configuration()["workspaces"]})
        file_of(story).write_text(by_hand)
        async with story.product.running() as started, story.product.explaining():
            printed = re.search(r"or send ([\w-]+) to @valor_bot", started.said)
            assert printed is not None, started.said
            code = printed[1]
            story.world.say(story.sam, story.bot, code[::-1])
            assert "Hello Olivia. I am Valor" in (await answered(story, said_to(story, code)))[0]
            story.world.say(story.sam, story.bot, code)  # which is spent
            await story.until(lambda: told(story, story.olivia, "Sam"))
            await barrier(story)
            assert told(story, story.sam, "") is None
            assert story.model.calls == []
            assert "or send" not in (await story.product.start()).said
        written = json.loads(file_of(story).read_text())
        people = written["dm_whitelist"]["allowed_user_ids"]
        assert {number: one["role"] for number, one in people.items()} == {str(story.olivia.id): "owner"}
        assert written["workspaces"] == json.loads(by_hand)["workspaces"]
        assert before(story).read_text() == by_hand


def said_to(story: BotStory, words: str) -> SentMessage:
    return story.world.say(story.olivia, story.bot, words)


async def test_a3_a_group_that_asks_is_admitted_by_a_button_and_another_refused(tmp_path: Path) -> None:
    async with bot_story(tmp_path, alone=True) as story, story.product.running(), story.product.explaining():
        club, rivals = (story.world.group(name, [story.sam, story.bot]) for name in ("Chess Club", "Rivals"))
        await story.settled(said_to(story, "ping"))
        by_hand = file_of(story).read_bytes()
        welcome, turned_away = [await question_about(story, group) for group in (club, rivals)]
        story.api.press(story.olivia, turned_away, "🚫 Ignore")
        await story.until(lambda: told(story, story.olivia, "Rivals is denied."))
        assert (file_of(story).read_bytes(), before(story).exists()) == (by_hand, False)
        story.api.press(story.olivia, welcome, "✅ Admit")
        await story.until(lambda: story.world.messages(club, story.bot))
        quiet = story.world.say(story.sam, club, "Who brings the board?")
        asked = story.world.say(story.sam, club, "@valor_bot do you play?")
        refused = story.world.say(story.sam, rivals, "@valor_bot do you play?")
        assert await answered(story, asked) == ["Echo: do you play?"]
        await barrier(story)
        assert (story.shown_in(rivals), story.rows(story.bot, refused)) == ([], 0)
        assert (story.answers(quiet), story.reactions(quiet)) == ([], [])
        assert await story.audit() == []
        place = json.loads(file_of(story).read_text())["workspaces"]["Chess Club"]
        assert (place["telegram_chat_ids"], place["front"]) == ([str(club.peer_id(story.bot))], "bot")
        assert before(story).read_bytes() == by_hand


async def question_about(story: BotStory, group: Chat) -> SentMessage:
    """What the owner is asked when somebody there speaks to the bot; nobody is asked twice."""
    for line in ("may we talk?", "please?"):
        story.world.say(story.sam, group, f"@valor_bot {line}")
    question = await story.until(lambda: told(story, story.olivia, f"The group {group.title}"))
    await barrier(story)
    said = [one.text for one in story.world.messages(story.world.dm(story.olivia, story.bot), story.bot)]
    assert said.count(question.text) == 1
    return question


# -- commands


async def test_b9_the_menu_holds_every_command_and_each_is_answered_without_a_model(story: BotStory) -> None:
    menu = {one["command"]: one["description"] for one in story.api.hub(story.bot).commands}
    assert menu.keys() >= WISHED
    assert all(menu.values())
    friend, asked_before = story.friend(), len(story.model.calls)
    async with story.product.explaining():
        for name in menu:
            (answer,) = await answered(story, story.world.say(friend, story.bot, f"/{name}"))
            if name == "help":
                assert [other for other in menu if f"/{other}" not in answer] == ["start", "help"]
    assert len(story.model.calls) == asked_before


async def test_w3_workspace_tells_what_the_chat_works_in_and_not_where_it_lies(story: BotStory) -> None:
    async with story.product.explaining():
        (answer,) = await answered(story, story.world.say(story.sam, story.served, "/workspace@valor_bot"))
    for fact in ("This chat works in Served.", "directory: served", "you are: guest", "served by: bot"):
        assert fact in answer
    assert "tools that ask first: run_command" in answer
    assert str(story.home) not in answer


async def test_a9_usage_tells_the_owner_of_everybody_and_a_guest_of_the_guest_alone(story: BotStory) -> None:
    async with story.product.explaining():
        for person in (story.olivia, story.sam):
            await story.settled(story.world.say(person, story.quiet, "@valor_bot hello"))
        (owners,) = await answered(story, story.world.say(story.olivia, story.quiet, "/usage@valor_bot"))
        (guests,) = await answered(story, story.world.say(story.sam, story.quiet, "/usage@valor_bot"))
    assert "Used in Quiet:" in owners
    assert all(part in owners for part in ("Last 30 days: 2 calls", "Olivia: 1 call", "Sam: 1 call"))
    assert "Used in Quiet, by you alone:" in guests
    assert "Last 30 days: 1 call" in guests
    assert "Olivia" not in guests


async def test_a8_why_tells_the_reason_of_the_message_it_replies_to(story: BotStory) -> None:
    async with story.product.explaining():
        unheard = story.world.say(story.sam, story.other, "Lunch?")
        heard = story.world.say(story.sam, story.other, "@valor_bot lunch?")
        await story.settled(heard)
        why_not = story.world.say(story.sam, story.other, "/why@valor_bot", reply_to=unheard)
        assert "by Sam was not answered: no mention." in (await answered(story, why_not))[0]
        why = story.world.say(story.sam, story.other, "/why@valor_bot", reply_to=heard)
        assert "by Sam was answered: mention" in (await answered(story, why))[0]


# -- buttons


async def test_p5_the_cancel_button_ends_a_running_promise_for_who_may(story: BotStory) -> None:
    words = do(report("half of it"), Use("write_file", {"path": "never.txt", "text": "1"}, gate="never"))
    asked = story.world.say(story.olivia, story.served, promise(words))
    async with story.product.explaining():
        number = await promised(story, asked)
        acknowledged = story.answers(asked)[0]
        await story.until(lambda: "never" in story.script.reached)
        (status,) = await answered(story, story.world.say(story.olivia, story.served, "/status@valor_bot"))
        assert f"#{number} in_progress (half of it)" in status
        story.api.press(story.sam, acknowledged, "Cancel")
        await story.until(lambda: said_in(story, f"Promise #{number} belongs to Olivia"))
        story.api.press(story.olivia, acknowledged, "Cancel")
        ended = await story.until(lambda: find(story, asked, f"Promise #{number} is cancelled: "))
        story.script.open("never")
        (listed,) = await answered(story, story.world.say(story.olivia, story.served, "/promises@valor_bot"))
    assert "Done until then: half of it" in ended.text
    assert f"#{number} cancelled" in listed
    assert not (story.work("served") / "never.txt").exists()


async def test_p5_a_promise_that_has_ended_offers_no_cancel_any_more(story: BotStory) -> None:
    """Neither under its line of progress nor under the message that acknowledged it."""
    words = do(write("kept.txt", "1"), report("half of it"), say="Kept.", gate="kept")
    asked = story.world.say(story.olivia, story.served, promise(words))
    async with story.product.explaining():
        number = await promised(story, asked)
        line = await story.until(lambda: find(story, asked, f"Promise #{number}: half of it"))
        shown = [story.answers(asked)[0], line]
        await story.until(lambda: all("Cancel" in story.api.buttons(one) for one in shown))
        story.script.open("kept")
        await story.until(lambda: find(story, asked, f"Promise #{number} is done"))
        await story.until(lambda: not story.owed())
    assert [story.api.buttons(one) for one in shown] == [{}, {}]


async def test_p11_the_refuse_button_is_the_owners_and_final(story: BotStory) -> None:
    asked = story.world.say(story.olivia, story.served, do(command("touch refused.txt"), say="It ran."))
    async with story.product.explaining():
        question = await story.answer_to(asked)
        hub, offered = story.api.hub(story.bot), story.api.buttons(question)
        query = story.api.press(story.sam, question, "🚫 Refuse")
        assert await story.until(lambda: hub.answered.get(query)) == "Only an owner may decide that."
        assert story.api.buttons(question) == offered
        story.api.press(story.olivia, question, "🚫 Refuse")
        number = story.product.value("SELECT MAX(id) FROM promises")
        failed = await story.until(lambda: find(story, asked, f"Promise #{number} failed: "))
        await story.until(lambda: not story.owed() and not story.api.buttons(question))
        hub.press(story.olivia, question.post, offered["✅ Approve"])  # a phone that still shows it
        await story.until(lambda: said_in(story, "waits for nobody's approval: it is failed"))
    assert "Olivia refused run_command." in failed.text
    assert not (story.work("served") / "refused.txt").exists()
    assert tuple(story.product.query("SELECT decision, decided_by FROM consents")[0]) == ("refused", "Olivia")


def said_in(story: BotStory, words: str) -> bool:
    return any(words in one.text for one in story.world.messages(story.served, story.bot))


async def test_p6_the_retry_button_takes_a_failed_promise_up_again_once(tmp_path: Path) -> None:
    """Where Telegram pushes, presses are pushed as well."""
    async with pushed(tmp_path) as story, story.product.running(), story.product.explaining():
        story.model.answer(Fail(401), when=lambda asked: "the nightly report" in asked.question)
        asked = story.world.say(story.olivia, story.bot, "/promise type=analysis the nightly report")
        failed = await story.until(lambda: find(story, asked, "Promise #1 failed"))
        await story.until(lambda: "Retry" in story.api.buttons(failed))
        answers = story.api.hub(story.bot).answered
        offered = story.api.buttons(failed)["Retry"]
        first, second = (story.api.hub(story.bot).press(story.olivia, failed.post, offered) for _ in range(2))
        await story.until(lambda: find(story, asked, "Promise #1 is done"))
        await story.until(lambda: not story.owed() and {first, second} <= answers.keys())
        said = [one.text for one in story.world.messages(story.world.dm(story.olivia, story.bot), story.bot)]
    assert (answers[first], answers[second]) == ("", "Pressed already.")
    for words in ("Promise #1 failed", "Promise #1 is taken up again", "Promise #1 is done"):
        assert sum(text.startswith(words) for text in said) == 1
    assert story.product.value("SELECT status FROM promises") == "completed"
