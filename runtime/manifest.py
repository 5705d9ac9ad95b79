"""What an agent is: data, checked when it is made."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from core.access import Action, may
from runtime.deps import Deps

if TYPE_CHECKING:
    from pydantic_ai.toolsets import FunctionToolset

NAME = re.compile(r"[a-z][a-z0-9_]{1,40}")
PARTS = frozenset({"model", "fence", "promises", "history", "notion", "search"})


class ModelKind(StrEnum):
    """Which of the three configured models."""

    PRIMARY = "primary"
    REASONING = "reasoning"
    FAST = "fast"


@dataclass(frozen=True, slots=True)
class Tools:
    """Tools that a manifest offers together, to runs whose asker and fence allow them."""

    build: Callable[[], FunctionToolset[Deps]]
    needs: Action = Action.CONVERSE
    in_fence: bool = False
    in_sandbox: bool = False

    def are_for(self, deps: Deps) -> bool:
        """Whether this run gets them: the asker's right, and the fence that they work in."""
        if not may(deps.asker.role, self.needs):
            return False
        if self.in_sandbox:
            return deps.fence is not None and deps.fence.sandbox is not None
        return deps.fence is not None or not self.in_fence


@dataclass(frozen=True, slots=True)
class AgentManifest:
    """An agent. `requires` and `wants` name parts of the product: without a required one the agent is unhealthy,
    without a wanted one degraded. `repeatable` names tools that an interrupted run may simply call again.

    Raises ValueError for a manifest that makes no sense.
    """

    name: str
    title: str
    instructions: str
    toolsets: tuple[Tools, ...] = ()
    model: ModelKind = ModelKind.PRIMARY
    requires: frozenset[str] = frozenset({"model"})
    wants: frozenset[str] = frozenset()
    repeatable: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name of an agent: lower-case letters, digits and _.")
        for field in ("title", "instructions"):
            if not getattr(self, field).strip():
                raise ValueError(f"Agent {self.name}: {field} is empty.")
        unknown = (self.requires | self.wants) - PARTS
        if unknown:
            raise ValueError(f"Agent {self.name}: no such parts: {', '.join(sorted(unknown))}.")
        if both := self.requires & self.wants:
            raise ValueError(f"Agent {self.name}: both required and wanted: {', '.join(sorted(both))}.")
