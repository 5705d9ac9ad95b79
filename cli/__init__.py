"""Command lines: `valor`, and what the closing lines of an agent script call."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from runtime.manifest import AgentManifest


def run(manifest: AgentManifest) -> NoReturn:
    """Be the program of this agent: answer the command line, a pipe or a person at a terminal, and exit."""
    from cli.script import run as run_script  # `valor` needs nothing of it, and is to be quick

    run_script(manifest)
