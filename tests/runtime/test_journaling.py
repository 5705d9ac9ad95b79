"""P9: what a replay gives back, what it never repeats, and what it does when the question is another one."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
from pydantic_ai import BinaryContent, ModelRetry, RunContext, ToolReturn
from pydantic_ai.messages import BinaryImage
from pydantic_ai.toolsets import FunctionToolset
from sqlalchemy import insert, update

from core.errors import Cancelled
from core.protocols import Call as EffectCall
from core.schema import llm_calls, promises, runs, steps, turns
from runtime import steer_store
from runtime.deps import Deps
from runtime.manifest import Tools
from runtime.steer_store import Said
from tests.runtime.stage import Stage
from tests.world.anthropic import Asked, Call, Hang, Reply, Say

EVERY_BYTE = bytes(range(256))
PAGE = b"%PDF-1.4" + EVERY_BYTE
PICTURE = BinaryImage(EVERY_BYTE, media_type="image/png")


def two_tools(asked: Asked) -> Reply:
    """Two tools, one after the other, then an answer."""
    done = [result.tool for result in asked.all_results]
    if not done:
        return Call("note", {"text": "a"}, id="t1")
    return Call("change", {"path": "x"}, id="t2") if len(done) == 1 else Say("Done.")


def offering(*tools: Any) -> tuple[Tools, ...]:
    return (Tools(lambda: FunctionToolset(list(tools))),)


async def change(stage: Stage, statement: Any) -> None:
    await stage.database.write("test", lambda connection: connection.execute(statement))


async def forget(stage: Stage, *keys: str) -> None:
    await change(stage, steps.delete().where(steps.c.key.in_(keys)))


# -- what is asked


async def test_p9_a_run_goes_on_as_it_was_asked(stage: Stage) -> None:
    """What is known of a chat may have changed since: the answers on disk are to the question as it was."""
    stage.model.script(two_tools)
    await stage.runner().run(stage.manifest(), "go, said at nine", stage.deps())
    await forget(stage, "model:3")
    await stage.runner().run(stage.manifest(), "go, said at ten", stage.deps())
    assert [call.asked.question for call in stage.model.calls] == ["go, said at nine"] * 4
    assert stage.bench.ran == ["note a", "change x"]
    (run,) = await stage.rows(runs)
    assert run["prompt"] == "go, said at nine"


async def test_p9_a_prompt_with_files_is_kept_too(stage: Stage) -> None:
    stage.model.script(lambda asked: Say("A picture."))
    await stage.runner().run(stage.manifest(), ["look:", PICTURE], stage.deps())
    await forget(stage, "model:1")
    await stage.runner().run(stage.manifest(), ["something else:", PICTURE], stage.deps())
    first, again = (call.asked.messages[0]["content"] for call in stage.model.calls)
    assert first == again
    assert again[1]["source"]["data"] == PICTURE.base64


# -- divergence


async def test_p9_what_does_not_change_the_question_is_no_divergence(stage: Stage) -> None:
    stage.model.script(two_tools)
    await stage.runner().run(stage.manifest(), "go", stage.deps())
    other = stage.manifest(instructions="Now it is another day, and the product says other things.")
    await stage.runner().run(other, "go", stage.deps())
    assert (len(stage.model.calls), stage.bench.ran) == (3, ["note a", "change x"])
    assert all(row["set_aside_at"] is None for row in await stage.rows(steps))


async def diverge(stage: Stage) -> None:
    """As if the first tool's result were told in other words by a newer version."""
    await change(stage, update(steps).where(steps.c.key == "t1").values(response="noted in other words"))


async def test_p9_an_answer_is_never_paired_with_another_question(stage: Stage) -> None:
    stage.model.script(two_tools)
    first = await stage.runner().run(stage.manifest(), "go", stage.deps())
    await diverge(stage)
    stage.model.script(lambda asked: Say("Looked: it is done.") if "were made" in asked.prompt else None)
    result = await stage.runner().run(stage.manifest(), "go", stage.deps())
    assert result.text == "Looked: it is done."
    assert stage.bench.ran == ["note a", "change x"]
    told = stage.model.calls[-1].asked
    assert [found.text for found in told.all_results] == ["noted in other words"]
    assert '- change {"path": "x"}: changed' in told.prompt
    assert result.evidence == first.evidence
    rows = {row["key"]: row for row in await stage.rows(steps)}
    assert list(rows) == ["model:1", "t1", "model:2~1", "t2~1", "model:3~1", "steer:restart:1", "model:2"]
    assert [key for key, row in rows.items() if row["set_aside_at"]] == ["model:2~1", "t2~1", "model:3~1"]


async def test_p9_what_diverged_once_is_replayed_like_any_other(stage: Stage) -> None:
    stage.model.script(two_tools)
    await stage.runner().run(stage.manifest(), "go", stage.deps())
    await diverge(stage)
    stage.model.script(
        lambda asked: two_tools(asked) if len(asked.all_results) != 1 else Call("note", {"text": "b"}, id="t2")
    )
    stage.model.answer(Hang(), when=lambda asked: len(asked.all_results) == 2)
    running = asyncio.create_task(stage.runner().run(stage.manifest(), "go", stage.deps()))
    await stage.model.until(lambda: len(stage.model.calls) == 5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    result = await stage.runner().run(stage.manifest(), "go", stage.deps())
    assert (result.text, stage.bench.ran) == ("Done.", ["note a", "change x", "note b"])
    assert len(stage.model.calls) == 6
    assert "were made" in stage.model.calls[-1].asked.body["messages"][2]["content"][1]["text"]


async def test_p9_a_course_that_did_nothing_is_left_without_a_word(stage: Stage) -> None:
    stage.model.answer(Call("note", {"text": "a"}, id="t1"), Say("Done."), Say("Done in other words."))
    await stage.runner().run(stage.manifest(), "go", stage.deps())
    await diverge(stage)
    result = await stage.runner().run(stage.manifest(), "go", stage.deps())
    assert (result.text, stage.bench.ran) == ("Done in other words.", ["note a"])
    assert [row["key"] for row in await stage.rows(steps)] == ["model:1", "t1", "model:2~1", "model:2"]


async def test_p9_steps_of_an_older_version_are_replayed_unasked(stage: Stage) -> None:
    stage.model.script(two_tools)
    await stage.runner().run(stage.manifest(), "go", stage.deps())
    await change(stage, update(steps).values(digest=None))
    await change(stage, update(runs).values(prompt=None))
    await stage.runner().run(stage.manifest(), "go", stage.deps())
    assert len(stage.model.calls) == 3


# -- what tools give


async def show(ctx: RunContext[Deps]) -> list[Any]:
    """Show a picture."""
    return ["the picture:", PICTURE]


async def scan(ctx: RunContext[Deps]) -> ToolReturn:
    """Scan a page."""
    page = BinaryContent(PAGE, media_type="application/pdf")
    seen = {"kind": "source", "url": "https://a.b"}
    return ToolReturn("scanned", content=["page 1:", page], metadata=[seen])


@pytest.mark.parametrize("tool", [show, scan])
async def test_p9_files_reach_the_model_in_a_replay_as_they_did_at_first(stage: Stage, tool: Any) -> None:
    manifest = stage.manifest(toolsets=offering(tool))
    stage.model.script(lambda asked: Say("Seen.") if asked.all_results else Call(tool.__name__, id="t1"))
    first = await stage.runner().run(manifest, "go", stage.deps())
    await forget(stage, "model:2")
    again = await stage.runner().run(manifest, "go", stage.deps())
    live, replayed = (call.asked.messages for call in stage.model.calls[1:])
    assert live == replayed
    sent = PICTURE.base64 if tool is show else base64.b64encode(PAGE).decode()
    assert sent in json.dumps(replayed)
    assert again.evidence == first.evidence
    assert all(row["set_aside_at"] is None for row in await stage.rows(steps))


async def test_p9_a_tool_that_wants_another_try_is_replayed_as_it_failed(stage: Stage) -> None:
    ran: list[int] = []

    async def pick(ctx: RunContext[Deps], number: int) -> str:
        """Pick a number."""
        ran.append(number)
        if number < 0:
            raise ModelRetry("Only numbers above zero.")
        return "picked"

    manifest = stage.manifest(toolsets=offering(pick))
    replies = {0: Call("pick", {"number": -1}, id="t1"), 1: Call("pick", {"number": 1}, id="t2"), 2: Say("Done.")}
    stage.model.script(lambda asked: replies[len(asked.all_results)])
    await stage.runner().run(manifest, "go", stage.deps())
    await forget(stage, "model:3")
    await stage.runner().run(manifest, "go", stage.deps())
    assert (ran, len(stage.model.calls)) == ([-1, 1], 4)
    assert stage.model.calls[2].asked.messages == stage.model.calls[3].asked.messages
    assert {row["key"]: row["status"] for row in await stage.rows(steps) if row["kind"] == "tool"} == {
        "t1": "failed",
        "t2": "done",
    }


# -- effects in our database


async def test_p9_an_effect_in_the_database_and_its_step_are_one_transaction(stage: Stage) -> None:
    """A process that ends right after the commit has both; one that ends before has neither."""
    ended = RuntimeError("killed")

    async def save(ctx: RunContext[Deps]) -> str:
        """Save a promise."""
        call: EffectCall = ctx.deps.call(ctx.tool_call_id or "", lambda view: f"saved #{view.id}")
        view = await stage.promises.make_within(stage.database, call)
        raise ended if view.id == 1 else AssertionError

    manifest = stage.manifest(toolsets=offering(save))
    stage.model.script(lambda asked: Say("Saved.") if asked.all_results else Call("save", id="t1"))
    with pytest.raises(RuntimeError):
        await stage.runner().run(manifest, "go", stage.deps())
    assert [(row["key"], row["status"]) for row in await stage.rows(steps)] == [("model:1", "done"), ("t1", "done")]
    result = await stage.runner().run(manifest, "go", stage.deps())
    assert (result.text, len(stage.promises.made)) == ("Saved.", 1)
    assert stage.model.calls[-1].asked.all_results[0].text == "saved #1"


async def test_p9_an_id_that_a_server_gives_again_makes_another_effect(stage: Stage) -> None:
    async def save(ctx: RunContext[Deps]) -> str:
        """Save."""
        return ctx.deps.call(ctx.tool_call_id or "").tool_call_id

    manifest = stage.manifest(toolsets=offering(save))
    stage.model.script(lambda asked: Say("Done.") if len(asked.all_results) > 1 else Call("save", id="t"))
    await stage.runner().run(manifest, "go", stage.deps())
    assert [found.text for found in stage.model.calls[-1].asked.all_results] == ["t", "t@2"]


# -- late


@pytest.mark.parametrize("kind", ["turn", "promise"])
async def test_p9_a_model_that_answers_after_the_lease_ran_out_is_refused(stage: Stage, kind: str) -> None:
    """Another process has the work: nothing of this one is written any more."""
    table = {"turn": turns, "promise": promises}[kind]
    await change(stage, insert(table).values(row_of(stage, kind)))
    release = asyncio.Event()
    stage.model.answer(Hang(release, then=Call("note", {"text": "a"}, id="t1")))
    owner = {"turn_id": 7} if kind == "turn" else {"promise_id": 7}
    running = asyncio.create_task(stage.runner().run(stage.manifest(), "go", stage.deps(epoch=1, **owner)))
    await stage.model.until(lambda: len(stage.model.calls) == 1)
    await change(stage, update(table).values(epoch=2))
    release.set()
    with pytest.raises(Cancelled):
        await running
    assert (await stage.rows(steps), stage.bench.ran) == ([], [])
    (run,) = await stage.rows(runs)
    assert (run["status"], run["ended_at"]) == ("running", None)  # that other process goes on with it
    assert [row["outcome"] for row in await stage.rows(llm_calls)] == ["ok"]  # it was paid all the same


async def test_p9_a_tool_that_ends_after_the_lease_ran_out_is_refused(stage: Stage) -> None:
    await change(stage, insert(turns).values(row_of(stage, "turn")))

    async def slow(ctx: RunContext[Deps]) -> str:
        """Be slow."""
        await change(stage, update(turns).values(epoch=2))
        return "done"

    stage.model.answer(Call("slow", id="t1"))
    manifest = stage.manifest(toolsets=offering(slow))
    with pytest.raises(Cancelled):
        await stage.runner().run(manifest, "go", stage.deps(turn_id=7, epoch=1))
    assert [(row["key"], row["status"]) for row in await stage.rows(steps)] == [("model:1", "done"), ("t1", "intent")]


def row_of(stage: Stage, kind: str) -> dict[str, Any]:
    now = stage.clock.now()
    shared = {"id": 7, "front": "local", "chat_id": "page", "workspace": "psy", "requester_id": 1, "role": "owner"}
    shared |= {"run_id": "run_1", "epoch": 1, "created_at": now}
    if kind == "turn":
        return {**shared, "status": "running", "reply_to": 5}
    return {**shared, "status": "in_progress", "task_description": "x", "task_type": "code", "updated_at": now}


# -- steering


async def say(stage: Stage, message_id: int, text: str) -> None:
    """Somebody writes to the turn that runs."""
    now = stage.clock.now()
    await stage.database.write(
        "test", lambda connection: steer_store.add_message(connection, "run_1", Said("page", message_id, text), now)
    )


async def test_b5_what_is_said_reaches_the_model_before_its_next_request(stage: Stage) -> None:
    stage.model.script(two_tools)
    stage.model.answer(Hang(release := asyncio.Event(), then=Call("note", {"text": "a"}, id="t1")))
    running = asyncio.create_task(stage.runner().run(stage.manifest(), "go", stage.deps(turn_id=9)))
    await stage.model.until(lambda: len(stage.model.calls) == 1)
    await say(stage, 11, "faster")
    await say(stage, 12, "and well")
    release.set()
    assert (await running).text == "Done."
    second, third = (call.asked.messages for call in stage.model.calls[1:])
    assert [block.get("text", block["type"]) for block in second[2]["content"]] == ["tool_result", "faster", "and well"]
    assert third[2] == second[2]
    assert len(third[4]["content"]) == 1
    taken = [row for row in await stage.rows(steps) if row["kind"] == "steer"]
    assert [(row["key"], row["status"], row["response"]) for row in taken] == [
        ("steer:page:11", "done", {"request": 2, "number": 0}),
        ("steer:page:12", "done", {"request": 2, "number": 1}),
    ]


async def test_b5_a_replay_is_told_the_same_at_the_same_place(stage: Stage) -> None:
    stage.model.script(two_tools)
    await say(stage, 11, "faster")
    stage.model.answer(Hang(), when=lambda asked: len(asked.all_results) == 2)
    running = asyncio.create_task(stage.runner().run(stage.manifest(), "go", stage.deps(turn_id=9)))
    await stage.model.until(lambda: len(stage.model.calls) == 3)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await say(stage, 12, "and well")
    await stage.runner().run(stage.manifest(), "go", stage.deps(turn_id=9))
    assert (len(stage.model.calls), stage.bench.ran) == (4, ["note a", "change x"])
    before, after = (call.asked.messages for call in stage.model.calls[2:])
    assert after[:-1] == before[:-1]
    assert [text_of(message) for message in after if message["role"] == "user"] == ["go faster", "", "and well"]
    await stage.runner().run(stage.manifest(), "go", stage.deps(turn_id=9))
    assert len(stage.model.calls) == 4


def text_of(message: dict[str, Any]) -> str:
    return " ".join(block["text"] for block in message["content"] if block["type"] == "text")


async def test_b5_a_turn_that_went_on_as_a_promise_is_steered_no_more(stage: Stage) -> None:
    """Whoever writes to a chat whose turn waits for consent is answered by the chat's next turn."""
    stage.model.script(lambda asked: Say("Done."))
    await say(stage, 11, "faster")
    await stage.runner().run(stage.manifest(), "go", stage.deps(promise_id=3))
    assert stage.model.calls[0].asked.messages[0]["content"][0]["text"] == "go"
    assert [row["status"] for row in await stage.rows(steps) if row["kind"] == "steer"] == ["intent"]


async def test_b5_an_old_process_takes_nothing(stage: Stage) -> None:
    await change(stage, insert(turns).values(row_of(stage, "turn")))
    stage.model.answer(Hang(release := asyncio.Event(), then=Call("note", {"text": "a"}, id="t1")))

    async def outlive(ctx: RunContext[Deps], text: str) -> str:
        """Outlive."""
        return text

    outlive.__name__ = "note"
    manifest = stage.manifest(toolsets=offering(outlive))
    running = asyncio.create_task(stage.runner().run(manifest, "go", stage.deps(turn_id=7, epoch=1)))
    await stage.model.until(lambda: len(stage.model.calls) == 1)
    await say(stage, 11, "faster")
    await change(stage, update(turns).values(epoch=2))
    release.set()
    with pytest.raises(Cancelled):
        await running
    assert [row["status"] for row in await stage.rows(steps)] == ["intent"]


async def test_b5_after_a_divergence_what_was_said_later_waits_again(stage: Stage) -> None:
    stage.model.script(two_tools)
    stage.model.answer(Call("note", {"text": "a"}, id="t1"))
    stage.model.answer(
        Hang(release := asyncio.Event(), then=Call("change", {"path": "x"}, id="t2")),
        when=lambda asked: len(asked.all_results) == 1,
    )
    running = asyncio.create_task(stage.runner().run(stage.manifest(), "go", stage.deps(turn_id=9)))
    await stage.model.until(lambda: len(stage.model.calls) == 2)
    await say(stage, 11, "faster")
    release.set()
    await running
    await diverge(stage)
    stage.model.script(lambda asked: Say("Looked."))
    await stage.runner().run(stage.manifest(), "go", stage.deps(turn_id=9))
    told = stage.model.calls[-1].asked.messages[-1]["content"]
    assert [block["type"] for block in told] == ["tool_result", "text", "text"]
    assert (told[1]["text"].startswith("Valor was restarted"), told[2]["text"]) == (True, "faster")
    count = len(stage.model.calls)
    await stage.runner().run(stage.manifest(), "go", stage.deps(turn_id=9))
    assert len(stage.model.calls) == count
