"""A run as it is seen from outside."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from core.clock import FakeClock
from core.database import Database
from core.schema import llm_calls, runs, steps
from runtime import trace_store

START = FakeClock().now()
CALL = {"kind": "promise", "model": "m", "system_chars": 1, "prompt_chars": 1, "calls_last_60s": 1}


@pytest.mark.parametrize(
    ("status", "story", "is_spent"),
    [
        ("done", ["call", "step"], True),
        ("stopped", ["call", "step"], False),
        ("running", ["call", "step"], False),
        ("failed", ["call", "step"], True),  # a limit, an empty answer: it would come to the same again
        ("failed", ["call", "step", "error"], False),  # the model did not answer
        ("failed", ["error"], False),
        ("failed", ["call", "step", "call"], False),  # its answer was lost with the process
        ("failed", ["call", "step", "intent"], False),  # a tool did not return
        ("failed", ["call", "step", "back", "error"], False),  # the clock was set back meanwhile
        ("failed", ["call", "step", "back", "call", "step"], True),
        ("failed", ["call", "step", "back", "call", "step", "call"], False),
        (None, [], False),
    ],
)
async def test_p9_a_run_is_spent_when_going_on_would_end_it_the_same_way(
    database: Database, status: str | None, story: list[str], is_spent: bool
) -> None:
    rows: list[Any] = []
    clock = START
    for second, what in enumerate(story):
        clock -= timedelta(hours=1) if what == "back" else timedelta()
        at = clock + timedelta(seconds=second)
        if what == "back":
            continue
        if what in {"step", "intent"}:
            key = {"run_id": "r", "key": f"k{second}", "kind": "tool", "name": "t", "started_at": at}
            ended = {"status": "done", "ended_at": at} if what == "step" else {"status": "intent"}
            rows.append(insert(steps).values(**key, **ended))
        else:
            rows.append(insert(llm_calls).values(**CALL, run="r", outcome=what.replace("call", "ok"), started_at=at))
    if status is not None:
        rows.append(insert(runs).values(id="r", agent="v", workspace="w", status=status, started_at=START))
    await database.write("test", lambda connection: [connection.execute(row) for row in rows])

    async def ask(*, was_judged: bool) -> bool:
        return await database.read(lambda connection: trace_store.is_spent(connection, "r", was_judged=was_judged))

    assert await ask(was_judged=True) is is_spent
    assert await ask(was_judged=False) is (is_spent and status != "done")
