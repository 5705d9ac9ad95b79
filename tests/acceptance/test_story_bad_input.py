"""Bad input, from outside: each ends in one clear sentence for whoever can act, and nothing is lost."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

import httpx
import pytest

from integrations.telegram.session import SessionLock
from tests.acceptance.story import Story, told_in
from tests.world.anthropic import Asked, Call, Fail, Reply, Say

ERROR = re.compile(r"\((E-[0-9a-f]+)\)$")
TELEGRAM_UNITS = 4096
FAMILY = "👨‍👩‍👧‍👦"


@pytest.fixture(scope="module")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Story]:
    async with told_in(tmp_path_factory.mktemp("bad")) as story, story.product.running():
        yield story
        assert await story.audit() == []


@pytest.mark.parametrize(
    "text",
    [
        "nul\0 in the middle",
        "שלום, מה שלומך?",
        "\u202eback to front\u202c",
        FAMILY,
        "🧪" * (TELEGRAM_UNITS // 2),
        "ä" * TELEGRAM_UNITS,
        "``` *open _ended [markdown](",
    ],
    ids=["nul", "right-to-left", "override", "emoji", "4096 units of emoji", "4096 characters", "markdown"],
)
async def test_b1_whatever_can_be_written_is_answered_once(story: Story, text: str) -> None:
    story.model.answer(Say("I read it."), when=lambda asked: asked.question.strip() == asked_of(text))
    asked = story.world.say(story.friend(), story.valor, text)
    async with story.product.explaining():
        answers = await story.settled(asked)
    assert [answer.text for answer in answers] == ["I read it."]
    row = story.row_of(asked)
    assert row
    assert row["text"] == asked.text


async def test_a4_a_bare_mention_is_answered_too(story: Story) -> None:
    asked = story.world.say(story.olivia, story.other, "@valor_ai")
    async with story.product.explaining():
        answers = await story.settled(asked)
    assert len(answers) == 1
    assert story.reactions(asked)[-1] == "👍", answers[0].text


def asked_of(text: str) -> str:
    """What the played Telegram makes of it: control characters become spaces."""
    return text.replace("\0", " ")


@dataclass(frozen=True)
class Fault:
    """How a model misbehaves, and words of the sentence that the chat is told."""

    reply: Callable[[Asked], Reply]
    told: str


FAULTS = {
    "nothing": Fault(lambda _: Say(""), "The model"),
    "garbage": Fault(lambda _: Call("write_file", '{"path": "a.txt", "text'), "The model gave no usable answer"),
    "wrong arguments": Fault(lambda _: Call("write_file", {"file": 7}), "The model gave no usable answer"),
    "unknown tool": Fault(lambda _: Call("launch_rocket", {}), "The model gave no usable answer"),
    "fifty calls": Fault(lambda _: Call("list_files", {}), "I stopped after 50 tool calls"),
    "refused key": Fault(lambda _: Fail(401), "refuses our key"),
    "used up": Fault(lambda _: Fail(400, message="Your credit balance is too low"), "The"),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_b12_a_misbehaving_model_ends_in_one_sentence_with_an_id(story: Story, name: str) -> None:
    words = f"Please fail like this: {name}"
    story.model.script(lambda asked: FAULTS[name].reply(asked) if words in asked.question else None)
    asked = story.world.say(story.friend(), story.valor, words)
    async with story.product.explaining():
        (answer,) = await story.settled(asked)
    assert FAULTS[name].told in answer.text
    assert "\n" not in answer.text
    assert "Traceback" not in answer.text
    assert story.reactions(asked)[-1] == "💔"
    assert "👍" not in story.reactions(asked)
    found = ERROR.search(answer.text)
    assert found, answer.text
    assert found[1] in (story.home / "logs" / "agent_system.log").read_text()
    assert story.product.value("SELECT status FROM turns WHERE error_id = ?", found[1]) == "failed"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"text": "nul\0 by the API"}, 200),
        ({"text": ""}, 422),
        ({"text": "   "}, 422),
        ({"words": "hello"}, 422),
        ({"text": "hello", "workspace": "Atlantis"}, 404),
    ],
    ids=["nul", "empty", "blank", "no text", "unknown workspace"],
)
async def test_s9_what_the_api_is_given_is_answered_or_refused_in_a_sentence(
    story: Story, body: dict[str, str], status: int
) -> None:
    headers = {"Authorization": f"Bearer {story.product.token()}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{story.product.port}", trust_env=False) as client:
        answer = await client.post("/api/chat", json=body, headers=headers, timeout=20)
    async with story.product.explaining():
        assert answer.status_code == status, answer.text
        said = answer.json()
        assert "Echo: nul" in said["reply"] if status == 200 else len(said["error"]) > 10


async def test_w1_a_changed_configuration_that_is_wrong_is_not_taken_up_and_the_owner_is_told(story: Story) -> None:
    file = story.home / "config" / "workspace_config.json"
    good = file.read_text()
    async with story.product.explaining():
        await story.settled(story.world.say(story.olivia, story.valor, "ping"))  # the owner's chat is known by this
        broken = story.configuration()
        broken["workspaces"]["Dev"]["working_directory"] = "not/absolute"
        file.write_text(json.dumps(broken))
        alert = await story.until(lambda: find_alert(story))
        assert "workspaces.Dev.working_directory" in alert
        asked = story.world.say(story.olivia, story.dev, "Do you still hear me?")
        assert (await story.answer_to(asked)).text == "Echo: Do you still hear me?"
        file.write_text(good)


def find_alert(story: Story) -> str | None:
    said = story.world.messages(story.world.dm(story.olivia, story.valor), story.valor)
    return next((message.text for message in said if "is not taken up" in message.text), None)


async def test_s1_a_start_that_cannot_succeed_says_why_and_loses_nothing(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with told_in(tmp_path_factory.mktemp("refused")) as story:
        waiting = story.world.say(story.friend(), story.valor, "I wrote before you were there")
        await refuses_a_wrong_configuration(story)
        await refuses_a_session_in_use(story)
        async with story.product.running():
            again = story.world.say(story.friend(), story.valor, "And I after")
            async with story.product.explaining():
                await story.settled(again, 20)
            assert len(story.answers(again)) == 1
            assert len(story.answers(waiting)) <= 1
            assert await story.audit() == []


async def refuses_a_wrong_configuration(story: Story) -> None:
    file = story.home / "config" / "workspace_config.json"
    good, broken = file.read_text(), story.configuration()
    broken["workspaces"]["Dev"]["working_directory"] = "not/absolute"
    broken["workspaces"]["Other"]["telegram_chat_ids"] = "many"
    file.write_text(json.dumps(broken))
    refused = await story.product.start()
    assert refused.code != 0
    assert "workspaces.Dev.working_directory" in refused.said
    assert "workspaces.Other.telegram_chat_ids" in refused.said
    assert "Traceback" not in refused.said
    assert story.product.processes() == {}
    file.write_text(good)


async def refuses_a_session_in_use(story: Story) -> None:
    session = story.home / "data" / "telegram.session"
    before = session.read_bytes()
    other = SessionLock(session, "somebody else's script")
    other.acquire()
    refused = await story.product.start()
    other.release()
    assert refused.code != 0
    assert "telegram.session is in use by somebody else's script (pid" in refused.said
    assert story.product.processes() == {}
    assert session.read_bytes() == before
