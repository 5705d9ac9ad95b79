from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from agents.valor_agent import MANIFEST
from core.audit import Audit
from core.errors import NotAllowed
from core.schema import audit
from core.workspaces import Workspace, WorkspaceConfig
from runtime.directory_lock import DirectoryLocks
from runtime.fences import Fences, product_of
from runtime.sandbox import find_sandbox
from runtime.workplace import Errand, Workplace
from tests.runtime.stage import OWNER, Stage, open_stage, settings_for
from tests.world.anthropic import Call, Say


@dataclass
class Place:
    stage: Stage
    workplace: Workplace
    garden: Path

    def errand(self, prompt: str) -> Errand:
        return Errand(run_id="run_w", who="a test", asker=replace(OWNER, workspace="Garden"), prompt=prompt)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncGenerator[Place]:
    async with open_stage(tmp_path) as stage:
        settings = settings_for(tmp_path / "product")
        garden = tmp_path / "garden"
        garden.mkdir()
        config = WorkspaceConfig(settings.workspaces_dir, workspaces=(Workspace("Garden", garden),))
        fences = Fences(
            product_of(settings),
            DirectoryLocks(tmp_path / "locks"),
            find_sandbox(),
            stage.clock,
            Audit(stage.database, stage.clock),
        )
        workplace = Workplace(
            runner=stage.runner(),
            manifest=MANIFEST,
            config=lambda: config,
            fences=fences,
            promises=stage.promises,
            history=stage.past,
            files=stage.files,
            links=stage.links,
            clock=stage.clock,
        )
        yield Place(stage, workplace, garden)


async def test_p10_a_run_on_a_workspace_leaves_its_evidence_and_the_directory_free(place: Place) -> None:
    place.stage.model.answer(Call("write_file", {"path": "a.txt", "text": "hi"}), Say("Written."))
    result = await place.workplace.run(place.errand("write a file"))
    assert (place.garden / "a.txt").read_text() == "hi"
    assert result.evidence[0]["path"] == "a.txt"
    again = place.workplace.fences.fence_for(Workspace("Garden", place.garden), "run_x", "another")
    await again.ensure_writer()
    await again.close()


async def test_w5_what_the_fence_refuses_is_audited(place: Place) -> None:
    place.stage.model.answer(Call("read_file", {"path": "../.env"}), Say("I may not."))
    result = await place.workplace.run(place.errand("read the secrets"))
    assert result.refused == ("read_file",)
    async with asyncio.timeout(5):
        while not (rows := await place.stage.rows(audit)):
            pass
    assert (rows[0]["kind"], rows[0]["chat_id"]) == ("fence", "Garden")


async def test_w3_a_private_workspace_gets_its_directory_with_its_first_run(place: Place) -> None:
    private = place.workplace.config().private("5")
    fence = place.workplace.fences.fence_for(private, "run_p", "a test")
    assert private.directory.is_dir()
    with pytest.raises(NotAllowed):
        await fence.files.read("../../../etc/passwd")
