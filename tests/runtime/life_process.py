"""Processes that run an agent and die: `python -m tests.runtime.life_process`.

For each line `{"url", "folder", "shape", "die_at"}` read, a fork of this process (which has imported everything, and
opened nothing) lives: it runs the agent in the folder's database to its end, or to the point at which it kills itself.
Two lines come back: its process id at once, and how it ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import structlog
from pydantic import SecretStr
from pydantic_ai import RunContext
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models import override_allow_model_requests
from pydantic_ai.toolsets import FunctionToolset

from core.clock import SystemClock
from core.database import Database, sqlite_url
from core.edges import FailPoints
from core.workspaces import Workspace
from runtime.contents import give_response, keep_response
from runtime.deps import Deps
from runtime.manifest import AgentManifest, ModelKind, Tools
from runtime.models import Models
from runtime.runner import AgentRunner
from tests.runtime.stage import KEY, OWNER, QUICK, Bookmarks, Lines, Papers, Past, Promises, settings_for

SHAPES = ("serial", "parallel", "streamed", "nested")
POINTS, EFFECTS, SHOWN, ANSWER = "points.txt", "effects.txt", "shown.txt", "answer.txt"


class Life:
    """One process: its tools leave a line on disk each time they run."""

    def __init__(self, folder: Path, shape: str, runner: AgentRunner) -> None:
        self.folder = folder
        self.shape = shape
        self.runner = runner
        bench = (Tools(lambda: FunctionToolset([self.append])),)
        self.helper = AgentManifest("helper", "Helper", "Help.", bench)
        asking = (Tools(lambda: FunctionToolset([self.ask_both])),)
        nested = AgentManifest("asking", "Asking", "Ask.", asking, repeatable=frozenset({"ask_both"}))
        plain = AgentManifest("working", "Working", "Work.", bench)
        self.manifest = nested if shape == "nested" else plain

    async def append(self, ctx: RunContext[Deps], line: str) -> str:
        """Append a line."""
        _append(self.folder / EFFECTS, line)
        return f"{line} is there"

    async def ask_both(self, ctx: RunContext[Deps]) -> str:
        """Have two helpers work side by side."""
        prompts = (f"{self.shape} left", f"{self.shape} right")
        both = await asyncio.gather(*(self.runner.run(self.helper, prompt, ctx.deps) for prompt in prompts))
        return " and ".join(one.text for one in both)

    async def show(self, text: str) -> None:
        _append(self.folder / SHOWN, text)

    async def live(self) -> None:
        deps = Deps(
            workspace=Workspace("psy", self.folder),
            asker=OWNER,
            run_id="run_1",
            promises=Promises(),
            history=Past(),
            files=Papers(),
            links=Bookmarks(),
            clock=SystemClock(),
            progress=Lines(),
        )
        on_text = self.show if self.shape == "streamed" else None
        result = await self.runner.run(self.manifest, self.shape, deps, on_text)
        _append(self.folder / ANSWER, result.text)


def _append(file: Path, line: str) -> None:
    with file.open("a") as opened:
        opened.write(f"{line}\n")


async def live(order: dict[str, Any]) -> None:
    folder = Path(order["folder"])
    edge = FailPoints(order["die_at"], folder / POINTS)
    database = Database(sqlite_url(folder / "system.db"), edge)
    models = build_models(folder, order["url"])
    with override_allow_model_requests(allow_model_requests=True):
        await Life(folder, order["shape"], AgentRunner(database, SystemClock(), models, QUICK)).live()
    await models.aclose()
    await database.close()


def build_models(folder: Path, url: str) -> Models:
    return Models(settings_for(folder, anthropic_api_key=SecretStr(KEY), anthropic_base_url=url))


def fork(order: dict[str, Any]) -> None:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            asyncio.run(live(order))
            status = 0
        finally:
            os._exit(status)
    tell(child)
    tell(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def tell(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    build_models(Path(), "http://127.0.0.1").build(ModelKind.PRIMARY)  # what is imported late, and built once
    give_response(keep_response(ModelResponse(parts=[])))
    tell(os.getpid())
    for line in sys.stdin:
        fork(json.loads(line))


if __name__ == "__main__":
    main()
