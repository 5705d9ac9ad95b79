"""The story of issue 2: real processes, real protocols, no patched code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from itertools import pairwise

import pytest

from tests.acceptance.script_model import command, do, promise, report, write
from tests.acceptance.story import Story, told_in
from tests.world.anthropic import Hang, Say
from tests.world.telegram import Deed, SentMessage

PROGRESS = "Promise #{}: "
CODE = "\n".join(f"print('line {number:03} of a program that is to stay whole')" for number in range(45))
PARAGRAPH = "Words that tell what the next program does, and why it is written in just this way. " * 8


@pytest.fixture(scope="module")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Story]:
    async with told_in(tmp_path_factory.mktemp("story")) as story, story.product.running():
        yield story
        assert await story.audit() == []


async def test_s1_a_start_says_in_a_line_each_what_is_up(story: Story) -> None:
    again = await story.product.start()
    assert again.code == 0
    server, worker = story.product.pid("server"), story.product.pid("worker")
    assert again.said.startswith("Valor runs already: ")
    assert f"server (pid {server})" in again.said
    assert f"worker (pid {worker})" in again.said
    for part in ("server", "telegram account", "worker", "self-ping"):
        assert any(line.split()[:1] == ["up"] and part in line for line in again.said.splitlines()), again.said
    assert f"http://127.0.0.1:{story.product.port}/?token={story.product.token()}" in again.said


async def test_b2_a_listed_person_sees_eyes_and_then_an_answer_as_a_reply(story: Story) -> None:
    friend = story.friend()
    asked = story.world.say(friend, story.valor, "Hello, are you there?")
    async with story.product.explaining():
        answer = await story.answer_to(asked)
        await story.settled(asked)
    first = next(deed for deed in story.world.ledger.did("reaction") if deed.number == asked.number)
    assert (first.detail, answer.text) == ("👀", "Echo: Hello, are you there?")
    assert first.tick < answer.tick
    assert len(story.answers(asked)) == 1
    assert story.reactions(asked)[-1] == "👍"
    assert story.shown_in(asked.chat).count("read") == 1


async def test_a7_a_stranger_meets_silence_and_leaves_an_audit_row(story: Story) -> None:
    lines = [story.world.say(story.sam, story.valor, text) for text in ("Let me in", "Hello?", "ping")]
    where = "SELECT reason, count, sender_name FROM audit WHERE kind = 'access' AND sender_id = ?"
    async with story.product.explaining():
        rows = await story.until(lambda: [row for row in story.product.query(where, story.sam.id) if row["count"] == 3])
        await barrier(story)
    assert len(rows) == 1
    assert rows[0]["reason"]
    assert story.shown_in(lines[0].chat) == []
    assert not story.model.calls or all("Let me in" not in seen.asked.prompt for seen in story.model.calls)


async def test_a4_every_message_of_a_dev_group_is_answered(story: Story) -> None:
    asked = story.world.say(story.olivia, story.dev, "Who is on duty?")
    async with story.product.explaining():
        answer = await story.answer_to(asked)
    assert answer.text == "Echo: Who is on duty?"


async def test_a5_what_another_group_says_is_kept_and_nothing_shown(story: Story) -> None:
    lines = [story.world.say(who, story.other, "Lunch at noon?") for who in (story.olivia, story.sam)]
    async with story.product.explaining():
        rows = [await story.until(lambda line=line: story.row_of(line)) for line in lines]
        await barrier(story)
    for row, line in zip(rows, lines, strict=True):
        assert (row["answer"], row["text"]) == (0, "Lunch at noon?")
        assert row["reason"]
        assert (story.reactions(line), story.answers(line)) == ([], [])
    assert "read" not in [deed.kind for deed in deeds_before_any_mention(story)]


async def test_a4_in_another_group_a_mention_and_a_reply_are_answered(story: Story) -> None:
    asked = story.world.say(story.olivia, story.other, "@valor_ai what is new?")
    async with story.product.explaining():
        answer = await story.answer_to(asked)
        assert answer.text == "Echo: what is new?"
        replied = story.world.say(story.sam, story.other, "And since then?", reply_to=answer)
        assert (await story.answer_to(replied)).text == "Echo: And since then?"
        assert story.reactions(replied)[0] == "👀"


async def test_p1_a_long_task_is_promised_at_once_and_done_in_its_workspace_alone(story: Story) -> None:
    before = story.snapshot()
    lines = (command("cat notes.txt > copy.txt"), report("halfway", gate="halfway"))
    words = do(report("begun"), write("notes.txt", "kept\n"), *lines, say="All *four* done.", gate="the end")
    asked = story.world.say(story.olivia, story.dev, promise(words))
    async with story.product.explaining():
        number = await promised(story, asked)
        line = await story.until(lambda: find(story, asked, PROGRESS.format(number) + "begun"), 20)
        story.script.open("halfway")
        await story.until(lambda: "halfway" in story.world.ledger.message(line.number).text, 5)
        assert story.product.value("SELECT status FROM promises WHERE id = ?", number) == "in_progress"
        story.script.open("the end")
        result = await story.until(lambda: find(story, asked, f"Promise #{number} is done"), 5)
        await story.until(lambda: not story.owed())
    told = result.text
    assert "All four done." in told
    assert "changed: notes.txt (nothing → " in told
    assert "ran: cat notes.txt > copy.txt → 0" in told
    assert story.world.ledger.message(line.number).text.startswith(f"Promise #{number}: done")
    after = story.snapshot()
    assert {name for name in after if after[name] != before.get(name)} == {"work/dev/notes.txt", "work/dev/copy.txt"}
    assert before.keys() <= after.keys()
    assert len(story.answers(asked)) == 3  # the number, the line, the result


@pytest.mark.parametrize(("place", "pace"), [("dm", 1), ("group", 3)])
async def test_b3_an_answer_that_takes_its_time_is_one_message_that_grows(
    story: Story, place: str, pace: float
) -> None:
    tale, first, second = f"a long tale for the {place}", asyncio.Event(), asyncio.Event()
    story.model.answer(
        Hang(first, Hang(second, Say("a *time*."), "upon "), "Once "), when=lambda asked: tale in asked.question
    )
    where = (story.friend(), story.valor) if place == "dm" else (story.olivia, story.dev)
    asked = story.world.say(*where, f"Tell me {tale}")
    async with story.product.explaining():
        (begun,) = await story.until(lambda: story.answers(asked))
        assert begun.text == "Once"
        first.set()
        await story.until(lambda: story.answers(asked)[0].text == "Once upon")
        second.set()
        (answer,) = await story.settled(asked)
    assert (answer.number, answer.text) == (begun.number, "Once upon a time.")
    assert [(entity.offset, entity.length) for entity in answer.entities] == [(12, 4)]
    deeds = story.world.ledger.deeds
    shown = [deed.tick for deed in deeds if deed.number == answer.number and deed.kind in {"message", "edit"}]
    assert len(shown) == 3
    assert min(after - before for before, after in pairwise(shown)) >= pace
    assert [deed for deed in deeds if deed.kind == "typing" and deed.chat is asked.chat and deed.tick < shown[0]]


async def test_b3_the_end_of_an_answer_waits_a_flood_out_once(story: Story) -> None:
    release = asyncio.Event()
    story.model.answer(Hang(release, Say("told."), "All is "), when=lambda asked: "a flooded tale" in asked.question)
    asked = story.world.say(story.friend(), story.valor, "Tell me a flooded tale")
    async with story.product.explaining():
        await story.until(lambda: story.answers(asked))
        story.world.faults.flood_wait(2, story.valor, "messages.editMessage")
        before = len(story.world.ledger.requests)
        release.set()
        (answer,) = await story.settled(asked)
    edits = [one for one in list(story.world.ledger.requests)[before:] if one.method == "messages.editMessage"]
    assert (answer.text, [one.outcome == "ok" for one in edits]) == ("All is told.", [False, True])
    assert edits[1].tick - edits[0].tick >= 2


async def test_b4_an_answer_of_9000_characters_arrives_whole(story: Story) -> None:
    blocks = [CODE.replace("line", f"part {number}") for number in range(3)]
    text = "\n\n".join(f"{PARAGRAPH}\n\n```python\n{block}\n```" for block in blocks)
    assert len(text) > 9_000
    story.model.answer(Say(text), when=lambda asked: "the whole program" in asked.question)
    asked = story.world.say(story.friend(), story.valor, "Show me the whole program")
    async with story.product.explaining():
        parts = await story.settled(asked)
    assert 3 <= len(parts) <= 5
    assert all(units(part.text) <= 4096 for part in parts)
    assert [part.id_for(story.valor) for part in parts] == sorted(part.id_for(story.valor) for part in parts)
    assert squeeze("".join(part.text for part in parts)) == squeeze("".join(PARAGRAPH + block for block in blocks))
    assert [cut(part, entity.offset, entity.length) for part in parts for entity in part.entities] == blocks


async def test_b6_stop_ends_a_model_call_and_a_tool(story: Story) -> None:
    friend = story.friend()
    async with story.product.explaining():
        story.world.say(friend, story.valor, do(command("touch begun; sleep 600"), say="never"))
        await story.until((story.private_work(friend) / "begun").exists)
        told = await story.answer_to(story.world.say(friend, story.valor, "stop"))
        assert told.text.startswith("Stopped.")
        assert "touch begun" in told.text or "run_command" in told.text
        await story.until(lambda: not any("sleep 600" in line for line in story.product.processes().values()))
        story.model.answer(Hang(), when=lambda asked: "think for ever" in asked.question)
        story.world.say(friend, story.valor, "Please think for ever")
        await story.until(lambda: any("think for ever" in seen.asked.question for seen in story.model.calls))
        told = await story.answer_to(story.world.say(friend, story.valor, "stop"))
        assert told.text == "Stopped. Nothing had been done yet."
        await story.until(lambda: story.model.calls[-1].dropped)


async def test_b9_ping_is_answered_without_a_model(story: Story) -> None:
    calls = len(story.model.calls)
    asked = story.world.say(story.friend(), story.valor, "ping")
    async with story.product.explaining():
        assert (await story.answer_to(asked)).text.startswith("pong: up ")
    assert len(story.model.calls) == calls


async def test_s8_no_model_is_called_while_nobody_asks_for_anything(story: Story) -> None:
    calls = len(story.model.calls)
    story.world.say(story.world.person("Eve", "stranger_eve"), story.valor, "Let me in")
    story.world.say(story.olivia, story.other, "Lunch at noon?")
    story.world.drop_connections(story.valor)  # a reconnect and its catch-up
    async with story.product.explaining():
        assert (await story.product.start()).code == 0  # says what runs, self-ping and health included
        await barrier(story)
    assert len(story.model.calls) == calls


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id, task_description, status, created_at FROM promises WHERE status='pending' ORDER BY created_at;",
        "SELECT status, COUNT(*) as count FROM promises GROUP BY status;",
        "SELECT task_description, completed_at, result_summary FROM promises WHERE status='completed'"
        " ORDER BY completed_at DESC LIMIT 5;",
    ],
)
async def test_p3_the_queries_that_people_know_work_as_written(story: Story, query: str) -> None:
    ended = await story.product.run("sh", "-c", f'sqlite3 system.db "{query}"', folder=story.home)
    assert ended.code == 0, ended.said


async def test_s1_the_worker_is_found_as_people_look_for_it(story: Story) -> None:
    ended = await story.product.run("sh", "-c", "ps aux | grep huey_consumer", folder=story.home)
    found = [line for line in ended.said.splitlines() if "grep" not in line]
    assert str(story.product.pid("worker")) in [line.split()[1] for line in found]
    assert (story.home / "logs" / "huey.log").read_text().strip()


async def barrier(story: Story) -> None:
    """What was said before has been dealt with: a later message is answered."""
    async with story.product.explaining():
        await story.settled(story.world.say(story.olivia, story.valor, "ping"))


async def promised(story: Story, asked: SentMessage) -> int:
    """The number that the chat is told."""
    told = await story.until(lambda: story.answers(asked))
    number = story.product.value("SELECT id FROM promises ORDER BY id DESC LIMIT 1")
    assert f"#{number}" in told[0].text
    return number


def find(story: Story, asked: SentMessage, start: str) -> SentMessage | None:
    return next((answer for answer in story.answers(asked) if answer.text.startswith(start)), None)


def deeds_before_any_mention(story: Story) -> list[Deed]:
    deeds = [deed for deed in story.world.ledger.deeds if deed.chat is story.other]
    first = next((n for n, deed in enumerate(deeds) if "@valor_ai" in deed.detail), len(deeds))
    return [deed for deed in deeds[:first] if deed.person is story.valor]


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def cut(message: SentMessage, offset: int, length: int) -> str:
    return message.text.encode("utf-16-le")[2 * offset : 2 * (offset + length)].decode("utf-16-le")


def squeeze(text: str) -> str:
    return "".join(text.split())
