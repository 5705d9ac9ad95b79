"""The story under kill -9: every message answered once, every promise done and told once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from tests.acceptance.installation import until
from tests.acceptance.script_model import command, do, promise, report, write
from tests.acceptance.story import Story, told_in
from tests.world.anthropic import Hang, Say
from tests.world.telegram import SentMessage

TWICE = "if [ -e begun ]; then echo again > again; else touch begun; sleep 600; fi"


@pytest.fixture(scope="module")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Story]:
    async with told_in(tmp_path_factory.mktemp("kills")) as story, story.product.running():
        yield story
        assert await story.audit() == []


async def test_b1_a_server_killed_during_a_model_call_answers_once_when_it_is_back(story: Story) -> None:
    asked = story.world.say(story.friend(), story.valor, do(say="I was interrupted.", gate="call"))
    async with story.product.explaining():
        await story.until(lambda: "call" in story.script.reached)
        former = await story.product.kill("server")
        story.script.open("call")
        await story.product.restarted("server", former)
        answers = await story.settled(asked, 20)
    assert [answer.text for answer in answers] == ["I was interrupted."]
    assert story.product.value("SELECT attempts FROM turns WHERE id = ?", turn_of(story, asked)) == 2


async def test_b3_a_server_killed_while_its_answer_grows_goes_on_with_the_same_message(story: Story) -> None:
    for reply in (Hang(said="Once upon "), Say("Once upon a time.")):
        story.model.answer(reply, when=lambda asked: "a tale" in asked.question)
    asked = story.world.say(story.friend(), story.valor, "Tell me a tale")
    async with story.product.explaining():
        (begun,) = await story.until(lambda: story.answers(asked))
        assert begun.text == "Once upon"
        former = await story.product.kill("server")
        await story.product.restarted("server", former)
        (answer,) = await story.settled(asked, 20)
    assert (answer.number, answer.text) == (begun.number, "Once upon a time.")


async def test_p3_a_server_killed_before_it_heard_that_its_answer_arrived_does_not_repeat_it(story: Story) -> None:
    """Telegram took the message and has forgotten its key: only a look into the chat can tell."""
    friend = story.friend()
    lost = story.world.faults.lose_answer(story.valor, "messages.sendMessage", times=1, cut=False)
    asked = story.world.say(friend, story.valor, "Tell me once")
    async with story.product.explaining():
        answer = await story.answer_to(asked, 20)
        lost.clear()
        story.world.forget_random_ids()
        former = await story.product.kill("server")
        await story.product.restarted("server", former)
        await story.settled(asked, 20)
        story.world.forget_random_ids(None)
    assert [(one.number, one.text) for one in story.answers(asked)] == [(answer.number, "Echo: Tell me once")]


async def test_b1_a_server_killed_between_accepting_and_answering_answers_everybody_once(story: Story) -> None:
    friends = [story.friend() for _ in range(4)]
    first = [story.world.say(friend, story.valor, f"Question {friend.id}") for friend in friends]
    async with story.product.explaining():
        await until(lambda: any(story.row_of(asked) for asked in first))
        former = await story.product.kill("server")
        second = [story.world.say(story.olivia, chat, "And I?") for chat in (story.valor, story.dev)]
        await story.product.restarted("server", former)
        for asked in (*first, *second):
            answers = await story.settled(asked, 20)
            assert [answer.text for answer in answers] == [f"Echo: {asked.text}"]


async def test_p9_a_worker_killed_during_a_tools_step_ends_the_tool_and_keeps_the_promise_once(story: Story) -> None:
    words = do(write("first.txt", "1"), command(TWICE), say="Kept after all.")
    asked = story.world.say(story.olivia, story.valor, promise(words))
    work = story.work("olivia")
    async with story.product.explaining():
        await story.until((work / "begun").exists, 20)
        former = await story.product.kill("worker")
        await story.product.restarted("worker", former)
        result = await story.until(lambda: find(story, asked, "is done"), 20)
        await story.settled(asked)
    assert "Kept after all." in result.text
    assert "changed: first.txt" in result.text
    assert (work / "again").exists()
    assert not any("sleep 600" in line for line in story.product.processes().values())
    number = promise_of(story, asked)
    done = "SELECT COUNT(*) FROM steps WHERE run_id = (SELECT run_id FROM promises WHERE id = ?) AND name = ?"
    assert story.product.value(done, number, "write_file") == 1


async def test_p9_a_worker_killed_during_a_model_call_pays_no_finished_call_again(story: Story) -> None:
    words = do(report("begun"), say="Thought twice.", gate="thought")
    asked = story.world.say(story.friend(), story.valor, promise(words, kind="analysis"))
    async with story.product.explaining():
        await story.until(lambda: find(story, asked, "begun"), 20)
        await story.until(lambda: "thought" in story.script.reached)
        former = await story.product.kill("worker")
        story.script.open("thought")
        await story.product.restarted("worker", former)
        result = await story.until(lambda: find(story, asked, "is done"), 20)
        await story.settled(asked)
    assert "Thought twice." in result.text
    paid = "SELECT COUNT(*) FROM llm_calls WHERE promise = ? AND outcome = 'ok'"
    assert story.product.value(paid, promise_of(story, asked)) == 2


async def test_p3_both_killed_at_once_lose_and_repeat_nothing(story: Story) -> None:
    friend = story.friend()
    promised = story.world.say(friend, story.valor, promise(do(write("kept.txt", "1"), say="Kept.", gate="both")))
    async with story.product.explaining():
        await story.until(lambda: story.answers(promised), 20)
        asked = story.world.say(friend, story.valor, do(say="Both were gone.", gate="both"))
        await story.until(lambda: story.row_of(asked))
        formers = {part: await story.product.kill(part) for part in ("worker", "server")}
        story.script.open("both")
        await asyncio.gather(*(story.product.restarted(part, pid) for part, pid in formers.items()))
        answers = await story.settled(asked, 20)
        await story.until(lambda: find(story, promised, "is done"), 20)
    assert [answer.text for answer in answers] == ["Both were gone."]
    assert (story.private_work(friend) / "kept.txt").read_text() == "1"


async def test_s2_stop_leaves_no_process_and_b8_what_was_written_meanwhile_is_answered(story: Story) -> None:
    friend, gone = story.friend(), story.friend()
    under_way = story.world.say(gone, story.valor, promise(do(command(TWICE.replace("600", "601")), say="Went on.")))
    async with story.product.explaining():
        await story.until((story.private_work(gone) / "begun").exists, 20)
        assert len(story.product.processes()) >= 3
        stopped = await story.product.stop()
        assert stopped.code == 0, stopped.said
        assert "Stopped: " in stopped.said
        assert story.product.processes() == {}
        assert "Nothing" in (await story.product.stop()).said
        lines = [story.world.say(friend, story.valor, f"Line {number} in the night") for number in range(3)]
        group = story.world.say(story.olivia, story.other, "@valor_ai are you awake?")
        quiet = story.world.say(story.sam, story.other, "I am not")
        edited = story.world.edit(story.world.say(story.olivia, story.dev, "Is it on?"), "Is it on now?")
        started = await story.product.start()
        assert started.code == 0, started.said
        for asked in (group, edited):
            assert len(await story.settled(asked, 20)) == 1
        answer = await story.answer_to(lines[-1])
        assert all(line.text in answer.text for line in lines)  # one turn for the chat
        await story.until(lambda: find(story, under_way, "is done"), 20)
        row = await story.until(lambda: story.row_of(quiet))
    assert [story.answers(line) for line in lines[:-1]] == [[], []]
    assert (row["answer"], story.reactions(quiet)) == (0, [])
    assert not any("away" in message.text for message in story.world.messages(sender=story.valor))


def turn_of(story: Story, asked: SentMessage) -> int:
    row = story.row_of(asked)
    assert row
    return row["turn_id"]


def promise_of(story: Story, asked: SentMessage) -> int:
    return story.product.value("SELECT promise_id FROM deliveries WHERE turn_id = ?", turn_of(story, asked))


def find(story: Story, asked: SentMessage, words: str) -> SentMessage | None:
    """The answer that holds these words."""
    return next((answer for answer in story.answers(asked) if words in answer.text), None)
