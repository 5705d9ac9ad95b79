"""The queries of every day with large tables, against the same with small ones.

The small ones hold one page for each query (LINES lines in each chat): reading nothing at all is no measure.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from conversations import delivery_store, turn_store
from conversations import store as message_store
from conversations.store import Filing
from conversations.turn import TurnKind
from core.access import Admission
from core.database import Database
from core.message import Chat, ChatKind, Message, Person
from core.protocols import PromiseOrder
from core.workspaces import Role, Workspace
from promises import lease_store, store
from promises.lease_store import Claim
from promises.reconciler import Reconciler
from promises.rings import Rings
from scripts.benchmarks.keys import quantile
from scripts.benchmarks.ledger_speed import Ground, MuteBell, asker_in, open_ground
from scripts.benchmarks.stage import WORKSPACE

SAMPLES = 60
CHATS = 100
LINES = 50
SHARES = (0.1, 0.3, 1.0)
NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count}) "
# What differs from row to row; everything else is copied from the first row.
VARIED = {
    "promises": {
        "id": "n",
        "chat_id": f"'chat ' || (n % {CHATS})",
        "run_id": "'run ' || n",
        "status": "'completed'",
        "tool_call_id": "NULL",
        "completed_at": "created_at",
    },
    "turns": {"id": "n", "chat_id": f"'chat ' || (n % {CHATS})", "run_id": "'run ' || n", "status": "'done'"},
    "messages": {"id": "n", "chat_id": f"'chat ' || (n % {CHATS})", "message_id": "n"},
    "deliveries": {
        "id": "n",
        "chat_id": f"'chat ' || (n % {CHATS})",
        "message_id": "n + 10000000",
        "promise_id": "n",
        "random_id": "n",
        "status": "'sent'",
        "sent_at": "created_at",
    },
}
Query = Callable[[Connection], object]


async def measure_scale(folder: Path, promises: int, messages: int) -> dict[str, float]:
    """The worst ratio of a query's time at any size to that with a page for each; the curves on standard error."""
    page = LINES * CHATS
    sizes = [(page, page), *((max(int(promises * by), page), max(int(messages * by), page)) for by in SHARES)]
    times = [await _time_with(folder / str(number), *size) for number, size in enumerate(sizes)]
    tell("promises / messages", [f"{known:,} / {said:,}" for known, said in sizes])
    for name in times[0]:
        tell(f"{name}, ms", [f"{one[name]:.2f}" for one in times])
    return {"scale_ratio_max": max(one[name] / times[0][name] for one in times for name in one)}


def tell(what: str, curve: list[str]) -> None:
    print(f"# {what}: {' → '.join(curve)}", file=sys.stderr)


async def _time_with(folder: Path, promises: int, messages: int) -> dict[str, float]:
    async with open_ground(folder) as ground:
        await _plant(ground)
        _grow(
            folder / "system.db",
            {"promises": promises, "messages": messages, "deliveries": promises, "turns": promises},
        )
        return await time_queries(ground)


async def _plant(ground: Ground) -> None:
    """The first rows."""
    await ground.promises(MuteBell()).make(PromiseOrder("Count the files"), asker_in(0), None)
    now = ground.clock.now()
    message = Message(Chat("local", "chat 0"), 1, ChatKind.DM, Person(1, "anna", "Anna"), now, "Hello")
    filing = Filing(WORKSPACE, "owner", "Hello", answer=False, reason="", via="live", turn_id=None)
    admission = Admission(Workspace(WORKSPACE, ground.folder), Role.OWNER, answer=True, reason="", prompt="Hello")

    def plant(connection: Connection) -> None:
        message_store.add_message(connection, message, filing, now)
        turn_store.open_turn(connection, message, admission, TurnKind.AGENT, now)

    await ground.database.write("plant", plant)


def _grow(path: Path, counts: dict[str, int]) -> None:
    """Multiply the first row of each table."""
    with closing(sqlite3.connect(path)) as connection:
        for table, count in counts.items():
            names: list[str] = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            values = ", ".join(VARIED[table].get(name, name) for name in names)
            connection.execute(
                f"INSERT INTO {table} ({', '.join(names)}) {NUMBERS.format(count=count)}"
                f"SELECT {values} FROM numbers, (SELECT * FROM {table} WHERE id = 1)"
            )
        connection.commit()


async def time_queries(ground: Ground) -> dict[str, float]:
    """Median milliseconds of each query."""
    database, now, chat = ground.database, ground.clock.now(), Chat("local", "chat 7")
    reading: dict[str, Query] = {
        "list of a workspace": lambda connection: store.newest(connection, WORKSPACE, 20),
        "page of promises": lambda connection: store.newest(connection, None, 50),
        "what changed": lambda connection: store.changed_since(connection, now),
        "what is pending": lambda connection: store.pending(connection, 100),
        "what is owed in a chat": lambda connection: delivery_store.owed_in(connection, chat),
        "chats that are owed": lambda connection: delivery_store.owed_chats(connection, ["local"]),
        "recent lines": lambda connection: message_store.recent(connection, chat, 10**9, 50, WORKSPACE),
        "turns of a chat": lambda connection: _turns_in(connection, chat),
        "answers in a minute": lambda connection: turn_store.count_since(connection, chat, now),
    }
    times = {name: await _time(lambda query=query: database.read(query)) for name, query in reading.items()}
    reconciler = Reconciler(
        database, Rings(MuteBell(), ground.folder / "worker", ground.folder / "server"), ground.clock
    )
    return times | {"reconcile": await _time(reconciler.reconcile), "claim": await _time_claims(ground, database)}


def _turns_in(connection: Connection, chat: Chat) -> object:
    """What every message asks of those that its chat has."""
    asked = (turn_store.last_open, turn_store.begun, turn_store.running, turn_store.has_next, turn_store.wanted)
    return [ask(connection, chat) for ask in asked]


async def _time(act: Callable[[], Any]) -> float:
    taken: list[float] = []
    for _ in range(SAMPLES):
        began = time.perf_counter()
        await act()
        taken.append((time.perf_counter() - began) * 1000)
    return quantile(taken, 0.5)


async def _time_claims(ground: Ground, database: Database) -> float:
    promises, taken = ground.promises(MuteBell()), list[float]()
    claim = Claim("bench", ground.clock.boot() + 30)
    for _ in range(SAMPLES):
        made = await promises.make(PromiseOrder("Count the files"), asker_in(0), None)
        began = time.perf_counter()
        await database.write(
            "promise-claim",
            lambda connection, made=made: lease_store.claim(connection, made.id, claim, ground.clock.now()),
        )
        taken.append((time.perf_counter() - began) * 1000)
    return quantile(taken, 0.5)
