"""An answer that grows while the model writes it (B3)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import pytest

from conversations.answer_store import ASKS
from conversations.turn import Turn
from conversations.turns import Gate
from conversations.typeset import REPEAT
from core.errors import FloodWait, ModelRefused, Undeliverable
from core.message import Chat
from core.protocols import Call
from tests.conversations.stage import DM, OLGA, TEAM, Stage, locked, make_promise

LONG = "\n\n".join(f"Part {number}. " + "word " * 100 for number in range(20))
STEP = 0.25
End = Callable[[], Awaitable[str]]


class Writer:
    """A model that writes what the test says, when it says so."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.heard: asyncio.Queue[str | End] = asyncio.Queue()
        self.turns: list[Turn] = []
        self.changed: list[float] = []  # when the chat saw something
        stage.front._edge = self.note
        stage.agent.script = self.answer

    def note(self, point: str) -> None:
        if point in {"front.send", "front.edit"}:
            self.changed.append(self.stage.clock.boot())

    async def answer(self, turn: Turn, gate: Gate) -> str:
        self.turns.append(turn)
        async with self.stage.growth.of(turn) as hear:
            while isinstance(said := await self.heard.get(), str):
                await hear(said)
            return await said()

    async def writes(self, text: str) -> None:
        self.heard.put_nowait(text)
        while not self.heard.empty():
            await asyncio.sleep(0)

    async def shows(self, text: str, chat: Chat = DM) -> None:
        """The model writes, and after a while the chat reads so."""
        await self.writes(text)
        await self.passes(lambda: self.stage.front.texts(chat.key)[-1:] == [text])
        await self.settled(text)

    async def passes(self, is_so: Callable[[], bool] = lambda: False, seconds: float = 60) -> None:
        """Time goes by in small steps, until something is so or it is over."""
        clock = self.stage.clock
        end = clock.boot() + seconds
        while clock.boot() < end and not is_so():
            clock.advance(STEP)
            for _ in range(3):
                await self.stage.rows("chats")

    async def settled(self, text: str) -> None:
        """The row knows what the chat shows."""
        async with asyncio.timeout(10):
            while [(row.text, row.status) for row in await self.rows()][:1] != [(text, "open")]:
                pass

    async def rows(self) -> list[Any]:
        return await self.stage.rows("deliveries", kind="answer")

    def ends(self, text: str) -> None:
        async def end() -> str:
            return text

        self.heard.put_nowait(end)

    def fails(self, error: Exception) -> None:
        async def end() -> str:
            raise error

        self.heard.put_nowait(end)

    async def told(self) -> None:
        """Time goes by until nothing is to be done."""
        quiet = asyncio.create_task(self.stage.quiet())
        await self.passes(quiet.done, 300)
        await quiet


@pytest.fixture
def writer(stage: Stage) -> Writer:
    return Writer(stage)


def count(stage: Stage, call: str) -> int:
    return [name for name, _ in stage.front.calls].count(call)


async def test_b3_an_answer_is_one_message_that_grows(stage: Stage, writer: Writer) -> None:
    asked = await stage.say(DM, OLGA, "tell me")
    await writer.shows("One")
    await writer.shows("One two")
    await writer.shows("One two *thr")
    writer.ends("One two *three*.")
    await writer.told()
    (line,) = stage.front.told("1")
    assert (line.text, line.reply_to) == ("One two three.", asked.id)
    assert (count(stage, "send"), count(stage, "edit")) == (1, 3)
    (row,) = await stage.rows("deliveries")
    assert (row.status, row.text, row.version, row.former) == ("sent", "One two three.", 4, None)
    assert stage.front.line(DM, asked.id).reaction == "👍"


async def test_b3_an_answer_that_is_done_within_the_second_costs_nothing_more(stage: Stage, writer: Writer) -> None:
    written: list[str] = []
    stage.database.edge = written.append
    await stage.say(DM, OLGA, "tell me")
    await writer.writes("One")
    stage.clock.advance(0.9)
    writer.ends("One two.")
    await writer.told()
    assert (stage.front.texts("1"), count(stage, "edit")) == (["One two."], 0)
    assert {"turn.grow:before-commit", "turn.seal:before-commit"}.isdisjoint(written)


@pytest.mark.parametrize(("chat", "ask", "pace"), [(DM, "tell me", 1), (TEAM, "@valor_ai tell me", 3)])
async def test_b3_changes_keep_their_pace_the_last_one_too(
    stage: Stage, writer: Writer, chat: Chat, ask: str, pace: float
) -> None:
    begun = stage.clock.boot()
    await stage.say(chat, OLGA, ask)
    for text in ("One", "One two", "One two three"):
        await writer.shows(text, chat)
    writer.ends("One two three four.")
    await writer.told()
    assert stage.front.texts(chat.key) == ["One two three four."]
    gaps = [after - before for before, after in pairwise(writer.changed)]
    assert len(gaps) == 3
    assert min(gaps) >= pace
    assert writer.changed[0] - begun >= 1


async def test_b5_what_has_shown_something_is_joined_by_nothing(stage: Stage, writer: Writer) -> None:
    await stage.say(DM, OLGA, "one")
    await writer.shows("Begun")
    await stage.say(DM, OLGA, "two")
    writer.ends("First")
    writer.ends("Second")
    await writer.told()
    assert stage.front.texts("1") == ["First", "Second"]


async def test_b5_what_has_joined_before_anything_was_shown_is_in_the_answer(stage: Stage, writer: Writer) -> None:
    await stage.say(DM, OLGA, "one")
    await writer.writes("Begun")
    await stage.inbox.receive(stage.front.say("1", OLGA, "two"))  # and nobody tells the run
    await writer.passes(seconds=3)
    assert stage.front.texts("1") == []
    writer.ends("First")
    writer.ends("Both")
    await writer.told()
    assert stage.front.texts("1") == ["Both"]
    assert [turn.prompt for turn in writer.turns] == ["one", "one\ntwo"]


async def test_b3_the_next_process_goes_on_with_the_same_message(stage: Stage, writer: Writer) -> None:
    await stage.say(DM, OLGA, "tell me")
    await writer.shows("One two")
    await stage.die()
    following = stage.again()
    again = Writer(following)
    await following.open()
    await following.turns.begin_all([DM.front])
    await again.writes("One")  # it does not shrink meanwhile
    await again.passes(seconds=3)
    assert following.front.texts("1") == ["One two"]
    again.ends("One two three.")
    await again.told()
    assert following.front.texts("1") == ["One two three."]
    assert count(following, "send") == 1
    await following.close()


async def test_b3_a_send_whose_answer_was_lost_is_the_message_that_grows(stage: Stage, writer: Writer) -> None:
    stage.front.lose_answers("send")
    await stage.say(DM, OLGA, "tell me")
    await writer.writes("One")
    await writer.passes(lambda: stage.front.texts("1") == ["One"])
    stage.front.forget_keys()
    writer.ends("One two.")
    await writer.told()
    assert (stage.front.texts("1"), count(stage, "send")) == (["One two."], 1)


async def test_b6_a_stop_leaves_no_half_answer(stage: Stage, writer: Writer) -> None:
    await stage.say(DM, OLGA, "tell me")
    await writer.shows("One")
    await stage.say(DM, OLGA, "stop")
    await writer.told()
    assert stage.front.texts("1") == ["Stopped. Nothing had been done yet."]


async def test_b3_a_failure_leaves_no_half_answer(stage: Stage, writer: Writer) -> None:
    await stage.say(DM, OLGA, "tell me")
    await writer.shows("One")
    writer.fails(ModelRefused("The model refused."))
    await writer.told()
    (told,) = stage.front.texts("1")
    assert told.startswith("The model refused. (E-")


async def test_b3_a_turn_that_ends_in_a_question_says_so(stage: Stage, writer: Writer) -> None:
    await stage.say(DM, OLGA, "tell me")
    await writer.shows("Let me")

    async def asks() -> str:
        turn = writer.turns[0]
        await make_promise(stage.database, stage.clock, turn.asker, "task", Call(turn.run_id, "1", turn.id))
        return ""

    writer.heard.put_nowait(asks)
    await writer.told()
    assert stage.front.texts("1") == [ASKS, "Promise #1"]


async def test_p1_what_has_grown_acknowledges_before_a_result_arrives(stage: Stage, writer: Writer) -> None:
    from conversations.delivery import Draft

    await stage.say(DM, OLGA, "tell me")
    await writer.shows("I will")

    async def promises() -> str:
        turn = writer.turns[0]
        for call, task in enumerate(("a", "b")):
            number = await make_promise(
                stage.database, stage.clock, turn.asker, task, Call(turn.run_id, f"{call}", turn.id)
            )
            await stage.owe(Draft(DM, "result", f"Done #{number}", promise_id=number))
        return "I will do it."

    seen: list[list[str]] = []
    writer.heard.put_nowait(promises)

    def look(point: str) -> None:
        seen.append(stage.front.texts("1"))

    stage.front._edge = look
    await writer.told()
    assert seen[-1] == ["I will do it.\n\nPromise #1 and #2.", "Done #1", "Done #2"]
    assert all(len(texts) == 1 or texts[0] == seen[-1][0] for texts in seen)
    answer = (await stage.rows("deliveries", kind="answer"))[0]
    assert [row.status for row in await stage.rows("deliveries", kind="ack")] == ["dropped"] * 2
    assert answer.promise_id == 1


async def test_b4_what_outgrows_a_message_has_its_other_parts_at_the_end(stage: Stage, writer: Writer) -> None:
    await stage.say(DM, OLGA, "tell me")
    await writer.writes(LONG[:9_000])
    await writer.passes(lambda: len(stage.front.texts("1")) == 1)
    await writer.settled(stage.front.texts("1")[0])
    await writer.writes(LONG[:9_900])
    await writer.passes(seconds=3)
    writer.ends(LONG)
    await writer.told()
    told = stage.front.texts("1")
    assert (len(told), " ".join(told).split()) == (3, LONG.split())
    assert count(stage, "edit") == 1  # a full message is not changed by what follows it


async def test_b4_what_has_grown_is_the_beginning_of_an_answer_with_a_file(stage: Stage, writer: Writer) -> None:
    await stage.say(DM, OLGA, "tell me")
    await writer.shows("Part 0")
    writer.ends(LONG * 4)
    await writer.told()
    told = stage.front.told("1")
    assert [line.file for line in told] == [None, "answer.md"]
    assert "the full text is in the file" in told[0].text


async def test_b3_a_flood_wait_postpones_the_next_part_and_is_waited_out_once_by_the_end(
    stage: Stage, writer: Writer
) -> None:
    await stage.say(DM, OLGA, "tell me")
    await writer.shows("One")
    stage.front.refuse("edit", FloodWait(30))
    await writer.writes("One two")
    await writer.passes(lambda: count(stage, "edit") == 1)
    refused = stage.clock.boot()
    await writer.writes("One two three")
    await writer.passes(seconds=20)
    assert (count(stage, "edit"), stage.outbox.pace.gap(DM)) == (1, 2)
    writer.ends("One two three four.")
    await writer.told()
    assert (stage.front.texts("1"), count(stage, "edit")) == (["One two three four."], 2)
    assert 30 <= writer.changed[-1] - refused < 40


@pytest.mark.parametrize("call", ["send", "edit"])
async def test_b3_what_cannot_be_told_in_the_one_message_is_told_in_another(
    stage: Stage, writer: Writer, call: str
) -> None:
    """Somebody deleted it, for example."""
    asked = await stage.say(DM, OLGA, "tell me")
    if call == "edit":
        await writer.shows("One")
    stage.front.refuse(call, Undeliverable("The message is gone."))
    await writer.writes("One two")
    async with asyncio.timeout(10):
        while [row.status for row in await stage.rows("deliveries")] != ["dead"]:
            await writer.passes(seconds=1)
    writer.ends("One two three.")
    await writer.told()
    assert stage.front.texts("1")[-1] == "One two three."
    assert [(row.part, row.status) for row in await stage.rows("deliveries")] == [(0, "dropped"), (1, "sent")]
    assert stage.front.line(DM, asked.id).reaction == "👍"


async def test_b3_an_end_that_cannot_be_written_to_its_message_is_another_one(stage: Stage, writer: Writer) -> None:
    await stage.say(DM, OLGA, "tell me")
    await writer.shows("One")
    stage.front.refuse("edit", Undeliverable("The message is gone."))
    writer.ends("One two.")
    await writer.told()
    assert stage.front.texts("1") == ["One", "One two."]
    assert [(row.status, row.message_id) for row in await stage.rows("deliveries")] == [("sent", 3)]


async def test_b3_a_bot_grows_its_message_too(stage: Stage, writer: Writer) -> None:
    stage.front.keeps_keys = False
    await stage.say(DM, OLGA, "tell me")
    await writer.shows("One")
    await writer.shows("One two")
    writer.ends("One two three.")
    await writer.told()
    assert (stage.front.texts("1"), count(stage, "send")) == (["One two three."], 1)
    (row,) = await stage.rows("deliveries")
    assert (row.status, row.sends) == ("sent", 1)


async def test_b3_what_a_bot_may_have_sent_twice_stays_marked_when_it_grows(stage: Stage, writer: Writer) -> None:
    stage.front.keeps_keys = False
    stage.front.lose_answers("send")
    await stage.say(DM, OLGA, "tell me")
    await writer.writes("One")
    await writer.passes(lambda: len(stage.front.texts("1")) == 2)
    writer.ends("One two.")
    await writer.told()
    assert stage.front.texts("1") == ["One", f"{REPEAT}One two."]


async def test_b3_a_database_out_of_order_costs_only_the_growing(stage: Stage, writer: Writer) -> None:
    await stage.say(DM, OLGA, "tell me")
    await writer.writes("One")
    with locked(stage.folder):
        await writer.passes(seconds=3)
        growing = [task for task in asyncio.all_tasks() if task.get_name().startswith("growth")]
        await asyncio.gather(*growing)
    writer.ends("One two.")
    await writer.told()
    assert stage.front.texts("1") == ["One two."]
