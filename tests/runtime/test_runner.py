"""One prompt to one answer, over real HTTP against the fake Messages API."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from typing import Any

import pytest
from pydantic_ai.toolsets import FunctionToolset

from core.attachment import Picture
from core.errors import Busy, Cancelled, ModelError, ModelRefused, ModelUnavailable
from core.schema import llm_calls, promises, runs, steps
from runtime.deps import Deps
from runtime.limits import RunLimits
from runtime.manifest import Tools
from runtime.runner import compose
from tests.runtime.stage import GUEST, QUICK, Stage
from tests.world.anthropic import Asked, Break, Call, Fail, Hang, Reply, Say
from tests.world.content import PNG


async def test_the_answer_is_what_the_model_says(stage: Stage) -> None:
    stage.model.answer(Say("Four."))
    result = await stage.runner().run(stage.manifest(), "2+2?", stage.deps())
    assert (result.text, result.steps, result.evidence, result.refused) == ("Four.", 1, (), ())
    assert result.usage.requests == 1
    (call,) = stage.model.calls
    assert call.asked.prompt == "2+2?"
    assert call.asked.system.startswith("Test.")
    assert "Workspace: psy." in call.asked.system
    (run,) = await stage.rows(runs)
    assert (run["id"], run["agent"], run["workspace"], run["status"]) == ("run_1", "tester", "psy", "done")


async def test_half_a_letter_from_the_model_is_replaced_and_halves_are_joined(stage: Stage) -> None:
    release, heard = asyncio.Event(), list[str]()

    async def hear(text: str) -> None:
        heard.append(text)
        release.set()

    stage.model.answer(Hang(release, Say("\ude00 and \ud83d."), said="A \ud83d"))
    result = await stage.runner().run(stage.manifest(), "go", stage.deps(), hear)
    assert (result.text, heard[0], heard[-1]) == ("A 😀 and \ufffd.", "A ", "A 😀 and \ufffd.")


async def test_what_takes_long_can_be_done_before_anyone_asks(stage: Stage) -> None:
    built: list[str] = []

    def build() -> FunctionToolset[Deps]:
        built.append("bench")
        return stage.bench.build()

    manifest = stage.manifest(toolsets=(Tools(build),))
    runner = stage.runner()
    await asyncio.to_thread(runner.prepare, manifest)
    assert built == ["bench"]
    await runner.run(manifest, "go", stage.deps())
    assert (built, len(stage.model.calls)) == (["bench"], 1)


async def test_b11_pictures_are_shown_to_the_model_once(stage: Stage) -> None:
    prompt = compose("What is this?", [Picture("image/png", PNG)])
    for _ in range(2):
        stage.model.answer(Say("A dot."))
        assert (await stage.runner().run(stage.manifest(), prompt, stage.deps())).text == "A dot."
    (call,) = stage.model.calls  # the second run is the first, begun again
    text, picture = call.asked.messages[0]["content"]
    assert (text["text"], picture["type"], picture["source"]["media_type"]) == ("What is this?", "image", "image/png")
    assert base64.b64decode(picture["source"]["data"]) == PNG
    (row,) = await stage.rows(llm_calls)
    assert row["prompt_chars"] == len("What is this?")


async def test_tools_are_called_and_leave_evidence(stage: Stage) -> None:
    stage.model.answer(
        (Say("Let me see."), Call("note", {"text": "a"}), Call("change", {"path": "x.py"})), Say("Done.")
    )
    result = await stage.runner().run(stage.manifest(), "go", stage.deps())
    assert result.text == "Done."
    assert sorted(stage.bench.ran) == ["change x.py", "note a"]
    assert result.evidence == ({"kind": "file", "path": "x.py", "before": None, "after": "abc"},)
    assert (result.usage.tool_calls, result.steps) == (2, 4)
    assert sorted(stage.lines.finished_tools) == ["change", "note"]
    assert [found.text for found in stage.model.calls[1].asked.results] == ["noted a", "changed"]


async def test_b3_the_text_is_heard_as_it_grows(stage: Stage) -> None:
    release, heard = asyncio.Event(), asyncio.Event()
    texts: list[str] = []

    async def on_text(text: str) -> None:
        texts.append(text)
        heard.set()

    stage.model.answer(Hang(release, Say(" and that."), said="This"))
    running = asyncio.create_task(stage.runner().run(stage.manifest(), "go", stage.deps(), on_text))
    async with asyncio.timeout(5):
        await heard.wait()
    assert texts == ["This"]
    release.set()
    assert (await running).text == texts[-1] == "This and that."


async def test_p10_a_refused_tool_is_told_to_the_model_and_counted(stage: Stage) -> None:
    stage.model.answer(Call("refuse"), Call("miss"), Say("I could not."))
    result = await stage.runner().run(stage.manifest(), "go", stage.deps())
    assert result.refused == ("refuse",)
    last = stage.model.calls[-1].asked.results
    assert [(found.text, found.is_error) for found in last] == [
        ("That lies outside the workspace.", True),
        ("There is no such file.", True),
    ]
    assert [row["status"] for row in await stage.rows(steps) if row["kind"] == "tool"] == ["refused", "failed"]


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (Call("no_such_tool"), "Unknown tool name"),
        (Call("note", '{"text": '), "JSON"),
        (Call("note", {"wrong": 1}), "Field required"),
        (Call("note", {"text": "\ud83d"}), "hex escape"),
    ],
)
async def test_a_wrong_call_is_explained_to_the_model(stage: Stage, bad: Reply, told: str) -> None:
    stage.model.answer(bad, Say("Sorry, here it is."))
    result = await stage.runner().run(stage.manifest(), "go", stage.deps())
    assert result.text == "Sorry, here it is."
    assert told in str(stage.model.calls[1].asked.messages[-1])


@pytest.mark.parametrize("bad", [Call("no_such_tool"), Call("note", "[1"), Say("")])
async def test_b12_a_model_that_never_learns_ends_in_one_sentence(stage: Stage, bad: Reply) -> None:
    stage.model.script(lambda asked: bad)
    with pytest.raises(ModelError, match=r"^The model gave no usable answer.*\.$"):
        await stage.runner().run(stage.manifest(), "go", stage.deps())
    assert len(stage.model.calls) <= 4
    assert [run["status"] for run in await stage.rows(runs)] == ["failed"]


async def test_a_blank_answer_is_a_failure(stage: Stage) -> None:
    stage.model.script(lambda asked: Say(" \n "))
    with pytest.raises(ModelError, match=r"empty|no usable"):
        await stage.runner().run(stage.manifest(), "go", stage.deps())


async def test_an_answer_that_is_cut_says_so(stage: Stage) -> None:
    stage.model.answer(Say("Once upon", stop="max_tokens"))
    result = await stage.runner().run(stage.manifest(), "go", stage.deps())
    assert result.text == "Once upon\n\n[Here the model reached the limit of its output.]"


def one_more(asked: Asked) -> Reply:
    return Call("note", {"text": str(len(asked.results))})


async def test_fifty_tool_calls_are_enough(stage: Stage) -> None:
    stage.model.script(one_more)
    with pytest.raises(ModelError, match="I stopped after 50 tool calls"):
        await stage.runner().run(stage.manifest(), "go", stage.deps())
    assert len(stage.bench.ran) == 50


async def test_a_promise_may_make_more_tool_calls(stage: Stage) -> None:
    stage.model.script(lambda asked: one_more(asked) if len(asked.results) < 60 else Say("Done."))
    result = await stage.runner().run(stage.manifest(), "go", stage.deps(promise_id=7))
    assert (result.text, result.usage.tool_calls) == ("Done.", 60)


PASSING = [
    (Fail(429), "takes no more requests"),
    (Fail(529), "overloaded"),
    (Fail(500), "failed"),
    (Fail(503), "not available"),
    (Break(), "connection"),
    (Break(after_chars=5), "connection"),
    (Break(after_chars=5, clean=True), "broke off"),
    (Fail(529, said="Half a"), "overloaded"),
]


@pytest.mark.parametrize(("failure", "told"), PASSING)
async def test_p6_what_can_pass_is_tried_again(stage: Stage, failure: Reply, told: str) -> None:
    stage.model.answer(failure, failure, Say("There."))
    result = await stage.runner().run(stage.manifest(), "go", stage.deps())
    assert result.text == "There."
    assert len(stage.model.calls) == 3
    outcomes = [row["outcome"] for row in await stage.rows(llm_calls)]
    assert outcomes == ["error", "error", "ok"]


@pytest.mark.parametrize(("failure", "told"), PASSING)
async def test_p6_and_given_up_as_passing(stage: Stage, failure: Reply, told: str) -> None:
    stage.model.script(lambda asked: failure)
    with pytest.raises(ModelUnavailable, match=told):
        await stage.runner().run(stage.manifest(), "go", stage.deps())
    assert len(stage.model.calls) == QUICK.attempts


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (Fail(401, message="invalid x-api-key"), "refuses our key"),
        (Fail(403), "refuses our key"),
        (Fail(400, message="Your credit balance is too low to access the API"), "used up"),
        (Fail(402), "used up"),
        (Fail(404, message="model: x"), "no model claude-sonnet-5-5"),
        (Fail(400, message="prompt is too long: 300000 tokens"), "too long"),
        (Fail(400, message="tools.0: bad"), r"invalid \(tools.0: bad\)"),
        (Fail(413, type="request_too_large"), "error"),
    ],
)
async def test_p6_what_cannot_pass_is_not_tried_again(stage: Stage, failure: Reply, told: str) -> None:
    stage.model.script(lambda asked: failure)
    with pytest.raises(ModelRefused, match=told):
        await stage.runner().run(stage.manifest(), "go", stage.deps())
    assert len(stage.model.calls) == 1


async def test_p6_the_patience_that_is_asked_for_is_kept_or_handed_on(stage: Stage) -> None:
    stage.model.answer(Fail(429, retry_after=0.01), Say("There."), Fail(429, retry_after=60))
    limits = replace(QUICK, first_wait=600, most_wait=1)
    assert (await stage.runner(limits).run(stage.manifest(), "go", stage.deps())).text == "There."
    with pytest.raises(ModelUnavailable) as caught:
        await stage.runner(limits).run(stage.manifest(), "go", stage.deps(run_id="run_2"))
    assert caught.value.retry_after == 60
    assert len(stage.model.calls) == 3


@pytest.mark.parametrize("said", ["", "Well"])
async def test_silence_of_the_model_is_an_error(stage: Stage, said: str) -> None:
    stage.model.script(lambda asked: Hang(said=said))
    limits = RunLimits(silence=0.05, attempts=2, first_wait=0.001)
    with pytest.raises(ModelUnavailable, match=r"said nothing for 0\.05 seconds"):
        await stage.runner(limits).run(stage.manifest(), "go", stage.deps())
    await stage.model.until(lambda: all(call.dropped for call in stage.model.calls))
    assert [row["error_type"] for row in await stage.rows(llm_calls)] == ["silence", "silence"]


async def test_b6_cancelling_closes_the_connection_at_once(stage: Stage) -> None:
    stage.model.script(lambda asked: Hang(said="Well"))
    running = asyncio.create_task(stage.runner().run(stage.manifest(), "go", stage.deps()))
    await stage.model.until(lambda: bool(stage.model.calls))
    running.cancel()
    async with asyncio.timeout(1):
        with pytest.raises(asyncio.CancelledError):
            await running
        await stage.model.until(lambda: stage.model.calls[0].dropped)
    assert [row["outcome"] for row in await stage.rows(llm_calls)] == ["cancelled"]
    assert [row["status"] for row in await stage.rows(runs)] == ["stopped"]


class JoinedError(Exception):
    """A message joined."""


async def test_b5_the_gate_is_asked_before_the_first_tool(stage: Stage) -> None:
    async def shut() -> None:
        raise JoinedError

    stage.model.answer(Call("note", {"text": "a"}))
    with pytest.raises(JoinedError):
        await stage.runner().run(stage.manifest(), "go", stage.deps(gate=shut))
    assert stage.bench.ran == []
    assert [row["outcome"] for row in await stage.rows(llm_calls)] == ["ok"]


async def test_a9_a_right_that_is_missing_takes_the_tools_away(stage: Stage) -> None:
    from core.access import Action

    manifest = stage.manifest(toolsets=(Tools(stage.bench.build, needs=Action.CODE),))
    stage.model.answer(Call("note", {"text": "a"}), Say("I may not."), Say("I may."))
    guest = await stage.runner().run(manifest, "go", stage.deps(asker=GUEST))
    assert (guest.text, stage.bench.ran, stage.model.calls[0].asked.tools) == ("I may not.", [], ())
    assert "a guest has no right to them" in stage.model.calls[0].asked.system
    await stage.runner().run(manifest, "go", stage.deps(run_id="run_2"))
    assert "note" in stage.model.calls[-1].asked.tools


async def test_w4_without_a_fence_its_tools_are_off_and_the_model_knows(stage: Stage) -> None:
    manifest = stage.manifest(toolsets=(Tools(stage.bench.build, in_fence=True),))
    await stage.runner().run(manifest, "go", stage.deps())
    (call,) = stage.model.calls
    assert call.asked.tools == ()
    assert "this server has no fence" in call.asked.system


async def test_p8_a_turn_is_told_who_writes_and_a_promise_waits(stage: Stage) -> None:
    stage.model.script(lambda asked: Say("Later.") if asked.results else Call("wait_for_other"))
    turn = await stage.runner().run(stage.manifest(), "go", stage.deps())
    assert turn.text == "Later."
    assert "Turn 3 holds the directory" in stage.model.calls[1].asked.results[0].text
    with pytest.raises(Busy, match="since 10:00"):
        await stage.runner().run(stage.manifest(), "go", stage.deps(run_id="run_2", promise_id=4))
    assert [row["key"] for row in await stage.rows(steps) if row["run_id"] == "run_2"] == ["model:1"]


async def test_a_run_of_an_older_epoch_is_fenced_out(stage: Stage) -> None:
    now = stage.clock.now()
    row: dict[str, Any] = {"id": 4, "chat_id": "page", "task_description": "x", "task_type": "code", "front": "local"}
    row |= {"status": "in_progress", "created_at": now, "updated_at": now, "workspace": "psy", "requester_id": 1}
    row |= {"role": "owner", "run_id": "run_1", "epoch": 2}
    await stage.database.write("x", lambda connection: connection.execute(promises.insert().values(**row)))
    with pytest.raises(Cancelled):
        await stage.runner().run(stage.manifest(), "go", stage.deps(promise_id=4, epoch=1))
    assert stage.model.calls == []

    async def lose() -> None:
        await stage.database.write("x", lambda connection: connection.execute(promises.update().values(epoch=3)))

    stage.model.answer(Call("note", {"text": "a"}))
    with pytest.raises(Cancelled):
        await stage.runner().run(stage.manifest(), "go", stage.deps(promise_id=4, epoch=2, gate=lose))
    assert stage.bench.ran == []


async def test_the_instructions_say_where_and_for_whom(stage: Stage) -> None:
    place = replace(stage.deps().workspace, description="Minds\nand more", persona="Be kind.")
    await stage.runner().run(stage.manifest(), "go", stage.deps(workspace=place, promise_id=9))
    system = stage.model.calls[0].asked.system
    for line in ("Workspace: psy. Minds and more", "Asked by Olga (owner)", "Be kind.", "You are keeping promise #9."):
        assert line in system


async def test_a_workspace_has_a_model_of_its_own(stage: Stage) -> None:
    place = replace(stage.deps().workspace, model="anthropic:claude-haiku-5-5")
    await stage.runner().run(stage.manifest(), "go", stage.deps(workspace=place))
    assert stage.model.calls[0].asked.body["model"] == "claude-haiku-5-5"
