"""The attempts of `attempts.py` as a model's tool calls; run as a program, as one user, with the fence or without.

`python -m tests.acceptance.escape_by_model user fence` prints {attempt: {"leaks": […], "output": "…"}} as JSON. The
whole road is real: fake Messages API, runner, journal, Valor's tools. Without the fence only commands are tried: the
file tools have no form without it.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import structlog

from agents.valor_agent import MANIFEST
from core.workspaces import Workspace
from runtime.policy import Product, policy_for
from runtime.runner import AgentRunner
from runtime.sandbox import OpenSandbox
from tests.acceptance.attempts import ATTEMPTS, Attempt
from tests.acceptance.escape_world import LIMITS, SECRET_VARIABLE, EscapeWorld, Scene, become
from tests.runtime.stage import Stage, open_stage
from tests.world.anthropic import Asked, Call, Reply, Say

NOT_FOR_MODELS = {"git", "send_file"}  # our own looks and sends: no tools of the agent
AT_ONCE = 40  # calls in one response, for names that change places meanwhile
ROUNDS = 3


class ModelWorld(EscapeWorld):
    """An EscapeWorld whose attempts are made by a model that the runner listens to."""

    def __init__(self, fenced: bool, base: Path, stage: Stage) -> None:
        super().__init__(fenced, base, os.environ[SECRET_VARIABLE])
        self._stage = stage
        self._runner: AgentRunner = stage.runner()
        self._rounds: dict[str, int] = {}
        if not fenced:
            self.sandbox = OpenSandbox()

    @property
    def attempts(self) -> list[Attempt]:
        usable = [attempt for attempt in ATTEMPTS if attempt.tool not in NOT_FOR_MODELS]
        return [attempt for attempt in usable if self.fenced or attempt.tool == "run_command"]

    async def make_all(self) -> dict[str, dict[str, object]]:
        with self.secrets_around() as names:
            return {attempt.id: await self.make(attempt, names) for attempt in self.attempts}

    async def _use(self, attempt: Attempt, scene: Scene, directory: Path) -> str:
        """What the model was told, and what went to the chat."""
        done = self._rounds[attempt.id] = self._rounds.get(attempt.id, 0) + 1
        if attempt.flip and done > ROUNDS:
            return ""
        arguments = {name: scene.fill(value) for name, value in attempt.arguments.items()}
        policy = policy_for(
            directory, Product(scene.product, (scene.product / ".env",)), network=attempt.network, limits=LIMITS
        )
        fence = self._fence(attempt, policy, scene)
        run_id, calls = f"{attempt.id} {done}", [Call(attempt.tool, arguments)] * (AT_ONCE if attempt.flip else 1)
        self._stage.model.script(lambda asked: self._play(asked, run_id, calls))
        deps = self._stage.deps(run_id=run_id, workspace=Workspace("escape", directory), fence=fence)
        try:
            result = await self._runner.run(MANIFEST, run_id, deps)
        finally:
            if fence.held is not None:
                fence.held.release()
        told = [found.text for found in self._stage.model.calls[-1].asked.results]
        return "\n".join([*told, result.text, str(result.evidence) if attempt.tool != "run_command" else ""])

    @staticmethod
    def _play(asked: Asked, run_id: str, calls: list[Call]) -> Reply | None:
        if asked.prompt != run_id:
            return None
        return Say("I tried.") if asked.results else calls


async def try_all(fenced: bool, base: Path) -> dict[str, dict[str, object]]:
    async with open_stage(base) as stage:
        return await ModelWorld(fenced, base, stage).make_all()


async def warm_up() -> None:
    """One run, so that everything is imported before the privileges are dropped."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_stage(Path(folder)) as stage:
            await stage.runner().run(MANIFEST, "hello", stage.deps())


def main(who: str, mode: str) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(warm_up())
    become(who)
    base = Path(tempfile.mkdtemp(prefix="valor-escape-")).resolve()
    try:
        sys.stdout.write(json.dumps(asyncio.run(try_all(mode == "fence", base))))
    finally:
        shutil.rmtree(base)


if __name__ == "__main__":
    main(*sys.argv[1:])
