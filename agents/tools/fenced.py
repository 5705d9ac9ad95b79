"""Whose tools may use the fence (A9)."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from core.errors import Busy, NotAllowed
from runtime.deps import Deps
from runtime.fence import Fence

LATER = "To have it done when that has ended, promise it: make_promise, `after` the promise that writes, if it is one."


def fence_of(deps: Deps) -> Fence:
    """The run's fence; raises NotAllowed where there is none, or for an asker who may not have code run (guests)."""
    if deps.fence is None:
        raise NotAllowed("There is no working directory here.")
    if not deps.may_run_code:
        raise NotAllowed(f"{deps.asker.name or 'This person'} may not use the files and commands of this workspace.")
    return deps.fence


@contextmanager
def told_how_to_wait(deps: Deps) -> Generator[None]:
    """A turn that finds the directory taken is told what it can do; a promise's run just waits (P8)."""
    try:
        yield
    except Busy as busy:
        if deps.promise_id is not None:
            raise
        raise Busy(f"{busy} {LATER}") from busy
