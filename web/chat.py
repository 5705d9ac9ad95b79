"""Asking and being answered over HTTP: at once, or as it grows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from pydantic import BaseModel, BeforeValidator, Field, StringConstraints

from core.errors import Unknown
from core.well_formed import well_formed_within
from web.doors import DEFAULT_CHAT, Accepted, ChatDoor, ChatEvent, ChatReply, Grown, Line, Question, Reason, WebDoors
from web.errors import tell
from web.promises import describe_promise

EVENT_STREAM = "text/event-stream"
KEEPALIVE_SECONDS = 15.0
LONGEST = 200_000  # characters of a question: more is a file's work

ChatName = Annotated[str, StringConstraints(pattern=r"^[\w.:@+-]{1,64}$")]
Text = Annotated[str, BeforeValidator(well_formed_within), Field(pattern=r"[^\s\x00]", max_length=LONGEST)]
Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200)]


class Asked(BaseModel):
    """The body of `POST /api/chat`."""

    text: Text
    workspace: str | None = None
    chat: ChatName = DEFAULT_CHAT


def build_chat_routes(doors: WebDoors) -> APIRouter:
    routes = APIRouter(prefix="/api")
    open_answers: set[Answering] = set()  # kept here, since asyncio holds running tasks weakly

    @routes.post("/chat", response_model=None)
    async def ask(body: Asked, request: Request, key: Key = None) -> Response:
        answering = Answering(doors.chat, Question(body.text, body.chat, body.workspace, key))
        open_answers.add(answering)
        answering.task.add_done_callback(lambda _: open_answers.discard(answering))
        if EVENT_STREAM in request.headers.get("accept", ""):
            return EventSourceResponse(answering.stream(), headers={"x-accel-buffering": "no"})
        return JSONResponse(describe_reply(await asyncio.shield(answering.task)))

    @routes.get("/messages")
    async def list_messages(
        chat: ChatName = DEFAULT_CHAT, limit: Annotated[int, Query(ge=1, le=500)] = 100
    ) -> list[dict[str, Any]]:
        return [describe_line(line) for line in await doors.chat.lines(chat, limit)]

    @routes.get("/workspaces")
    async def list_workspaces() -> list[str]:
        return list(await doors.chat.workspaces())

    @routes.get("/why/{chat:path}/{message}")
    async def explain(chat: str, message: Annotated[int, Path(ge=0, lt=1 << 63)]) -> list[dict[str, Any]]:
        reasons = await doors.why.why(chat, message)
        if not reasons:
            raise Unknown(f"No message {message} of chat {chat} is stored.")
        return [describe_reason(reason) for reason in reasons]

    return routes


class Answering:
    """One question on its way to its answer, which it reaches also when whoever asked hangs up."""

    def __init__(self, door: ChatDoor, question: Question) -> None:
        self._events: asyncio.Queue[ChatEvent | None] = asyncio.Queue()
        self.task = asyncio.create_task(door.ask(question, self._events.put_nowait))
        self.task.add_done_callback(lambda _: self._events.put_nowait(None))

    async def stream(self, keepalive: float = KEEPALIVE_SECONDS) -> AsyncIterator[bytes]:
        """Server-sent events: `accepted`, `text` (all of it so far), `promise`, and `done` or `error` at the end."""
        while not (self.task.done() and self._events.empty()):
            try:
                async with asyncio.timeout(keepalive):
                    event = await self._events.get()
            except TimeoutError:
                yield KEEPALIVE_COMMENT
                continue
            if event is not None:
                yield _encode(*describe_event(event))
        yield self._end()

    def _end(self) -> bytes:
        if self.task.cancelled():
            return _encode("error", {"error": "The server is stopping; the answer will be in this chat."})
        if error := self.task.exception():
            return _encode("error", tell(error).body)
        return _encode("done", describe_reply(self.task.result()))


def _encode(name: str, data: dict[str, Any]) -> bytes:
    return format_sse_event(event=name, data_str=json.dumps(data, ensure_ascii=False))


def describe_event(event: ChatEvent) -> tuple[str, dict[str, Any]]:
    match event:
        case Accepted(message_id):
            return "accepted", {"message_id": message_id}
        case Grown(text):
            return "text", {"text": text}
        case made:
            return "promise", describe_promise(made.promise)


def describe_reply(reply: ChatReply) -> dict[str, Any]:
    promises = [describe_promise(promise) for promise in reply.promises]
    return {"message_id": reply.message_id, "reply": reply.reply, "promises": promises}


def describe_line(line: Line) -> dict[str, Any]:
    return {"message_id": line.message_id, "own": line.is_own, "at": line.at.isoformat(), "text": line.text}


def describe_reason(reason: Reason) -> dict[str, Any]:
    return {
        "front": reason.front,
        "chat": reason.chat,
        "message_id": reason.message_id,
        "sender": reason.sender,
        "sent_at": reason.sent_at.isoformat(),
        "answered": reason.answered,
        "reason": reason.reason,
    }
