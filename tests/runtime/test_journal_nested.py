"""P9: agents within a tool call keep their own steps below it, and go on from them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic_ai import RunContext
from pydantic_ai.toolsets import FunctionToolset
from sqlalchemy import insert, update

from core.errors import ConsentNeeded, ModelRefused
from core.schema import consents, runs, steps
from core.workspaces import Workspace
from runtime.deps import INTERRUPTED, Deps
from runtime.manifest import AgentManifest, Tools
from runtime.runner import AgentRunner
from tests.runtime.stage import QUICK, Stage
from tests.world.anthropic import Asked, Call, Fail, Hang, Reply, Say


class House:
    """An agent whose tools have other agents work: one, or two side by side."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.runner: AgentRunner = stage.runner()
        self.helper = stage.manifest(name="helper", title="Helper")
        self.prompts = ["left", "right"]
        self.repeatable = frozenset({"ask_one", "ask_both"})
        stage.model.script(self.reply)

    @property
    def manifest(self) -> AgentManifest:
        tools = Tools(lambda: FunctionToolset([self.ask_one, self.ask_both]))
        return self.stage.manifest(toolsets=(tools,), repeatable=self.repeatable)

    async def ask_one(self, ctx: RunContext[Deps]) -> str:
        """Have one helper work."""
        return (await self.runner.run(self.helper, "left", ctx.deps)).text

    async def ask_both(self, ctx: RunContext[Deps]) -> str:
        """Have two helpers work side by side."""
        both = await asyncio.gather(*(self.runner.run(self.helper, prompt, ctx.deps) for prompt in self.prompts))
        return " and ".join(one.text for one in both)

    def reply(self, asked: Asked) -> Reply:
        if asked.tools == ("ask_one", "ask_both"):
            return Say("All done.") if asked.all_results else Call("ask_both", id="out")
        side = asked.question
        # As some local servers do, the helpers' ids begin anew in each conversation.
        return Say(f"{side} is done") if asked.all_results else Call("change", {"path": side}, id="in")

    async def run(self, **more: Any) -> Any:
        return await self.runner.run(self.manifest, "go", self.stage.deps(**more))

    async def rows(self) -> dict[str, dict[str, Any]]:
        return {row["key"]: row for row in await self.stage.rows(steps)}


@pytest.fixture
def house(stage: Stage) -> House:
    return House(stage)


async def change(stage: Stage, statement: Any) -> None:
    await stage.database.write("test", lambda connection: connection.execute(statement))


async def reopen(stage: Stage, *keys: str) -> None:
    """As if the process had died while these were under way, and had nothing after them."""
    undone = update(steps).where(steps.c.key.in_(keys)).values(status="intent", response=None, ended_at=None)
    await change(stage, undone)
    stage.bench.ran.clear()
    stage.model.calls.clear()


async def test_p9_agents_in_a_tool_keep_their_own_steps_below_it(house: House) -> None:
    result = await house.run()
    assert (result.text, sorted(house.stage.bench.ran)) == ("All done.", ["change left", "change right"])
    rows = await house.rows()
    children: dict[str | None, set[str]] = {}
    for key, row in rows.items():
        children.setdefault(row["parent"], set()).add(f"{row['kind']} {key}")
    assert children == {
        None: {"model model:1", "tool out", "model model:2"},
        "out": {"agent out/helper.1", "agent out/helper.2"},
        **{
            f"out/helper.{n}": {
                f"model out/helper.{n}/model:1",
                f"tool out/helper.{n}/in",
                f"model out/helper.{n}/model:2",
            }
            for n in (1, 2)
        },
    }
    assert {(row["name"], row["status"], row["request"]) for row in rows.values() if row["kind"] == "agent"} == {
        ("helper", "done", "left"),
        ("helper", "done", "right"),
    }
    assert [item["path"] for item in result.evidence] in (["left", "right"], ["right", "left"])
    assert len(await house.stage.rows(runs)) == 1


async def test_p9_a_finished_call_is_replayed_with_the_evidence_of_its_agents(house: House) -> None:
    first = await house.run()
    house.stage.model.calls.clear()
    again = await house.run()
    assert (again.text, house.stage.model.calls) == (first.text, [])
    assert sorted(item["path"] for item in again.evidence) == ["left", "right"]


async def test_p9_agents_in_an_interrupted_tool_go_on_as_far_as_they_got(house: House) -> None:
    """The left one had its answer, the right one had only asked."""
    await house.run()
    right = next(key for key, row in (await house.rows()).items() if row["request"] == "right")
    await change(house.stage, steps.delete().where(steps.c.key.in_((f"{right}/in", f"{right}/model:2", "model:2"))))
    await reopen(house.stage, "out", "out/helper.1", "out/helper.2")
    house.prompts.reverse()  # which of the two comes first is chance
    result = await house.run()
    assert (result.text, house.stage.bench.ran) == ("All done.", ["change right"])
    assert [call.asked.question for call in house.stage.model.calls] == ["right", "go"]
    assert house.stage.model.calls[-1].asked.all_results[0].text == "right is done and left is done"
    assert {row["status"] for row in (await house.rows()).values()} == {"done"}


async def test_p9_a_call_that_is_not_to_be_repeated_is_interrupted_with_all_that_it_ran(house: House) -> None:
    """Nobody but the tool's author knows whether what it does besides may be done again."""
    await house.run()
    await change(house.stage, steps.delete().where(steps.c.key == "model:2"))
    await reopen(house.stage, "out", "out/helper.1")
    house.repeatable = frozenset()
    result = await house.run()
    assert house.stage.model.calls[0].asked.all_results[0].text == INTERRUPTED
    assert [item["kind"] for item in result.evidence] == ["file", "file", "interrupted"]


async def test_p9_a_tool_of_an_agent_in_a_tool_is_told_as_interrupted(house: House) -> None:
    await house.run()
    await change(house.stage, steps.delete().where(steps.c.key.in_(("out/helper.1/model:2", "model:2"))))
    await reopen(house.stage, "out", "out/helper.1", "out/helper.1/in")
    await house.run()
    assert house.stage.bench.ran == []
    assert house.stage.model.calls[0].asked.all_results[0].text == INTERRUPTED


async def test_p9_an_agent_that_is_asked_something_else_knows_what_it_had_done(house: House) -> None:
    await house.run()
    await change(house.stage, steps.delete().where(steps.c.key == "model:2"))
    await reopen(house.stage, "out", "out/helper.1", "out/helper.2")
    house.prompts = ["left", "straight on"]
    seen: list[str] = []

    def look(asked: Asked) -> Reply | None:
        if "were made" not in asked.said:
            return None
        seen.append(asked.prompt)
        return Say("Right was done already.")

    house.stage.model.script(look)
    await house.run()
    assert house.stage.bench.ran == []
    assert len(seen) == 1
    assert '- change {"path": "right"}: changed' in seen[0]
    aside = {key for key, row in (await house.rows()).items() if row["set_aside_at"]}
    assert {key.partition("/")[2].partition("/")[2] for key in aside} == {"model:1~1", "in~1", "model:2~1"}
    house.stage.model.calls.clear()
    await change(house.stage, steps.delete().where(steps.c.key == "model:2"))
    await reopen(house.stage, "out", "out/helper.1", "out/helper.2")
    await house.run()
    assert len(house.stage.model.calls) == 1


async def test_p9_one_after_the_other_they_are_two(house: House) -> None:
    async def ask_twice(ctx: RunContext[Deps]) -> str:
        """Have the same asked twice."""
        texts = [(await house.runner.run(house.helper, "left", ctx.deps)).text for _ in range(2)]
        return " ".join(texts)

    tools = Tools(lambda: FunctionToolset([ask_twice]))
    manifest = house.stage.manifest(toolsets=(tools,))
    house.stage.model.answer(Call("ask_twice", id="out"))
    result = await house.runner.run(manifest, "go", house.stage.deps())
    assert house.stage.bench.ran == ["change left", "change left"]
    assert [key for key, row in (await house.rows()).items() if row["kind"] == "agent"] == [
        "out/helper.1",
        "out/helper.2",
    ]
    assert result.steps == 9


async def test_p9_an_agent_whose_model_fails_goes_on_with_the_next_try(house: House) -> None:
    house.repeatable = frozenset()  # the call leaves no intent: nothing of its own is under way
    house.stage.model.answer(Call("ask_one", id="out"))
    house.stage.model.answer(Fail(400), when=lambda asked: asked.question == "left" and bool(asked.all_results))
    with pytest.raises(ModelRefused):
        await house.run(promise_id=3)
    assert {key: row["status"] for key, row in (await house.rows()).items() if row["kind"] == "agent"} == {
        "out/helper.1": "failed"
    }
    result = await house.run(promise_id=3)
    assert (result.text, house.stage.bench.ran) == ("All done.", ["change left"])
    assert {row["status"] for row in (await house.rows()).values()} == {"done"}


async def test_p11_an_agent_in_a_tool_waits_for_consent_and_goes_on(house: House) -> None:
    place = Workspace("psy", house.stage.folder, consent=frozenset({"change"}))
    house.prompts, house.repeatable = ["left"], frozenset()
    with pytest.raises(ConsentNeeded) as raised:
        await house.run(workspace=place, promise_id=3)
    wanted = raised.value
    assert (wanted.key, house.stage.bench.ran) == ("out/helper.1/1:in", [])
    now = house.stage.clock.now()
    row: dict[str, Any] = {"run_id": "run_1", "key": wanted.key, "promise_id": 3, "tool": "change", "arguments": {}}
    row |= {"digest": wanted.digest, "decision": "granted", "asked_at": now, "expires_at": now}
    await change(house.stage, insert(consents).values(row))
    result = await house.run(workspace=place, promise_id=3)
    assert (result.text, house.stage.bench.ran) == ("All done.", ["change left"])
    assert len(house.stage.model.calls) == 4


async def test_b6_stopping_ends_the_agents_within_a_tool(house: House) -> None:
    house.stage.model.answer(*[Hang()] * 2, when=lambda asked: asked.question in {"left", "right"})
    running = asyncio.create_task(house.run())
    await house.stage.model.until(lambda: len(house.stage.model.calls) == 3)
    running.cancel()
    async with asyncio.timeout(1):
        with pytest.raises(asyncio.CancelledError):
            await running
    await house.stage.model.until(lambda: all(call.dropped for call in house.stage.model.calls[1:]))
    assert {row["status"] for row in (await house.rows()).values() if row["kind"] == "agent"} == {"intent"}


async def test_a_run_with_an_id_of_its_own_is_no_part_of_the_one_around_it(house: House) -> None:
    async def apart(ctx: RunContext[Deps]) -> str:
        """Work apart."""
        runner = AgentRunner(house.stage.database, house.stage.clock, house.stage.models, QUICK)
        return (await runner.run(house.helper, "left", house.stage.deps(run_id="run_2"))).text

    house.stage.model.answer(Call("apart", id="out"))
    manifest = house.stage.manifest(toolsets=(Tools(lambda: FunctionToolset([apart])),))
    await house.runner.run(manifest, "go", house.stage.deps())
    assert {row["run_id"] for row in await house.stage.rows(steps)} == {"run_1", "run_2"}
