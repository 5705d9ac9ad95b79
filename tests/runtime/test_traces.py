"""A run as a tree of what came of what."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from core.clock import FakeClock
from core.database import Database
from core.errors import Unknown
from core.schema import llm_calls, promises, runs, steps, turns
from runtime.traces import LOST, Node, Trace, read_trace
from tests.runtime.test_trace_store import CALL

START = FakeClock().now()
ASKED = {"front": "local", "chat_id": "page", "workspace": "w", "requester_id": 1, "role": "owner"}


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def answer(text: str = "", *calls: str) -> dict[str, Any]:
    said = [{"part_kind": "text", "content": text}] if text else []
    return {"parts": [*said, *({"part_kind": "tool-call", "tool_call_id": call} for call in calls)]}


class Story:
    """What lies on disk of a run, written row by row."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.rows: list[Any] = [
            insert(runs).values(
                id="r", agent="valor", workspace="w", promise_id=7, status="done", started_at=at(0), ended_at=at(60)
            )
        ]

    def call(self, started: float, duration: float | None, outcome: str = "ok", **spent: Any) -> None:
        values = {**CALL, "run": "r", "outcome": outcome, "started_at": at(started), "duration": duration, **spent}
        self.rows.append(insert(llm_calls).values(**values))

    def model(self, key: str, ended: float, response: dict[str, Any], **values: Any) -> None:
        self._step(key, "model", "m", started_at=at(ended), ended_at=at(ended), response=response, **values)

    def other(self, kind: str, key: str, at_once: float, **values: Any) -> None:
        self._step(key, kind, "scout", started_at=at(at_once), ended_at=at(at_once), **values)

    def tool(self, key: str, started: float, ended: float | None, **values: Any) -> None:
        status = "intent" if ended is None else "done"
        values = {"request": {"path": "a.txt"}, "status": status, **values}
        self._step(key, "tool", "read", started_at=at(started), ended_at=None if ended is None else at(ended), **values)

    def _step(self, key: str, kind: str, name: str, **values: Any) -> None:
        known = {"run_id": "r", "key": key, "kind": kind, "name": name, "status": "done"}
        self.rows.append(insert(steps).values(**{**known, **values}))

    async def read(self, name: str = "r") -> Trace:
        await self.database.write("test", lambda connection: [connection.execute(row) for row in self.rows])
        self.rows.clear()
        return await self.database.read(lambda connection: read_trace(connection, name))


@pytest.fixture
def story(database: Database) -> Story:
    return Story(database)


def shape(nodes: tuple[Node, ...]) -> list[Any]:
    return [(node.key, shape(node.children)) if node.children else node.key for node in nodes]


async def test_p9_tool_calls_stand_under_the_answer_that_asked_for_them(story: Story) -> None:
    story.call(0, 2, cost=0.25, tokens_in=100, tokens_out=10)
    story.model("model:1", 2, answer("Let me look.", "a", "b"))
    story.tool("a", 2, 3.5, evidence=[{"kind": "source", "url": "u"}])
    story.tool("b", 2, None)
    story.call(4, 1, cost=0.5, tokens_in=200, tokens_out=20, tokens_cached=90)
    story.model("model:2", 5, answer("Done."))
    trace = await story.read()
    assert shape(trace.nodes) == [("model:1", ["a", "b"]), "model:2"]
    first, second = trace.nodes
    assert (first.about, first.spent.seconds, first.spent.cost) == ("Let me look.", 2, 0.25)
    assert (second.about, second.spent.tokens_in, second.spent.tokens_cached) == ("Done.", 200, 90)
    a, b = first.children
    assert (a.about, a.status, a.spent.seconds, a.evidence) == (
        '{"path": "a.txt"}',
        "done",
        1.5,
        ({"kind": "source", "url": "u"},),
    )
    assert (b.status, b.spent.seconds) == ("intent", None)
    assert (trace.model_calls, trace.tool_calls) == (2, 2)
    assert (trace.total.seconds, trace.total.cost, trace.total.tokens_in) == (60, 0.75, 300)


async def test_p9_calls_in_vain_and_lost_answers_are_shown_where_they_were(story: Story) -> None:
    story.call(0, 1, "error", error_type="overloaded_error")
    story.call(2, 1)
    story.model("model:1", 3, answer("", "a"))
    story.tool("a", 3, 4)
    story.call(5, 1, cost=0.5)  # its process died before the answer was a step
    story.call(10, 1, cost=0.5)
    story.model("model:2", 11, answer("Done."))
    story.call(12, None, "open")
    trace = await story.read()
    assert shape(trace.nodes) == ["call:1", ("model:1", ["a"]), "call:3", "model:2", "call:5"]
    statuses = [(node.status, node.about) for node in trace.nodes if node.kind == "call"]
    assert statuses == [("error", "overloaded_error"), (LOST, ""), ("open", "")]
    assert (trace.model_calls, trace.total.cost) == (3, 1)


async def test_p9_nested_runs_stand_under_the_call_that_ran_them(story: Story) -> None:
    story.model("model:1", 1, answer("", "a"))
    story.tool("a", 1, 9)
    story.other("agent", "a/scout.1", 1, parent="a", request="look")
    story.model("a/scout.1/model:1", 2, answer("", "a", "c"), parent="a/scout.1")
    story.tool("a/scout.1/a", 2, 3, parent="a/scout.1")
    story.tool("a/scout.1/c", 2, 3, parent="a/scout.1")
    story.model("model:2", 10, answer("Done."))
    trace = await story.read()
    inner = ("a/scout.1/model:1", ["a/scout.1/a", "a/scout.1/c"])
    assert shape(trace.nodes) == [("model:1", [("a", [("a/scout.1", [inner])])]), "model:2"]


async def test_b5_who_steered_and_what_was_set_aside_can_be_read(story: Story) -> None:
    aside = {"set_aside_at": at(20)}
    story.model("model:1", 1, answer("", "a"))
    story.tool("a", 1, 2)
    story.model("model:2~1", 3, answer("", "b"), **aside)
    story.tool("b~1", 3, 4, **aside)
    story.other("steer", "steer:page:7", 5, request={"text": "Meanwhile Olga wrote: faster"})
    story.model("model:2", 21, answer("Done."))
    trace = await story.read()
    assert shape(trace.nodes) == [("model:1", ["a"]), ("model:2~1", ["b~1"]), "steer:page:7", "model:2"]
    assert [node.status for node in trace.nodes] == ["done", "done, set aside", "done", "done"]
    assert trace.nodes[2].about == "Meanwhile Olga wrote: faster"


async def test_p9_a_call_id_given_again_belongs_to_the_later_answer(story: Story) -> None:
    for number, key in ((1, "call_0"), (2, "call_0@2")):
        story.model(f"model:{number}", number, answer("", "call_0"))
        story.tool(key, number, number)
    assert shape((await story.read()).nodes) == [("model:1", ["call_0"]), ("model:2", ["call_0@2"])]


async def test_a_run_is_found_by_its_id_its_turn_and_its_promise(story: Story) -> None:
    moments = {"created_at": START}
    story.rows += [
        insert(turns).values(**ASKED, **moments, id=3, status="done", reply_to=1, run_id="r"),
        insert(turns).values(**ASKED, **moments, id=4, kind="command", status="done", reply_to=1, run_id="none"),
        insert(turns).values(**ASKED, **moments, id=5, status="done", reply_to=1, run_id="links"),
        *(
            insert(runs).values(id=name, agent="reader", workspace="w", turn_id=5, status="done", started_at=START)
            for name in ("links.1", "links.0", "linksome")
        ),
        *(
            insert(promises).values(
                **ASKED,
                **moments,
                id=number,
                status="pending",
                task_description="x",
                task_type="code",
                run_id=run,
                updated_at=START,
            )
            for number, run in ((7, "r"), (8, "not begun"))
        ),
    ]
    for name in ("r", "turn:3", "7", "#7"):
        assert (await story.read(name)).run.id == "r"
    assert (await story.read("turn:5")).run.id == "links.0"
    for name, sentence in {
        "rr": "There is no run 'rr': give a run's id, turn:NUMBER, or a promise's number",
        "turn:9": "There is no turn 9",
        "9": "There is no promise #9",
        "turn:4": "No agent has begun to work for turn 4",
        "8": "No agent has begun to work for promise #8",
        "9" * 30: "There is no run",
    }.items():
        with pytest.raises(Unknown, match=sentence):
            await story.read(name)
