"""One budget of calls: what the world's ledger has of sends, edits and signs together, by the world's own clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field

import httpx
import pytest

from tests.acceptance.story import Story, told_in
from tests.world.anthropic import Hang, Say
from tests.world.telegram import SentMessage

RATE = 12.0  # calls a second of the whole account, twice as many at once
CHAT_RATE, CHAT_BURST = RATE / 12, RATE / 2
SLACK = 2.0  # seconds between what the account does and what the world sees, on a machine with other work
PEOPLE, PIECES = 20, 13
REQUESTS = 60  # a minute, of one client of the API
ANSWERS = ("messages.sendMessage", "messages.sendMedia")
CHANGES = ("messages.editMessage",)
DECORATION = ("messages.sendReaction", "messages.setTyping", "messages.readHistory", "channels.readHistory")
SHARES = {name: share for names, share in ((ANSWERS, 0.0), (CHANGES, 0.25), (DECORATION, 0.5)) for name in names}
DEEDS = {"message", "edit", "reaction", "read", "typing"}


@dataclass
class Bucket:
    """Fills at `rate` up to `size`; every call takes one."""

    rate: float
    size: float
    level: float = field(init=False)
    at: float = float("-inf")

    def __post_init__(self) -> None:
        self.level = self.size

    def take(self, at: float) -> float:
        """What was there before the call at this moment."""
        if self.at > float("-inf"):
            self.level = min(self.size, self.level + (at - self.at) * self.rate)
        self.at = at
        self.level -= 1
        return self.level + 1

    def lowest(self, ticks: Iterable[float]) -> float:
        return min((self.take(tick) for tick in ticks), default=self.size)


@pytest.fixture(scope="module")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Story]:
    settings = {"TELEGRAM_CALLS_PER_SECOND": f"{RATE:g}", "EDIT_SECONDS_DM": "0", "API_RATE_LIMIT": f"{REQUESTS}"}
    async with told_in(tmp_path_factory.mktemp("budget"), **settings) as story, story.product.running():
        yield story
        assert await story.audit() == []


async def test_b2_b3_sends_edits_and_signs_stay_within_one_budget_and_answers_go_before_decoration(
    story: Story,
) -> None:
    """While twenty people ask at once and an answer is growing."""
    tale, events = await begun(story)
    crowd = [story.world.say(story.friend(), story.valor, f"Question {number}") for number in range(PEOPLE)]
    async with story.product.explaining():
        await story.until(lambda: all(story.answers(asked) for asked in crowd))
        for event in events:
            event.set()
        answers = [[answer.text for answer in await story.settled(asked)] for asked in (*crowd, tale)]
    assert answers == [[f"Echo: {asked.text}"] for asked in crowd] + [["".join(pieces())]]
    assert left_to_others(story) >= -SLACK * RATE
    assert lowest_in_chats(story) >= 1 - SLACK * CHAT_RATE


async def test_b3_an_answer_that_grows_fast_stays_within_the_budget_of_its_chat(story: Story) -> None:
    """Though the setting asks for a change as often as there is something new."""
    tale, events = await begun(story)
    async with story.product.explaining():
        for number, event in enumerate(events):
            await story.until(lambda number=number: story.answers(tale)[0].text.endswith(pieces()[number]))
            event.set()
        (answer,) = await story.settled(tale)
    assert answer.text == "".join(pieces())
    assert len(story.world.ledger.did("edit", story.valor, tale.chat)) >= PIECES - 1
    assert lowest_in_chats(story) >= 1 - SLACK * CHAT_RATE


def pieces() -> list[str]:
    return [f"Line {number}." for number in range(PIECES)]


async def begun(story: Story) -> tuple[SentMessage, list[asyncio.Event]]:
    """The beginning of an answer that is being written in many pieces, the next at each event."""
    events = [asyncio.Event() for _ in range(PIECES - 1)]
    reply: Say | Hang = Say(pieces()[-1])
    for event, piece in reversed(list(zip(events, pieces(), strict=False))):
        reply = Hang(event, reply, piece)
    story.model.answer(reply, when=lambda asked: "a tale" in asked.question)
    asked = story.world.say(story.friend(), story.valor, "Tell me a tale")
    async with story.product.explaining():
        await story.answer_to(asked)
    return asked, events


def left_to_others(story: Story) -> float:
    """The least by which the account's budget stood above what a call is to leave to what is more urgent."""
    bucket = Bucket(RATE, 2 * RATE)
    calls = (call for call in story.world.ledger.calls(person=story.valor) if call.method in SHARES)
    return min(bucket.take(call.tick) - 1 - SHARES[call.method] * (bucket.size - 1) for call in calls)


def lowest_in_chats(story: Story) -> float:
    """The least that was left in any chat's budget before a call."""
    deeds = [deed for deed in story.world.ledger.deeds if deed.person is story.valor and deed.kind in DEEDS]
    chats = {deed.chat for deed in deeds}
    return min(Bucket(CHAT_RATE, CHAT_BURST).lowest(deed.tick for deed in deeds if deed.chat is chat) for chat in chats)


async def test_s9_a_client_of_the_api_that_asks_too_often_is_told_to_wait_and_telegram_goes_on(story: Story) -> None:
    headers = {"Authorization": f"Bearer {story.product.token()}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{story.product.port}", trust_env=False) as client:
        began = time.monotonic()
        answers = [await client.get("/api/promises", headers=headers, timeout=20)]
        while answers[-1].status_code == 200 and len(answers) < 10 * REQUESTS:  # it is allowed anew as time goes by
            answers.append(await client.get("/api/promises", headers=headers, timeout=20))
        passed = time.monotonic() - began
        health = await client.get("/health", timeout=20)
    assert answers[-1].status_code == 429
    assert REQUESTS / 2 < len(answers) <= REQUESTS * (1 + passed / 60) + 1  # others of this test asked before
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    assert len(answers[-1].json()["error"]) > 10
    assert health.status_code == 200
    async with story.product.explaining():
        (answer,) = await story.settled(story.world.say(story.friend(), story.valor, "And here?"))
    assert answer.text == "Echo: And here?"
