"""An agent as a command line: `uv run agents/valor_agent.py "What is new?"` (behaviour §5)."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, cast

from core.errors import ValorError
from core.well_formed import well_formed

if TYPE_CHECKING:
    from runtime.manifest import AgentManifest

PROMPT = "> "
FAREWELLS = {"exit", "quit", "bye"}
INTERRUPTED = 130


class Talk(Protocol):
    """A conversation with one agent, in one workspace, as its owner."""

    async def say(self, text: str, on_text: Callable[[str], None]) -> str:
        """The whole answer; `on_text` gets each new piece as it comes. Raises ValorError."""
        ...


class Composition(Protocol):
    """What `main` offers to scripts. Looked up by name at run time, so that nothing here points up."""

    def open_talk(self, manifest: AgentManifest, project: str | None) -> AbstractAsyncContextManager[Talk]:
        """Raises ValorError naming the key or project that is missing."""
        ...

    def project_names(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for. Without a text it is a conversation, or what a pipe brings."""

    text: str
    project: str | None
    lists_projects: bool


def run(manifest: AgentManifest) -> NoReturn:
    """Be the program of this agent: answer the command line, a pipe or a person at a terminal, and exit."""
    composition = cast("Composition", importlib.import_module("main"))
    sys.exit(serve(composition, manifest, read_wish(manifest, sys.argv[1:])))


def read_wish(manifest: AgentManifest, arguments: list[str]) -> Wish:
    parser = argparse.ArgumentParser(prog=f"{manifest.name}.py", description=manifest.title)
    parser.add_argument("text", nargs="*", help="what to ask; without it: a pipe, or a conversation")
    parser.add_argument("--project", metavar="NAME", help="the workspace, by name, alias or unique beginning")
    parser.add_argument("--list-projects", action="store_true", help="list the workspaces and end")
    options = parser.parse_args(arguments)
    return Wish(well_formed(" ".join(options.text)), options.project, options.list_projects)


def serve(composition: Composition, manifest: AgentManifest, wish: Wish) -> int:
    """The exit code; errors are one sentence on standard error."""
    try:
        if wish.lists_projects:
            print("\n".join(composition.project_names()))
        else:
            asyncio.run(converse(composition.open_talk(manifest, wish.project), texts_of(wish)))
    except ValorError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read has read enough. Nothing may be flushed into the closed pipe at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def texts_of(wish: Wish) -> Callable[[], str | None]:
    """Where texts come from, one a call; None at the end."""
    if wish.text:
        return iter_once(wish.text)
    with contextlib.suppress(AttributeError):  # no file, in a test
        cast("io.TextIOWrapper[Any]", sys.stdin).reconfigure(errors="surrogateescape")
    if not sys.stdin.isatty():
        return iter_once(well_formed(sys.stdin.read().strip()))
    return read_line


def iter_once(text: str) -> Callable[[], str | None]:
    left = [text] if text else []
    return lambda: left.pop() if left else None


def read_line() -> str | None:
    """A line that a person typed, None when they leave."""
    try:
        line = well_formed(input(PROMPT).strip())
    except EOFError:
        return None
    return None if line.lower() in FAREWELLS else line


async def converse(opening: AbstractAsyncContextManager[Talk], next_text: Callable[[], str | None]) -> None:
    async with opening as talk:
        while (text := await asyncio.to_thread(next_text)) is not None:
            if text:
                await talk.say(text, show)
                show("\n")


def show(piece: str) -> None:
    print(piece, end="", flush=True)
