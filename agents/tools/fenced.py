"""Whose tools may use the fence (A9)."""

from __future__ import annotations

from core.errors import NotAllowed
from runtime.deps import Deps
from runtime.fence import Fence


def fence_of(deps: Deps) -> Fence:
    """The run's fence; raises NotAllowed where there is none, or for an asker who may not have code run (guests)."""
    if deps.fence is None:
        raise NotAllowed("There is no working directory here.")
    if not deps.may_run_code:
        raise NotAllowed(f"{deps.asker.name or 'This person'} may not use the files and commands of this workspace.")
    return deps.fence
