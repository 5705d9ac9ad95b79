"""Tools that wait for consent: nothing of a response runs before, each once after."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, update

from core.errors import ConsentNeeded
from core.schema import consents
from core.workspaces import Workspace
from runtime.consent import digest_of
from tests.runtime.stage import Stage
from tests.world.anthropic import Call, Say


async def needed(stage: Stage) -> ConsentNeeded:
    """Run until it asks."""
    with pytest.raises(ConsentNeeded, match="`note` runs here only when") as raised:
        await run(stage)
    return raised.value


async def run(stage: Stage) -> Any:
    deps = stage.deps(workspace=Workspace("psy", stage.folder, consent=frozenset({"note"})), promise_id=3)
    return await stage.runner().run(stage.manifest(), "go", deps)


async def decide(stage: Stage, wanted: ConsentNeeded, decision: str | None, digest: str | None = None) -> None:
    row: dict[str, Any] = {"run_id": "run_1", "key": wanted.key, "promise_id": 3, "tool": wanted.tool, "arguments": {}}
    moments = {"asked_at": stage.clock.now(), "expires_at": stage.clock.now()}
    statement = insert(consents).values(**row, **moments, digest=digest or wanted.digest, decision=decision)
    await stage.database.write("test", lambda connection: connection.execute(statement))


async def test_p11_a_call_waits_and_runs_once_when_it_is_granted(stage: Stage) -> None:
    stage.model.answer(Call("note", {"text": "x"}, id="c1"), Say("Noted."))
    wanted = await needed(stage)
    assert (wanted.tool, wanted.arguments, wanted.key) == ("note", {"text": "x"}, "1:c1")
    assert wanted.digest == digest_of("note", {"text": "x"})
    assert (stage.bench.ran, len(stage.model.calls)) == ([], 1)
    await decide(stage, wanted, "granted")
    for _ in range(2):
        assert (await run(stage)).text == "Noted."
    assert (stage.bench.ran, len(stage.model.calls)) == (["note x"], 2)


@pytest.mark.parametrize(("decision", "digest"), [(None, None), ("refused", None), ("granted", "of something else")])
async def test_p11_nothing_else_lets_it_run(stage: Stage, decision: str | None, digest: str | None) -> None:
    stage.model.answer(Call("note", {"text": "x"}, id="c1"), Say("Noted."))
    await decide(stage, await needed(stage), decision, digest)
    await needed(stage)
    assert (stage.bench.ran, len(stage.model.calls)) == ([], 1)


async def test_p11_a_grant_is_for_one_call(stage: Stage) -> None:
    """The same id and the same arguments again in a later response are another call."""
    stage.model.answer(*[Call("note", {"text": "x"}, id="c1")] * 2, Say("Noted."))
    first = await needed(stage)
    await decide(stage, first, "granted")
    second = await needed(stage)
    assert (first.key, second.key) == ("1:c1", "2:c1")
    assert stage.bench.ran == ["note x"]


async def test_p11_the_other_calls_of_a_response_wait_too(stage: Stage) -> None:
    stage.model.answer((Call("change", {"path": "a"}, id="c1"), Call("note", {"text": "x"}, id="c2")), Say("Done."))
    wanted = await needed(stage)
    assert stage.bench.ran == []
    await decide(stage, wanted, "granted")
    assert (await run(stage)).text == "Done."
    assert sorted(stage.bench.ran) == ["change a", "note x"]


async def test_p11_a_parked_turn_is_not_run_again_as_a_turn(stage: Stage) -> None:
    stage.model.answer(Call("note", {"text": "x"}, id="c1"), Say("Noted."))
    wanted = await needed(stage)
    await decide(stage, wanted, "granted")
    statement = update(consents).values(tool="note")
    await stage.database.write("test", lambda connection: connection.execute(statement))
    with pytest.raises(ConsentNeeded) as raised:
        await stage.runner().run(stage.manifest(), "go", stage.deps(turn_id=9))
    assert (raised.value.key, raised.value.digest, stage.bench.ran) == (wanted.key, wanted.digest, [])


def test_p11_a_digest_is_of_tool_and_arguments_whatever_their_order() -> None:
    assert digest_of("a", {"x": 1, "y": 2}) == digest_of("a", {"y": 2, "x": 1})
    assert len({digest_of("a", {"x": 1}), digest_of("b", {"x": 1}), digest_of("a", {"x": 2}), digest_of("a", {})}) == 4
