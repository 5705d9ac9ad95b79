"""P9: what an agent's tool does to promises and the step of that call are there together, or neither is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.tools.promises import promises_toolset
from core.database import Database, sqlite_url
from core.errors import Cancelled
from core.protocols import Call as EffectCall
from core.protocols import PromiseOrder
from core.schema import deliveries, promises, steps
from promises.rings import Rings
from promises.service import Promises
from runtime.manifest import AgentManifest, Tools
from tests.promises.stage import SilentBell
from tests.runtime.stage import OWNER, Stage, open_stage
from tests.world.anthropic import Asked, Call, Reply, Say

MANIFEST = AgentManifest("promising", "Promising", "Promise.", (Tools(promises_toolset),))


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path) as opened:
        opened.model.script(make_and_cancel)
        yield opened


def make_and_cancel(asked: Asked) -> Reply:
    calls = [
        Call("make_promise", {"task": "count the stars", "task_type": "analysis"}, id="t1"),
        Call("cancel_promise", {"number": 1}, id="t2"),
        Say("Never mind."),
    ]
    return calls[len(asked.all_results)]


async def run(stage: Stage, dies_at: str = "") -> Any:
    """Run it in a process that ends at this point, else to its end. The tools are in no list of repeatable ones."""

    def edge(point: str) -> None:
        if point == dies_at:
            raise KilledError

    database = Database(sqlite_url(stage.folder / "system.db"), edge)
    service = Promises(database, Rings(SilentBell(), stage.folder / "workers", stage.folder / "server"), stage.clock)
    process = replace(stage, database=database)
    try:
        return await process.runner().run(MANIFEST, "go", process.deps(promises=service))
    finally:
        await database.close()


class KilledError(Exception):
    """As far as the database shows it: nothing is done after it."""


@pytest.mark.parametrize(("name", "key"), [("promise-make", "t1"), ("promise-cancel", "t2")])
async def test_p9_an_effect_on_promises_is_committed_with_its_step(stage: Stage, name: str, key: str) -> None:
    with pytest.raises(KilledError):
        await run(stage, f"{name}:after-commit")
    assert {row["key"]: row["status"] for row in await stage.rows(steps)}[key] == "done"
    stage.model.calls.clear()
    assert (await run(stage)).text == "Never mind."
    assert [found.text for found in stage.model.calls[-1].asked.all_results] == [
        "Promise #1 is made (pending). The chat gets its result by itself.",
        "#1 cancelled: count the stars (Cancelled by Olga.)",
    ]
    assert [row["status"] for row in await stage.rows(promises)] == ["cancelled"]
    assert [row["kind"] for row in await stage.rows(deliveries)] == ["ack", "notice"]


@pytest.mark.parametrize(("name", "key"), [("promise-make", "t1"), ("promise-cancel", "t2")])
async def test_p9_before_the_commit_there_is_neither(stage: Stage, name: str, key: str) -> None:
    with pytest.raises(KilledError):
        await run(stage, f"{name}:before-commit")
    assert {row["key"]: row["status"] for row in await stage.rows(steps)}[key] == "intent"
    assert [row["status"] for row in await stage.rows(promises)] == ["pending"] * (name == "promise-cancel")


async def test_p9_an_old_process_makes_no_promise(stage: Stage) -> None:
    """The step of its call is refused, and the promise with it."""
    service = Promises(
        stage.database, Rings(SilentBell(), stage.folder / "workers", stage.folder / "server"), stage.clock
    )

    def note(connection: object, effect: object) -> None:
        raise Cancelled("Another process goes on with this work.")

    with pytest.raises(Cancelled):
        await service.make(PromiseOrder("count"), OWNER, EffectCall("run_1", "t1", note=note))
    assert (await stage.rows(promises), await stage.rows(deliveries)) == ([], [])
