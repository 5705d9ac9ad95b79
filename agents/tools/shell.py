"""Commands in the workspace, as an agent's tool."""

from __future__ import annotations

from pydantic_ai import RunContext, ToolReturn
from pydantic_ai.toolsets import FunctionToolset

from agents.tools.fenced import fence_of, told_how_to_wait
from runtime.deps import Deps
from runtime.process import Finished


def shell_toolset() -> FunctionToolset[Deps]:
    """run_command; it raises RequestError for a refusal."""
    return FunctionToolset([run_command], id="shell")


async def run_command(ctx: RunContext[Deps], command: str, seconds: float | None = None) -> ToolReturn:
    """Run a shell command in the workspace, at most so many seconds. Nothing it starts outlives it."""
    with told_how_to_wait(ctx.deps):
        finished = await fence_of(ctx.deps).run(command, seconds)
    evidence = {"kind": "command", "command": command, "exit_code": finished.exit_code}
    return ToolReturn(
        "\n".join(part for part in (finished.output.rstrip("\n"), _ending(finished)) if part), metadata=[evidence]
    )


def _ending(finished: Finished) -> str:
    if finished.timed_out:
        return f"[stopped after {finished.seconds:.0f} s]"
    if finished.killed is not None:
        return f"[stopped: too {'much memory' if finished.killed == 'memory' else 'many processes'}]"
    return f"[exit code {finished.exit_code}]"
