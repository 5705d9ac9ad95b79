"""Promises, as an agent's tools: work that outlives the answer."""

from __future__ import annotations

from typing import Literal

from pydantic_ai import RunContext
from pydantic_ai.toolsets import FunctionToolset

from core.errors import RequestError
from core.protocols import PromiseOrder, PromiseView
from runtime.deps import Deps

TaskType = Literal["code", "search", "analysis"]
NESTED = "You are keeping a promise already: do this work now instead of promising it."


def promises_toolset() -> FunctionToolset[Deps]:
    """make_promise, list_promises, cancel_promise, report_progress; each raises RequestError for a refusal."""
    return FunctionToolset([make_promise, list_promises, cancel_promise, report_progress], id="promises")


async def make_promise(
    ctx: RunContext[Deps], task: str, task_type: TaskType, after: list[int] | None = None, priority: int = 0
) -> str:
    """Promise a long job: it is done in the background and its result sent to the chat. Then just say so.

    Args:
        task: everything the worker must know; it sees no chat.
        task_type: code changes files.
        after: numbers of promises that must be completed first.
        priority: higher goes first.
    """
    if ctx.deps.promise_id is not None:
        raise RequestError(NESTED)
    order = PromiseOrder(task, task_type, tuple(after or ()), priority)
    view = await ctx.deps.promises.make(order, ctx.deps.asker, ctx.deps.call(ctx.tool_call_id or ""))
    return f"Promise #{view.id} is made ({view.status}). The chat gets its result by itself."


async def list_promises(ctx: RunContext[Deps]) -> str:
    """List this workspace's promises, open ones first."""
    views = await ctx.deps.promises.list_for(ctx.deps.asker)
    return "\n".join(tell_view(view) for view in views) or "[no promises]"


async def cancel_promise(ctx: RunContext[Deps], number: int) -> str:
    """Cancel a promise."""
    return tell_view(await ctx.deps.promises.cancel(number, ctx.deps.asker))


async def report_progress(ctx: RunContext[Deps], line: str) -> str:
    """Show the chat one line of how far the work is."""
    await ctx.deps.progress.report(line)
    return "shown"


def tell_view(view: PromiseView) -> str:
    """One line: number, status, task, and what is known beyond that."""
    known = view.error_message or view.result_summary or view.progress
    more = f" ({_short(known)})" if known else ""
    return f"#{view.id} {view.status}: {_short(view.task_description)}{more}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 160 else f"{line[:159]}…"
