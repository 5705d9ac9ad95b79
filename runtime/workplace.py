"""Where runs take place: the same deps, fence and agent for turns, promises and command lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.attachment import Picture
from core.clock import Clock
from core.protocols import Asker, ChatFiles, HistorySearch, LinkSearch, Progress, PromiseMaker
from core.workspaces import WorkspaceConfig
from runtime.deps import Deps, Gate, SilentProgress, open_gate
from runtime.fences import Fences
from runtime.manifest import AgentManifest
from runtime.patience import OnText
from runtime.process import marker_of
from runtime.runner import AgentRunner, RunResult, compose


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One run to be made: what is asked by whom, and whose run it is. `who` names it where it holds a directory.

    Run again, it is to be the same, pictures included.
    """

    run_id: str
    who: str
    asker: Asker
    prompt: str
    pictures: tuple[Picture, ...] = ()
    gate: Gate = open_gate
    progress: Progress = field(default_factory=SilentProgress)
    on_text: OnText | None = None
    turn_id: int | None = None
    promise_id: int | None = None
    epoch: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    runner: AgentRunner
    manifest: AgentManifest
    config: Callable[[], WorkspaceConfig]
    fences: Fences
    promises: PromiseMaker
    history: HistorySearch
    files: ChatFiles
    links: LinkSearch
    clock: Clock

    async def preview(self, workspace: str, tool: str, arguments: Mapping[str, Any]) -> str:
        """What a call of a tool would change in a file, as a diff. Raises RequestError where nobody can know."""
        fence = self.fences.fence_for(self.config().named(workspace), "", "preview")
        return await fence.files.preview(tool, arguments)

    async def run(self, errand: Errand) -> RunResult:
        """Run the agent; whatever its tools left running has ended when this returns or raises."""
        workspace = self.config().named(errand.asker.workspace)
        fence = self.fences.fence_for(workspace, marker_of(errand.run_id, errand.epoch), errand.who)
        deps = Deps(
            workspace=workspace,
            asker=errand.asker,
            run_id=errand.run_id,
            promises=self.promises,
            history=self.history,
            files=self.files,
            links=self.links,
            clock=self.clock,
            progress=errand.progress,
            fence=fence,
            gate=errand.gate,
            turn_id=errand.turn_id,
            promise_id=errand.promise_id,
            epoch=errand.epoch,
        )
        try:
            prompt = compose(errand.prompt, errand.pictures)
            return await self.runner.run(self.manifest, prompt, deps, on_text=errand.on_text)
        finally:
            await fence.close()
