"""Promises over HTTP: to list, to look at, to cancel and retry, and to see moving."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from core.protocols import PromiseView
from web.doors import Change, Kept, WebDoors

if TYPE_CHECKING:
    from promises.agenda import Appointment

PromiseId = Annotated[int, Path(ge=1, lt=2**63)]
Limit = Annotated[int, Query(ge=1, le=500)]


def build_promise_routes(doors: WebDoors) -> APIRouter:
    routes = APIRouter(prefix="/api")

    @routes.get("/promises")
    async def list_promises(limit: Limit = 50) -> list[dict[str, Any]]:
        return [describe_promise(promise) for promise in await doors.promises.list(limit)]

    @routes.get("/promises/{promise_id}")
    async def show_promise(promise_id: PromiseId) -> dict[str, Any]:
        return describe_kept(await doors.promises.show(promise_id))

    @routes.post("/promises/{promise_id}/cancel")
    async def cancel_promise(promise_id: PromiseId) -> dict[str, Any]:
        return describe_promise(await doors.promises.cancel(promise_id))

    @routes.post("/promises/{promise_id}/retry")
    async def retry_promise(promise_id: PromiseId) -> dict[str, Any]:
        return describe_promise(await doors.promises.retry(promise_id))

    @routes.get("/schedule")
    async def list_appointments(limit: Limit = 50) -> list[dict[str, Any]]:
        return [describe_appointment(appointment) for appointment in await doors.promises.agenda(limit)]

    @routes.get("/events", response_class=EventSourceResponse)
    async def watch_events() -> AsyncIterator[ServerSentEvent]:
        async for change in doors.feed.watch():
            name, data = describe_change(change)
            yield ServerSentEvent(event=name, data=data)

    return routes


def describe_change(change: Change) -> tuple[str, dict[str, Any]]:
    if isinstance(change, PromiseView):
        return "promise", describe_promise(change)
    return "delivery", {
        "chat": change.chat,
        "message_id": change.message_id,
        "reply_to": change.reply_to,
        "kind": change.kind,
        "text": change.text,
    }


def describe_promise(promise: PromiseView) -> dict[str, Any]:
    """The columns that the table's readers know, by their names."""
    return {
        "id": promise.id,
        "task_description": promise.task_description,
        "task_type": promise.task_type,
        "status": promise.status,
        "progress": promise.progress,
        "result_summary": promise.result_summary,
        "error_message": promise.error_message,
        "created_at": promise.created_at.isoformat(),
        "completed_at": iso(promise.completed_at),
        "waiting_for": promise.waiting_for,
        "due_at": iso(promise.due_at),
        "every": promise.every,
        "zone": promise.zone,
    }


def describe_kept(kept: Kept) -> dict[str, Any]:
    return {
        **describe_promise(kept.promise),
        "front": kept.chat.front,
        "chat": kept.chat.key,
        "workspace": kept.workspace,
        "requester": kept.requester,
        "attempts": kept.attempts,
        "run_id": kept.run_id,
        "former_runs": list(kept.former_runs),
        "result": kept.result,
    }


def describe_appointment(appointment: Appointment) -> dict[str, Any]:
    return {
        "at": appointment.at.isoformat(),
        "cause": appointment.cause.value,
        "later": [moment.isoformat() for moment in appointment.later],
        "promise": describe_promise(appointment.promise),
    }


def iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
