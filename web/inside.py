"""The application without a server: its routes over the tables, asked from within this process."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from starlette.types import Message

from conversations.dead_letters import DeadLetters
from core.checks import Board
from core.clock import Clock
from core.database import Database
from promises.service import Promises
from web.app import create_app
from web.doors import WebDoors, WebRules
from web.late import LateDoors
from web.ledger import LedgerPromises, LedgerRuns, LedgerWhy

if TYPE_CHECKING:
    from starlette.types import ASGIApp

HERE = "127.0.0.1"
PORT = 9000


async def ask_inside(doors: WebDoors, method: str, path: str) -> tuple[int, Any]:
    """Status and body, as a client of the server would get them."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    app: ASGIApp = create_app(doors)
    await app(_scope(method, path, doors.rules.token), receive, send)
    body = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], json.loads(body)


def doors_onto(database: Database, promises: Promises, clock: Clock, wake: Callable[[], None]) -> WebDoors:
    """The doors behind which the tables are enough; what needs a running server stays shut."""
    rules = WebRules(secrets.token_hex(), PORT)
    return replace(
        LateDoors().doors(Board(clock).snapshot, clock, rules),
        promises=LedgerPromises(database, promises),
        letters=DeadLetters(database, wake),
        runs=LedgerRuns(database),
        why=LedgerWhy(database),
    )


def _scope(method: str, path: str, token: str) -> dict[str, Any]:
    parts = urlsplit(path)
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(parts.path),
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": [(b"host", HERE.encode()), (b"authorization", f"Bearer {token}".encode())],
        "client": (HERE, 0),
        "server": (HERE, PORT),
    }
