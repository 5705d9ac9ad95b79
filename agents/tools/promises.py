"""Promises, as an agent's tools: work that outlives the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic_ai import RunContext
from pydantic_ai.toolsets import FunctionToolset

from core.errors import RequestError
from core.moments import read_moment, tell_moment
from core.protocols import PromiseOrder, PromiseView
from runtime.deps import Deps

TaskType = Literal["code", "search", "analysis"]
NESTED = "You are keeping a promise already: do this work now instead of promising it."


@dataclass(frozen=True, slots=True)
class When:
    """`at` is like 2026-12-01 09:00; `every` like 30m, 1d or five cron fields; both in the IANA `zone`, else UTC.

    Of those that wait, higher priorities go first.
    """

    at: str | None = None
    every: str | None = None
    zone: str | None = None
    priority: int = 0


def promises_toolset() -> FunctionToolset[Deps]:
    """make_promise, list_promises, cancel_promise, report_progress; each raises RequestError for a refusal."""
    return FunctionToolset([make_promise, list_promises, cancel_promise, report_progress], id="promises")


async def make_promise(
    ctx: RunContext[Deps], task: str, task_type: TaskType, after: list[int] | None = None, when: When | None = None
) -> str:
    """Promise a long job: it is done in the background and its result sent to the chat. Then just say so.

    Args:
        task: everything the worker must know; it sees no chat.
        task_type: code changes files.
        after: numbers of promises that must be completed first.
        when: at once, if left out.
    """
    if ctx.deps.promise_id is not None:
        raise RequestError(NESTED)
    when = when or When()
    at = read_moment(when.at, when.zone) if when.at else None
    order = PromiseOrder(task, task_type, tuple(after or ()), when.priority, at, when.every, when.zone)
    call = ctx.deps.call(ctx.tool_call_id or "", _tell_made)
    return _tell_made(await ctx.deps.promises.make(order, ctx.deps.asker, call))


async def list_promises(ctx: RunContext[Deps]) -> str:
    """List this workspace's promises, open ones first."""
    views = await ctx.deps.promises.list_for(ctx.deps.asker)
    return "\n".join(tell_view(view) for view in views) or "[no promises]"


async def cancel_promise(ctx: RunContext[Deps], number: int) -> str:
    """Cancel a promise."""
    call = ctx.deps.call(ctx.tool_call_id or "", tell_view)
    return tell_view(await ctx.deps.promises.cancel(number, ctx.deps.asker, call))


async def report_progress(ctx: RunContext[Deps], line: str) -> str:
    """Show the chat one line of how far the work is."""
    await ctx.deps.progress.report(line)
    return "shown"


def _tell_made(view: PromiseView) -> str:
    return f"Promise #{view.id} is made ({view.status}). The chat gets its result by itself."


def tell_view(view: PromiseView) -> str:
    """One line: number, status, task, and what is known beyond that."""
    known = view.error_message or view.result_summary or view.progress or _start_of(view)
    more = f" ({_short(known)})" if known else ""
    return f"#{view.id} {view.status}: {_short(view.task_description)}{more}"


def _start_of(view: PromiseView) -> str | None:
    if view.status != "waiting" or view.due_at is None:
        return None
    return f"starts on {tell_moment(view.due_at, view.zone)}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 160 else f"{line[:159]}…"
