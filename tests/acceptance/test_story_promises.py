"""Promises in the chat: cancelled, tried again, in order, one writer at a time, asked about; with real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from tests.acceptance.installation import PROJECT, Installation
from tests.acceptance.script_model import Use, command, do, report, write
from tests.acceptance.story import PATIENCE, Story, told_in, told_where_commands_ask
from tests.world.anthropic import Fail, Say
from tests.world.telegram import SentMessage

# Nothing here listens to SIGTERM, and two of four have left their process group.
STUBBORN = (
    "trap '' TERM; touch begun; setsid sh -c \"trap '' TERM; sleep 71\" & (setsid sh -c \"trap '' TERM; sleep 72\" &); "
    "sleep 73"
)
SLEEPERS = ("sleep 71", "sleep 72", "sleep 73")


@pytest.fixture(scope="module")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Story]:
    async with told_where_commands_ask(tmp_path_factory.mktemp("promises")) as story:
        yield story


async def test_p5_running_work_is_cancelled_by_a_reply_with_all_it_started(story: Story) -> None:
    """How soon is for scripts/bench."""
    friend = story.friend()
    async with story.product.explaining():
        asked = story.world.say(friend, story.valor, f"/promise {do(report('begun'), command(STUBBORN), say='never')}")
        line = await story.until(lambda: find(story, asked, ": begun"))
        await story.until((story.private_work(friend) / "begun").exists)
        number = promise_of(story, asked)
        cancel = story.world.say(friend, story.valor, "cancel", reply_to=line)
        await story.until(lambda: status(story, number) == "cancelled" and not sleeping(story))
        notice = await story.until(lambda: find(story, asked, "is cancelled"))
        progress = story.product.value("SELECT progress FROM promises WHERE id = ?", number)
        assert f"Done until then: {progress}" in notice.text
        assert [answer.text for answer in await story.settled(cancel)] == [f"Promise #{number} is being cancelled."]
        assert story.world.ledger.message(line.number).text.startswith(f"Promise #{number}: cancelled (begun")


def sleeping(story: Story) -> list[str]:
    return [line for line in story.product.processes().values() if any(sleeper in line for sleeper in SLEEPERS)]


async def test_p5_waiting_work_is_cancelled_at_once_by_word_and_by_command(story: Story) -> None:
    friend = story.friend()
    async with story.product.explaining():
        for words in ("cancel {}", "/cancel #{}", "Cancel promise {}."):
            asked = story.world.say(friend, story.valor, "/promise every=1d water the flowers")
            (ack,) = await story.settled(asked)
            number = promise_of(story, asked)
            assert ack.text.startswith(f"Promise #{number}: water the flowers. It starts on ")
            cancel = story.world.say(friend, story.valor, words.format(number))
            (answer,) = await story.settled(cancel)
            assert answer.text == f"Promise #{number} is cancelled."
            assert find(story, asked, "It is not repeated any more.")
            assert status(story, number) == "cancelled"


async def test_p6_work_in_backoff_holds_nobody_up_and_tells_its_last_error(story: Story) -> None:
    friend, failing = story.friend(), asyncio.Event()
    failing.set()
    story.model.script(lambda asked: Fail(529) if failing.is_set() and "while it rains" in asked.question else None)
    asked = story.world.say(friend, story.valor, "/promise type=analysis think while it rains")
    async with story.product.explaining():
        number = await story.until(lambda: promise_of(story, asked))
        await story.until(lambda: status(story, number) == "waiting")
        (row,) = story.product.query("SELECT * FROM promises WHERE id = ?", number)
        assert (row["waiting_for"], row["attempts"]) == ("schedule", 1)
        assert "overloaded" in row["error_message"]
        other = story.world.say(friend, story.valor, f"/promise {do(write('b.txt', '1'), say='The other is done.')}")
        assert len(await story.settled(story.world.say(friend, story.valor, "Are you there?"))) == 1
        await story.until(lambda: find(story, other, "is done"))
        failing.clear()
        await story.until(lambda: find(story, asked, "is done"))
        (row,) = story.product.query("SELECT * FROM promises WHERE id = ?", number)
    assert row["attempts"] >= 2
    assert (row["status"], row["error_message"]) == ("completed", None)


async def test_p7_a_set_runs_side_by_side_and_its_follower_after_it(story: Story) -> None:
    friend = story.friend()
    gates = [f"set {n}" for n in range(3)]
    async with story.product.explaining():
        parts = [
            story.world.say(
                friend, story.valor, f"/promise type=analysis {do(report('begun'), say='Done.', gate=gate)}"
            )
            for gate in gates
        ]
        numbers = [await story.until(lambda part=part: promise_of(story, part)) for part in parts]
        after = ",".join(map(str, numbers))
        last = story.world.say(friend, story.valor, f"/promise after={after} type=analysis {do(report('summed'))}")
        (ack,) = await story.settled(last)
        assert "It starts after " in ack.text
        await story.until(lambda: set(gates) <= story.script.reached)  # all at once
        for gate in gates[:-1]:
            story.script.open(gate)
        await story.until(lambda: all(find(story, part, "is done") for part in parts[:-1]))
        assert status(story, promise_of(story, last)) == "waiting"
        story.script.open(gates[-1])
        await story.until(lambda: find(story, last, "is done"))


async def test_p7_what_follows_a_failure_fails_with_its_reason(story: Story) -> None:
    friend = story.friend()
    story.model.script(lambda asked: Fail(401) if "with a bad key" in asked.question else None)
    order = f"/promise at={in_a_moment()} type=analysis work with a bad key"
    asked = story.world.say(friend, story.valor, order)
    async with story.product.explaining():
        number = await story.until(lambda: promise_of(story, asked))
        after = story.world.say(friend, story.valor, f"/promise after={number} go on from there")
        told = await story.until(lambda: find(story, after, "failed"))
        first = await story.until(lambda: find(story, asked, "failed"))
    assert f"Promise #{number}, which it follows, failed: The model service refuses our key" in told.text
    assert "The model service refuses our key" in first.text


def in_a_moment() -> str:
    return (datetime.now(UTC) + timedelta(seconds=2)).isoformat(timespec="seconds")


async def test_p8_a_turn_is_told_at_once_who_writes_and_its_work_follows(story: Story) -> None:
    """Two chats, one directory: Olivia's group has it, and so has her promise."""
    writer = story.world.say(story.olivia, story.dev, f"/promise {do(command(BUSY), say='I am out.')}")
    work = story.work("dev")
    async with story.product.explaining():
        await story.until((work / "busy").exists)
        number = promise_of(story, writer)
        later = Use("make_promise", {"task": do(write("b.txt", "b")), "task_type": "code", "after": [number]})
        asked = story.world.say(story.olivia, story.dev, do(write("b.txt", "a"), later, say="After that one, then."))
        answer = await story.answer_to(asked)
        assert answer.text.startswith("After that one, then.")
        told = next(
            result.text for seen in story.model.calls for result in seen.asked.results if "since" in result.text
        )
        assert told.startswith(f"promise #{number} has been writing in {work} since {datetime.now(UTC):%Y-}")
        assert "make_promise" in told
        assert not (work / "b.txt").exists()
        (work / "go").touch()
        await story.until(lambda: find(story, asked, "is done"))
        await story.until(lambda: find(story, writer, "is done"))
    assert (work / "b.txt").read_text() == "b"


BUSY = "touch busy; until [ -e go ]; do sleep 0.05; done; rm busy go"


async def test_p8_two_promises_in_one_directory_write_one_after_the_other(story: Story) -> None:
    line = "test ! -e lock && touch lock && sleep 0.3 && rm lock && echo one >> turns.txt"
    friend = story.friend()
    async with story.product.explaining():
        asked = [
            story.world.say(friend, story.valor, f"/promise {do(command(line), say=f'Wrote {n}.')}") for n in range(3)
        ]
        for one in asked:
            await story.until(lambda one=one: find(story, one, "is done"))
    assert (story.private_work(friend) / "turns.txt").read_text() == "one\n" * 3
    rows = story.product.query("SELECT attempts FROM promises WHERE task_description LIKE '%turns.txt%'")
    assert [row["attempts"] for row in rows] == [1, 1, 1]


async def test_p11_a_tool_that_needs_consent_waits_over_a_restart_and_runs_once_as_it_was_granted(story: Story) -> None:
    words = do(command("echo granted >> granted.txt; false"), say="It ran.")
    asked = story.world.say(story.olivia, story.other, f"@valor_ai {words}")
    async with story.product.explaining():
        question = await story.answer_to(asked)
        assert "wants to use `run_command`" in question.text or "wants to use run_command" in question.text
        assert "echo granted >> granted.txt; false" in question.text
        number = promise_of(story, asked)
        for part in ("worker", "server"):
            await story.product.restarted(part, await story.product.kill(part))
        stranger = story.world.say(story.sam, story.other, "approve", reply_to=question)
        (refused,) = await story.settled(stranger)
        assert refused.text.startswith("A guest may not decide that in Other: ask an owner.")
        assert (status(story, number), (story.work("other") / "granted.txt").exists()) == ("waiting", False)
        story.world.say(story.olivia, story.other, "approve", reply_to=question)
        result = await story.until(lambda: find(story, asked, "is done"))
        await story.until(lambda: not story.owed())
    assert "echo granted >> granted.txt; false → 1" in result.text
    assert (story.work("other") / "granted.txt").read_text() == "granted\n"
    (row,) = story.product.query("SELECT * FROM consents WHERE promise_id = ?", number)
    assert (row["decision"], row["decided_by"]) == ("granted", "Olivia")


async def test_p11_what_is_refused_does_not_run(story: Story) -> None:
    asked = story.world.say(story.olivia, story.other, f"@valor_ai {do(command('touch refused.txt'), say='It ran.')}")
    async with story.product.explaining():
        question = await story.answer_to(asked)
        story.world.say(story.olivia, story.other, "refuse", reply_to=question)
        told = await story.until(lambda: find(story, asked, "failed"))
    assert "Olivia refused" in told.text
    assert not (story.work("other") / "refused.txt").exists()


async def test_bad_input_a_result_of_five_megabytes_is_told_in_part_and_kept_whole(story: Story) -> None:
    story.model.script(lambda asked: Say("word " * 1_000_000) if "every word there is" in asked.question else None)
    asked = story.world.say(story.friend(), story.valor, "/promise type=analysis every word there is")
    async with story.product.explaining():
        told = await story.until(lambda: find(story, asked, "word word"))
        number = promise_of(story, asked)
        await story.until(lambda: not story.owed())
    assert "the full text is in the file" in told.text
    assert len(told.text) < 4_000
    (whole,) = [answer.media.content for answer in story.answers(asked) if answer.media]
    assert whole.count(b"word") >= 1_000_000
    assert story.product.value("SELECT LENGTH(text) FROM results WHERE promise_id = ?", number) >= 4_999_999


async def test_bad_input_a_schedule_that_cannot_be_is_refused_in_one_sentence(story: Story) -> None:
    friend = story.friend()
    orders = {
        'every="0 0 30 2 *" x': "is no schedule",
        'at="2020-01-01 09:00" x': "has passed",
        "every=1d zone=Mars/Olympus x": "There is no time zone 'Mars/Olympus'",
        "after=99999999999999999999999 x": "There is no promise #99999999999999999999999",
        f"after={promise_of_others(story)} x": "There is no promise",
    }
    async with story.product.explaining():
        for order, sentence in orders.items():
            (answer,) = await story.settled(story.world.say(friend, story.valor, f"/promise {order}"))
            assert sentence in answer.text
            assert "\n" not in answer.text


def promise_of_others(story: Story) -> int:
    """A promise of another workspace than any friend's."""
    return story.product.value("SELECT COALESCE(MAX(id), 0) FROM promises WHERE workspace = 'Dev'")


async def test_p2_the_table_and_the_log_tell_people_what_they_ask(story: Story) -> None:
    """As the README has it, to the letter."""
    friend, work = story.friend(), do(report("begun"), say="Found *nothing*.")
    async with story.product.explaining():
        asked = story.world.say(friend, story.valor, f"/promise type=search {work}")
        await story.until(lambda: find(story, asked, "is done"))
        number = promise_of(story, asked)
        told = {query: await ask_shell(story, f'sqlite3 system.db "{query}"') for query in QUERIES}
        log = await ask_shell(story, "timeout 1 tail -f logs/huey.log")
        listed = await ask_shell(story, "ps aux | grep huey_consumer")
    assert told[QUERIES[0]] == ""  # nothing is pending
    assert any(line.startswith("completed|") for line in told[QUERIES[1]].splitlines())
    assert told[QUERIES[2]].splitlines()[0].endswith("|Found *nothing*.")
    assert f'"promise": {number}' in log
    assert any(line.split()[1] == str(story.product.pid("worker")) for line in listed.splitlines())


QUERIES = (
    "SELECT id, task_description, status, created_at FROM promises WHERE status='pending' ORDER BY created_at;",
    "SELECT status, COUNT(*) as count FROM promises GROUP BY status;",
    "SELECT task_description, completed_at, result_summary FROM promises WHERE status='completed'"
    " ORDER BY completed_at DESC LIMIT 5;",
)


async def ask_shell(story: Story, line: str) -> str:
    ended = await story.product.run("sh", "-c", line, folder=story.home)
    assert ended.code in {0, 124}, ended.said  # 124: `tail -f` ends only by the clock
    return ended.said


async def test_p3_a_model_that_answers_after_the_lease_ran_out_is_not_told_twice(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("late")
    async with told_in(folder, PROMISE_LEASE_SECONDS="2") as story, story.product.running(), story.product.explaining():
        friend = story.friend()
        words = do(report("begun"), say="Late, but here.", gate="late")
        asked = story.world.say(friend, story.valor, f"/promise type=analysis {words}")
        await story.until(lambda: find(story, asked, ": begun") and "late" in story.script.reached)
        number, sleeper = promise_of(story, asked), story.product.pid("worker")
        os.kill(sleeper, signal.SIGSTOP)
        async with another_worker(story.product):
            await story.until(lambda: epoch(story, number) == 2)
            story.script.open("late")
            await story.until(lambda: find(story, asked, "is done"))
            os.kill(sleeper, signal.SIGCONT)
            await story.until(lambda: was_fenced_out(story))
        told = [answer.text for answer in story.answers(asked) if "is done" in answer.text]
        assert [text.splitlines()[-1] for text in told] == ["Late, but here."]
        row = story.product.query("SELECT status, epoch, deaths FROM promises WHERE id = ?", number)[0]
        assert tuple(row) == ("completed", 2, 0)
        assert await story.audit() == []


@asynccontextmanager
async def another_worker(product: Installation) -> AsyncGenerator[None]:
    program = (sys.executable, str(PROJECT / "scripts" / "huey_consumer.py"))
    worker = await asyncio.create_subprocess_exec(*program, env=product.environment, cwd=PROJECT)
    try:
        yield
    finally:
        worker.terminate()
        await asyncio.wait_for(worker.wait(), PATIENCE)


def was_fenced_out(story: Story) -> bool:
    """Whether the sleeper has noticed, by its lease or by its answer."""
    said = (story.home / "logs" / "huey.log").read_text()
    return "its lease ran out" in said or "a later epoch holds the promise" in said


def epoch(story: Story, number: int) -> int:
    return story.product.value("SELECT epoch FROM promises WHERE id = ?", number)


def status(story: Story, number: int) -> str:
    return story.product.value("SELECT status FROM promises WHERE id = ?", number)


def promise_of(story: Story, asked: SentMessage) -> int:
    """The promise that a message was answered with; 0 for none yet."""
    row = story.row_of(asked)
    query = "SELECT MAX(promise_id) FROM deliveries WHERE turn_id = ?"
    return (story.product.value(query, row["turn_id"]) if row and row["turn_id"] else None) or 0


def find(story: Story, asked: SentMessage, words: str) -> SentMessage | None:
    """The answer that holds these words."""
    return next((answer for answer in story.answers(asked) if words in answer.text), None)
