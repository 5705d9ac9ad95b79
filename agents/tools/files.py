"""The workspace's files as an agent's tools."""

from __future__ import annotations

from pydantic_ai import RunContext, ToolReturn
from pydantic_ai.toolsets import FunctionToolset

from agents.tools.fenced import fence_of, told_how_to_wait
from runtime.deps import Deps
from runtime.fence import Fence
from runtime.workspace_files import Written


def files_toolset() -> FunctionToolset[Deps]:
    """read_file, list_files, search_files, write_file, edit_file; each raises RequestError for a refusal."""
    return FunctionToolset([read_file, list_files, search_files, write_file, edit_file], id="files")


async def read_file(ctx: RunContext[Deps], path: str, first_line: int = 1, lines: int | None = None) -> str:
    """Read a text file of the workspace."""
    content = await fence_of(ctx.deps).files.read(path, first_line, lines)
    last = content.first_line + content.text.count("\n") - content.text.endswith("\n")
    more = f"\n[lines {content.first_line}-{last} of {content.lines}]" if content.cut or content.first_line > 1 else ""
    return content.text + more


async def list_files(ctx: RunContext[Deps], path: str = ".", depth: int = 2) -> str:
    """List a folder of the workspace."""
    listing = await fence_of(ctx.deps).files.list(path, depth)
    return "\n".join((*listing.names, *(["[more left out]"] if listing.cut else []))) or "[empty]"


async def search_files(ctx: RunContext[Deps], text: str, path: str = ".") -> str:
    """Find lines holding a text (any case) in the workspace's files."""
    found = await fence_of(ctx.deps).files.search(text, path)
    lines = [f"{hit.path}:{hit.line}: {hit.text}" for hit in found.hits]
    return "\n".join((*lines, *(["[more left out]"] if found.cut else []))) or "[nothing found]"


async def write_file(ctx: RunContext[Deps], path: str, text: str) -> ToolReturn:
    """Make or replace a file of the workspace."""
    fence = await _writing_fence_of(ctx.deps)
    return _told(await fence.files.write(path, text))


async def edit_file(ctx: RunContext[Deps], path: str, old: str, new: str) -> ToolReturn:
    """Replace a text that occurs exactly once in a file."""
    fence = await _writing_fence_of(ctx.deps)
    return _told(await fence.files.edit(path, old, new))


async def _writing_fence_of(deps: Deps) -> Fence:
    fence = fence_of(deps)
    with told_how_to_wait(deps):
        await fence.ensure_writer()
    return fence


def _told(written: Written) -> ToolReturn:
    done = "made" if written.before is None else "left as it was" if written.before == written.after else "changed"
    return ToolReturn(f"{written.path} {done} ({written.size} bytes).", metadata=[written.evidence])
