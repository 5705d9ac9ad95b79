"""Runs over HTTP: what an agent did, step by step."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from web.doors import WebDoors
from web.promises import iso

if TYPE_CHECKING:
    from runtime.traces import Node, Trace


def build_run_routes(doors: WebDoors) -> APIRouter:
    routes = APIRouter(prefix="/api")

    @routes.get("/runs/{name:path}")  # whatever is asked for is a name, also none at all
    async def show_run(name: str) -> dict[str, Any]:
        return describe_trace(await doors.runs.trace(name))

    return routes


def describe_trace(trace: Trace) -> dict[str, Any]:
    run = trace.run
    moments = {"started_at": run.started_at.isoformat(), "ended_at": iso(run.ended_at)}
    return {
        **asdict(run),
        **moments,
        "steps": [describe_node(node) for node in trace.nodes],
        "total": {**asdict(trace.total), "model_calls": trace.model_calls, "tool_calls": trace.tool_calls},
    }


def describe_node(node: Node) -> dict[str, Any]:
    plain = {name: getattr(node, name) for name in ("key", "kind", "name", "status", "about", "evidence")}
    return {**plain, **asdict(node.spent), "steps": [describe_node(child) for child in node.children]}
