"""`POST /api/chat`: at once or as it grows, and what its caller is told when it fails."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi.sse import KEEPALIVE_COMMENT

from core import errors
from tests.web.stage import PlayedChat, Stage
from web.chat import Answering
from web.doors import Question

STREAM = {"accept": "text/event-stream"}
PROMISE = {
    "id": 7,
    "task_description": "count the stars",
    "task_type": "analysis",
    "status": "pending",
    "progress": None,
    "result_summary": None,
    "error_message": None,
    "created_at": "2026-01-01T00:00:00+00:00",
    "completed_at": None,
    **dict.fromkeys(("waiting_for", "due_at", "every", "zone")),
}
DONE = {"message_id": 1, "reply": "HELLO", "promises": [PROMISE]}


async def events_of(answer: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    name = ""
    async for line in answer.aiter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        if field == "data":
            yield name, json.loads(value)


async def test_a_question_gets_its_answer_as_json() -> None:
    async with Stage().up() as stage, stage.client() as client:
        body = {"text": "hello", "workspace": "psy", "chat": "page:psy"}
        answer = await client.post("/api/chat", json=body, headers={"idempotency-key": "k1"})
    assert (answer.status_code, answer.json()) == (200, DONE)
    assert stage.chat.asked == [Question("hello", "page:psy", "psy", "k1")]


async def test_half_a_letter_in_a_question_is_replaced() -> None:
    async with Stage().up() as stage, stage.client() as client:
        body = b'{"text": "/promise cut off \\ud83d"}'
        answer = await client.post("/api/chat", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 200
    assert [question.text for question in stage.chat.asked] == ["/promise cut off \ufffd"]


async def test_the_same_as_events() -> None:
    body = {"text": "hello"}
    async with Stage().up() as stage, stage.client() as client:
        streaming = client.stream("POST", "/api/chat", json=body, headers=STREAM)
        async with streaming as answer:
            told = [event async for event in events_of(answer)]
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert told == [("accepted", {"message_id": 1}), ("text", {"text": "HEL"}), ("promise", PROMISE), ("done", DONE)]
    assert stage.chat.asked == [Question("hello", "page", None, None)]


async def test_the_answer_grows_before_it_is_whole() -> None:
    async with Stage().up() as stage, stage.client() as client:
        stage.chat.gate = asyncio.Event()
        async with client.stream("POST", "/api/chat", json={"text": "hello"}, headers=STREAM) as answer:
            events = events_of(answer)
            early = [await anext(events), await anext(events)]
            stage.chat.gate.set()
            late = [name async for name, _ in events]
    assert [name for name, _ in early] == ["accepted", "text"]
    assert late == ["promise", "done"]


async def test_b1_who_hangs_up_stops_nothing() -> None:
    async with Stage().up() as stage, stage.client() as client:
        stage.chat.gate = asyncio.Event()
        async with client.stream("POST", "/api/chat", json={"text": "hello"}, headers=STREAM) as answer:
            await anext(events_of(answer))
        assert not stage.chat.answered.is_set()
        stage.chat.gate.set()
        assert await asyncio.wait_for(stage.chat.answered.wait(), 5)


async def test_a_silent_answer_keeps_the_connection_alive() -> None:
    chat = PlayedChat(gate=asyncio.Event())
    assert chat.gate is not None
    told: list[bytes] = []
    async for event in Answering(chat, Question("hello")).stream(0.01):
        told.append(event)
        if event == KEEPALIVE_COMMENT:
            chat.gate.set()
    assert told[2] == KEEPALIVE_COMMENT
    assert told[-1].startswith(b"event: done\n")


async def test_an_answer_cut_short_by_the_servers_end_says_so() -> None:
    answering = Answering(PlayedChat(gate=asyncio.Event()), Question("hello"))
    stream = answering.stream()
    early = [await anext(stream), await anext(stream)]
    answering.task.cancel()
    late = [event async for event in stream]
    assert len(early) == 2
    assert b"The server is stopping" in late[-1]


FAULTS = [
    (errors.NotAllowed("No right."), 403),
    (errors.Unknown("No such workspace."), 404),
    (errors.Busy("Held."), 409),
    (errors.RequestError("Ask otherwise."), 400),
    (errors.ModelRefused("The key is refused."), 502),
    (errors.ModelUnavailable("Overloaded."), 503),
    (errors.Cancelled("Stopped."), 409),
    (errors.DatabaseError("Full."), 503),
]


async def test_b12_an_error_is_one_sentence() -> None:
    async with Stage().up() as stage, stage.client() as client:
        for error, status in FAULTS:
            stage.chat.error = error
            answer = await client.post("/api/chat", json={"text": "hello"})
            async with client.stream("POST", "/api/chat", json={"text": "hello"}, headers=STREAM) as stream:
                told = [event async for event in events_of(stream)]
            assert (answer.status_code, answer.json()) == (status, {"error": str(error)})
            assert told[-1] == ("error", {"error": str(error)})


async def test_b12_what_nobody_foresaw_is_told_by_an_id_that_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with Stage().up() as stage, stage.client() as client:
        stage.chat.error = RuntimeError("the secret is tangerine")
        answer = await client.post("/api/chat", json={"text": "hello"})
        async with client.stream("POST", "/api/chat", json={"text": "hello"}, headers=STREAM) as stream:
            told = [event async for event in events_of(stream)]
    ids = [record.__dict__["error_id"] for record in caplog.records if "error_id" in record.__dict__]
    assert answer.status_code == 500
    assert "tangerine" not in answer.text
    assert ids == [answer.json()["id"], told[-1][1]["id"]]


BAD: list[tuple[Any, str]] = [
    ({}, "text"),
    ({"text": ""}, "text"),
    ({"text": 5}, "text"),
    ({"text": "x", "chat": "../x"}, "chat"),
    ([], "body"),
]


async def test_bad_bodies_get_one_sentence_that_names_the_place() -> None:
    async with Stage().up() as stage, stage.client() as client:
        answers = [(await client.post("/api/chat", json=body), place) for body, place in BAD]
        torn = await client.post("/api/chat", content=b"{", headers={"content-type": "application/json"})
    for answer, place in answers:
        assert answer.status_code == 422
        assert answer.json()["error"].startswith(f"{place}: ")
    assert (torn.status_code, list(torn.json())) == (422, ["error"])
    assert stage.chat.asked == []


async def test_a_page_opened_again_finds_its_messages_and_the_workspaces() -> None:
    async with Stage().up() as stage, stage.client() as client:
        await client.post("/api/chat", json={"text": "hello"})
        lines = (await client.get("/api/messages")).json()
        workspaces = (await client.get("/api/workspaces")).json()
    assert lines == [{"message_id": 1, "own": False, "at": "2026-01-01T00:00:00+00:00", "text": "hello"}]
    assert workspaces == ["PsyOPTIMAL", "FlexTrip"]


async def test_a8_why_says_why() -> None:
    async with Stage().up() as stage, stage.client() as client:
        found, missing = await client.get("/api/why/-1005/9/5"), await client.get("/api/why/-1005/6")
    assert found.json()[0]["chat"] == "-1005/9"
    assert found.json()[0]["reason"] == "dm of a listed person"
    assert (missing.status_code, missing.json()) == (404, {"error": "No message 6 of chat -1005 is stored."})
