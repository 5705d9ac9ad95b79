"""Reading a document in a fence of its own: no network, nothing of the workspace, little time and memory.

What is read was made by others, perhaps to do harm. It goes in by standard input and comes out as text.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import structlog
from anyio import to_thread

from core.edges import Edge, around, no_edge
from runtime.policy import FencePolicy, Limits
from runtime.process import Finished, Job, run
from runtime.sandbox import Passage, Sandbox

LIMITS = Limits(seconds=30, memory_bytes=768 * 1024**2, processes=8, output_bytes=8_000_000, file_bytes=0)
LIBRARY = "pypdf"
SYSTEM = Path("/usr")
NO_FENCE = "Documents are not read here, because this machine has no fence to read them in."
TOO_LONG = f"Reading it took longer than {LIMITS.seconds:.0f} seconds."
TOO_MUCH = "Reading it takes more memory than it may have."
DAMAGED = "It is damaged, or not what it seems to be."
log = structlog.get_logger("agents.reader")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a document says, or the `problem` that kept it from being read.

    `what` it is, in a few words; `cut`: its end is left out; `passes`: the problem is not the document's, so another
    try may help.
    """

    text: str = ""
    what: str = ""
    cut: bool = False
    title: str = ""
    problem: str | None = None
    passes: bool = False


@dataclass(frozen=True, slots=True)
class Reader:
    """Runs `program` (integrations/documents.py) over what it is handed. `folder` stays empty: all that it sees.

    `find_sandbox` is asked in a thread, at each reading.
    """

    find_sandbox: Callable[[], Sandbox | None]
    program: Path
    folder: Path
    limits: Limits = LIMITS
    edge: Edge = no_edge

    async def read(self, content: bytes, marker: str, *options: str) -> Reading:
        """What it says; `marker` is that of the attempt it is read for, and ends with it."""
        sandbox = await to_thread.run_sync(self.find_sandbox)
        if sandbox is None:
            return Reading(problem=NO_FENCE, passes=True)
        await to_thread.run_sync(lambda: self.folder.mkdir(parents=True, exist_ok=True))
        library = find_library()
        argv = (str(interpreter()), "-I", "-B", str(self.program), str(library.parent), *options)
        with around(self.edge, "fence.read"):
            finished = await run(sandbox, self._policy(library), Job(argv, Passage(marker), content))
        return understand(finished)

    def _policy(self, library: Path) -> FencePolicy:
        seen = (self.folder, self.program, library, Path(sys.base_prefix))
        real = (place.resolve() for place in seen)
        return FencePolicy(
            self.folder.resolve(),
            read_only=tuple(place for place in real if not place.is_relative_to(SYSTEM)),
            limits=self.limits,
        )


def understand(finished: Finished) -> Reading:
    """What the program said on its last line."""
    if finished.timed_out:
        return Reading(problem=TOO_LONG, passes=True)
    if finished.killed is not None:
        return Reading(problem=TOO_MUCH)
    try:
        said: Mapping[str, Any] = json.loads(finished.output.rstrip().rpartition("\n")[2])
        return Reading(**said)
    except (ValueError, TypeError):
        log.info("a document could not be read", exit_code=finished.exit_code, said=finished.output[-300:])
        return Reading(problem=TOO_MUCH if "MemoryError" in finished.output[-300:] else DAMAGED)


@cache
def find_library() -> Path:
    """The folder of the one library that the program uses, without importing it."""
    found = importlib.util.find_spec(LIBRARY)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def interpreter() -> Path:
    """Python itself, not the environment's link to it."""
    return Path(sys.executable).resolve()
