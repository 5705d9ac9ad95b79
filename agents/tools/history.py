"""Looking back in the chat, as an agent's tool."""

from __future__ import annotations

from pydantic_ai import RunContext
from pydantic_ai.toolsets import FunctionToolset

from core.protocols import Said
from runtime.deps import Deps

MOST = 50


def history_toolset() -> FunctionToolset[Deps]:
    return FunctionToolset([search_history], id="history")


async def search_history(ctx: RunContext[Deps], words: str, limit: int = 20) -> str:
    """Find messages of this chat holding all these words, newest first."""
    found = await ctx.deps.history.search(ctx.deps.asker.chat, words, max(1, min(limit, MOST)))
    return "\n".join(_line(said) for said in found) or "[nothing found]"


def _line(said: Said) -> str:
    return f"{said.at:%Y-%m-%d %H:%M} {said.sender}: {' '.join(said.text.split())}"
