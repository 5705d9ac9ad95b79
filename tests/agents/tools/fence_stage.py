"""A workspace with its fence, and run contexts of people in several roles."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from pydantic_ai import RunContext
from pydantic_ai.models.test import TestModel
from pydantic_ai.usage import RunUsage

from core.access import Role
from core.clock import SystemClock
from core.message import Chat
from core.protocols import Asker, HistorySearch, LinkSearch, PromiseMaker
from core.workspaces import Workspace
from runtime.deps import Deps, SilentProgress
from runtime.directory_lock import DirectoryLocks
from runtime.fence import Fence
from runtime.policy import FencePolicy, Limits
from runtime.sandbox import find_sandbox
from runtime.workspace_files import WorkspaceFiles
from tests.runtime.stage import Papers

NAMES = {Role.OWNER: "Ann", Role.MEMBER: "Bob", Role.GUEST: "Gus"}


@dataclass(frozen=True)
class Stage:
    base: Path
    limits: Limits
    who: str
    fence: Fence = field(init=False)
    files: Papers = field(default_factory=Papers)

    def __post_init__(self) -> None:
        policy = FencePolicy(self.workspace, limits=self.limits)
        locks, marker = DirectoryLocks(self.base / "locks"), f"tool-test-{os.urandom(6).hex()}"
        fence = Fence(WorkspaceFiles(policy), policy, find_sandbox(), locks, self.who, marker)
        object.__setattr__(self, "fence", fence)

    @property
    def workspace(self) -> Path:
        return self.base / "workspace"

    def rival(self) -> Stage:
        """Another run in the same directory."""
        return Stage(self.base, self.limits, "turn 2")

    def context(self, role: Role = Role.MEMBER) -> RunContext[Deps]:
        asker = Asker(Chat("local", "test"), 1, 1, NAMES[role], role, "test")
        deps = Deps(
            workspace=Workspace("test", self.workspace),
            asker=asker,
            run_id="run-1",
            promises=cast("PromiseMaker", None),
            history=cast("HistorySearch", None),
            files=self.files,
            links=cast("LinkSearch", None),
            clock=SystemClock(),
            progress=SilentProgress(),
            fence=self.fence,
        )
        return RunContext(deps=deps, model=TestModel(), usage=RunUsage())


def new_stage(base: Path, limits: Limits | None = None) -> Stage:
    (base / "workspace").mkdir()
    return Stage(base, limits or Limits(seconds=20), "turn 1")
