"""Saved links, as an agent's tool."""

from __future__ import annotations

from pydantic_ai import RunContext
from pydantic_ai.toolsets import FunctionToolset

from core.protocols import Link
from runtime.deps import Deps

MOST = 50


def links_toolset() -> FunctionToolset[Deps]:
    return FunctionToolset([search_links], id="links")


async def search_links(ctx: RunContext[Deps], words: str, limit: int = 20) -> str:
    """Find the links that people of this workspace saved, holding all these words, newest first."""
    found = await ctx.deps.links.search(ctx.deps.workspace.name, words, max(1, min(limit, MOST)))
    return "\n".join(_line(link) for link in found) or "[nothing found]"


def _line(link: Link) -> str:
    told = " - ".join(part for part in (link.title, link.summary) if part)
    return f"{link.saved_at:%Y-%m-%d} {link.saved_by}: {link.url} {told}".rstrip()
