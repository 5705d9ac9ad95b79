"""The `valor` command as it is installed, against a real server and worker, and against none."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.installation import PROJECT, Ended, Installation
from tests.acceptance.script_model import command, do, promise
from tests.acceptance.story import Story, told_in
from tests.world.anthropic import Asked, Fail
from tests.world.telegram import Chat, SentMessage

VALOR = str(PROJECT / ".venv" / "bin" / "valor")
WORK = do(command("echo once >> paid.txt"), say="All counted.")


@pytest.fixture(scope="module")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Story]:
    """Its product is started by the tests, and ended: each also asks without it."""
    async with told_in(tmp_path_factory.mktemp("valor")) as story:
        yield story


async def valor(product: Installation, *words: str) -> Ended:
    """It runs in a foreign folder."""
    return await product.run(VALOR, *words, folder=product.home)


async def read(story: Story, *words: str) -> Any:
    return json.loads((await valor(story.product, *words, "--json")).said)


async def promised(story: Story, asked: SentMessage) -> str:
    """The number of the promise that a message has made."""
    query = "SELECT id FROM promises WHERE chat_id = ? AND message_id = ?"
    place = str(asked.chat.peer_id(story.valor)), asked.id_for(story.valor)
    return str(await story.until(lambda: story.product.value(query, *place), 30))


def told(story: Story, chat: Chat, start: str) -> int:
    """How many messages of ours in the chat begin so."""
    return sum(message.text.startswith(start) for message in story.world.messages(chat, story.valor))


def is_about_the_result(asked: Asked) -> bool:
    """The request of the promise's run that brings the tool's result back."""
    return "This is promise #" in asked.question and bool(asked.results)


async def test_s5_before_the_first_start_it_says_what_to_do(tmp_path: Path) -> None:
    never = await valor(Installation(tmp_path / "home", {}), "promises")
    assert (never.code, never.said.count("\n"), "start Valor with scripts/start.sh" in never.said) == (1, 1, True)


async def test_p6_p9_a_failed_promise_is_retried_without_paying_twice(story: Story) -> None:
    friend = story.friend()
    async with story.product.running(), story.product.explaining():
        story.model.answer(Fail(400, message="scripted"), when=is_about_the_result)
        asked = story.world.say(friend, story.valor, promise(WORK))
        number = await promised(story, asked)
        await story.until(lambda: told(story, asked.chat, f"Promise #{number} failed"), 30)
        listed = await valor(story.product, "promises", "list")
        [line] = [line for line in listed.said.splitlines() if line.startswith(f"#{number} ")]
        assert ("failed" in line, "refused the request" in line) == (True, True)

        again = await valor(story.product, "promises", "retry", number)
        assert (again.code, again.said.startswith(f"Promise #{number} is taken up again")) == (0, True)
        await story.until(lambda: told(story, asked.chat, f"Promise #{number} is done"), 30)
        run, tree = await read(story, "run", number), await valor(story.product, "run", number)
        kept, every = await read(story, "promises", "show", number), await read(story, "promises")
    assert (story.private_work(friend) / "paid.txt").read_text() == "once\n"
    ends = ("failed", "is taken up again", "is done")
    assert [told(story, asked.chat, f"Promise #{number} {end}") for end in ends] == [1, 1, 1]
    assert (kept["status"], kept["result"], kept["error_message"]) == ("completed", "All counted.", None)
    assert (run["total"]["model_calls"], run["total"]["tool_calls"]) == (2, 1)
    steps = [(step["kind"], step["status"]) for step in run["steps"]]
    assert steps == [("model", "done"), ("call", "error"), ("model", "done")]
    assert "│  └─ tool run_command: done" in tree.said

    assert await read(story, "promises") == every
    assert await read(story, "promises", "show", number) == kept
    assert await valor(story.product, "run", number) == tree


async def test_b4_a_dead_letter_is_sent_again_when_its_chat_takes_it(story: Story) -> None:
    friend = story.friend()
    dead = "SELECT id FROM deliveries WHERE status = 'dead'"
    async with story.product.running(), story.product.explaining():
        blocked = story.world.faults.error("USER_IS_BLOCKED", person=story.valor, method="messages.sendMessage")
        asked = story.world.say(friend, story.valor, "Hello?")
        number = str(await story.until(lambda: story.product.value(dead)))
        blocked.clear()
        listed = await valor(story.product, "deadletters")
        again = await valor(story.product, "deadletters", "retry", number)
        assert (await story.answer_to(asked)).text == "Echo: Hello?"
        await story.settled(asked)
    assert [word in listed.said for word in ("answer", "dead", "Echo: Hello?", "blocked")] == [True] * 4
    assert (again.code, again.said.startswith(f"Message #{number} is sent again to ")) == (0, True)
    assert story.reactions(asked)[-1] == "👍"
    dropped = await valor(story.product, "deadletters", "drop", number)
    assert (dropped.code, dropped.said) == (1, f"Message #{number} is no dead letter: it is sent.\n")


async def test_p5_what_is_cancelled_without_a_server_is_told_when_it_is_back(story: Story) -> None:
    friend = story.friend()
    async with story.product.running(), story.product.explaining():
        asked = story.world.say(friend, story.valor, "/promise every=1w count the stars")
        number = await promised(story, asked)
        await story.answer_to(asked)
    [coming] = await read(story, "schedule")
    assert (str(coming["promise"]["id"]), coming["cause"], len(coming["later"])) == (number, "schedule", 2)
    cancelled = await valor(story.product, "promises", "cancel", number)
    assert (cancelled.code, cancelled.said) == (0, f"Promise #{number} is cancelled.\n")
    async with story.product.running(), story.product.explaining():
        await story.until(lambda: told(story, asked.chat, f"Promise #{number} is cancelled"))
        assert await story.audit() == []
