"""What is asked for every message, and whenever somebody waits, finds its rows by an index: no table may slow it down.

The plans are those of the statements as they are asked: in a list of bound values SQLite overlooks partial indexes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, event

from conversations import alert_store, attachment_store, dead_letter_store, delivery_store, store, turn_store
from core.message import Chat
from tests.conversations.conftest import Stage

CHAT = Chat("local", "1")
Ask = Callable[[Connection], object]
TURNS: dict[str, Ask] = {
    "the last open turn": lambda connection: turn_store.last_open(connection, CHAT),
    "the turn that runs": lambda connection: turn_store.running(connection, CHAT),
    "the turn that has begun": lambda connection: turn_store.begun(connection, CHAT),
    "turns to stop": lambda connection: turn_store.wanted(connection, CHAT),
    "whether another waits": lambda connection: turn_store.has_next(connection, CHAT),
    "the next turn": lambda connection: turn_store.claim(connection, CHAT, "nobody", datetime.now(UTC)),
    "what was left running": lambda connection: turn_store.interrupted(connection, "nobody"),
    "what waits": lambda connection: turn_store.open_turns(connection, ["local"]),
}
OTHERS: dict[str, Ask] = {
    "dead letters": lambda connection: dead_letter_store.oldest(connection, 9),
    "chats that are owed": lambda connection: delivery_store.owed_chats(connection, ["local", "bot"]),
    "how much is owed": delivery_store.count_owed,
    "direct chats": alert_store.direct_chats,
    "why": lambda connection: store.why(connection, "1", 1),
    "recent lines": lambda connection: store.recent(connection, CHAT, 9, 9, "Team"),
    "labels": lambda connection: attachment_store.labels(connection, [1, 2]),
}


async def plan_of(stage: Stage, ask: Ask) -> str:
    """How SQLite goes about every statement of a question."""
    plans: list[str] = []

    def explain(_connection: object, cursor: Any, statement: str, parameters: Any, *_: object) -> None:
        rows = cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
        plans.extend(row[3] for row in rows)

    def work(connection: Connection) -> None:
        event.listen(connection, "before_cursor_execute", explain)
        try:
            ask(connection)
        finally:
            event.remove(connection, "before_cursor_execute", explain)

    await stage.database.write("ask", work)
    assert plans
    return "\n".join(plans)


@pytest.mark.parametrize("ask", TURNS.values(), ids=TURNS.keys())
async def test_b6_a_chats_turns_are_found_however_many_it_has_had(stage: Stage, ask: Ask) -> None:
    plan = await plan_of(stage, ask)
    assert "ix_turns_recent" not in plan  # holds all that the chat has ever had
    assert not re.search(r"SCAN (turns|messages)", plan)


@pytest.mark.parametrize("ask", OTHERS.values(), ids=OTHERS.keys())
async def test_b4_no_question_reads_a_whole_table(stage: Stage, ask: Ask) -> None:
    plan = await plan_of(stage, ask)
    assert not re.search(r"SCAN (messages|turns|attachments|deliveries(?! USING INDEX ix_deliveries_lost))", plan)
    assert not re.search(r"SEARCH (messages|deliveries) .*\(front=\?\)", plan)
