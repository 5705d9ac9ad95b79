"""`GET /health`, which serves what is known already, and the self-ping, which finds out (S4, B9)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from core.checks import (
    DATABASE,
    DISK,
    WORKER,
    Board,
    Component,
    Finding,
    Snapshot,
    Status,
    check_database,
    check_disk,
    check_worker,
)
from core.clock import Clock
from web.doors import WebDoors

Probe = Callable[[], Finding]
PROBE_SECONDS = 2.0


def build_health_routes(doors: WebDoors) -> APIRouter:
    routes = APIRouter()
    started_at = doors.clock.now()

    @routes.api_route("/health", methods=["GET", "HEAD"])
    async def show_health() -> JSONResponse:
        snapshot = doors.health()
        uptime = (snapshot.taken_at - started_at).total_seconds()
        return JSONResponse(
            {"status": snapshot.status, "pid": os.getpid(), "uptime_s": round(uptime, 1), **describe(snapshot)},
            503 if snapshot.status is Status.UNHEALTHY else 200,
        )

    @routes.post("/health/self-ping")
    async def ping_self() -> JSONResponse:
        outcome = await doors.pinger.ping()
        body = {"ok": outcome.is_back, "seconds": round(outcome.seconds, 3), "sentence": outcome.sentence}
        return JSONResponse(body, 200 if outcome.is_back else 503)

    return routes


def describe(snapshot: Snapshot) -> dict[str, Any]:
    parts = {part.name: describe_part(part, snapshot.taken_at) for part in snapshot.components}
    return {"at": snapshot.taken_at.isoformat(), "components": parts}


def describe_part(part: Component, now: datetime) -> dict[str, Any]:
    body: dict[str, Any] = {
        "status": part.finding.status,
        "sentence": part.finding.sentence,
        "since": part.since.isoformat(),
        "age_s": round((now - part.heard_at).total_seconds(), 1),
    }
    mend = {"mend": part.finding.mend} if part.finding.mend else {}
    return body | mend | ({"counts": dict(part.finding.counts)} if part.finding.counts else {})


def no_trouble() -> str | None:
    """What a database says of itself that is well."""


def machine_probes(
    home: Path, lock: Path, database: Path | None = None, trouble: Callable[[], str | None] = no_trouble
) -> Mapping[str, Probe]:
    """What costs a system call or two and is worth looking at all the time.

    `lock` is the worker's; `database` is the file that is open now, the one in `home` unless another is named;
    `trouble` is why it cannot be written.
    """
    probes: dict[str, Probe] = {WORKER: lambda: check_worker(lock), DISK: lambda: check_disk(home)}
    ledger = database or home / "system.db"
    if ledger.exists():
        first = ledger.stat()
        probes[DATABASE] = lambda: check_database(ledger, first, trouble())
    return probes


async def keep_watch(board: Board, probes: Mapping[str, Probe], clock: Clock, seconds: float = PROBE_SECONDS) -> None:
    """Post what the probes find, again and again, until cancelled."""
    while True:
        for name, probe in probes.items():
            board.post(name, await asyncio.to_thread(probe))
        await clock.sleep(seconds)
