"""S4: what is known is served, and nobody is asked; B9: the self-ping on demand."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from core.checks import Board, Finding, Status
from core.clock import FakeClock
from tests.web.stage import Stage
from web.doors import PingOutcome
from web.health import keep_watch, machine_probes


async def test_s4_health_serves_the_last_snapshot_with_ages() -> None:
    clock = FakeClock()
    async with Stage(clock=clock).up() as stage, stage.client({}) as client:
        stage.board.report("worker", Status.DEGRADED, "No worker runs.", "scripts/start.sh")
        clock.advance(4)
        body = (await client.get("/health")).json()
    assert body["status"] == "degraded"
    assert body["pid"] == os.getpid()
    assert body["uptime_s"] == 4
    assert body["components"]["worker"] == {
        "status": "degraded",
        "sentence": "No worker runs.",
        "since": "2026-01-01T00:00:00+00:00",
        "age_s": 4,
        "mend": "scripts/start.sh",
    }


async def test_s4_health_serves_what_was_counted_beside_what_is_said_of_it() -> None:
    async with Stage().up() as stage, stage.client({}) as client:
        stage.board.post("event loop", Finding(Status.HEALTHY, "Never late.", counts=(("1", 40), ("20", 2))))
        body = (await client.get("/health")).json()
    assert body["components"]["event loop"]["counts"] == {"1": 40, "20": 2}


@pytest.mark.parametrize(
    ("status", "code"), [("starting", 200), ("healthy", 200), ("degraded", 200), ("off", 200), ("unhealthy", 503)]
)
async def test_s4_only_unhealthy_is_503(status: str, code: int) -> None:
    async with Stage().up() as stage, stage.client({}) as client:
        stage.board.report("database", Status(status), "So it is.")
        assert (await client.get("/health")).status_code == code
        assert (await client.head("/health")).status_code == code


@pytest.mark.parametrize(("is_back", "code"), [(True, 200), (False, 503)])
async def test_b9_the_self_ping_on_demand(is_back: bool, code: int) -> None:
    async with Stage().up() as stage, stage.client() as client:
        stage.pinger.outcome = PingOutcome(is_back, 0.5, "Said so.")
        answer = await client.post("/health/self-ping")
    assert (answer.status_code, answer.json()) == (code, {"ok": is_back, "seconds": 0.5, "sentence": "Said so."})


async def test_s4_the_watch_posts_what_the_probes_find_again_and_again() -> None:
    clock, found = FakeClock(), asyncio.Event()
    board, loop = Board(clock), asyncio.get_running_loop()

    def probe() -> Finding:
        loop.call_soon_threadsafe(found.set)
        return Finding(Status.HEALTHY, "Fine.")

    watching = asyncio.create_task(keep_watch(board, {"disk": probe}, clock))
    for _ in range(2):
        await asyncio.wait_for(found.wait(), 5)
        found.clear()
        await clock.until_asleep()
        clock.advance(2)
    watching.cancel()
    assert board.snapshot().components[0].finding.sentence == "Fine."


@pytest.mark.parametrize("again", [False, True])
def test_b7_a_ledger_that_was_deleted_or_replaced_is_no_longer_healthy(tmp_path: Path, again: bool) -> None:
    ledger = tmp_path / "system.db"
    ledger.touch()
    probe = machine_probes(tmp_path, tmp_path / "worker.lock", ledger)["database"]
    before = probe()
    ledger.rename(tmp_path / "elsewhere.db")
    if again:
        ledger.touch()
    after = probe()
    assert before == Finding(Status.HEALTHY, "system.db is up to date.")
    assert (after.status, after.mend) == (Status.UNHEALTHY, "scripts/stop.sh && scripts/start.sh")
    assert after.sentence.startswith("system.db was deleted or replaced while Valor runs")


def test_bad_input_a_database_that_cannot_be_written_is_unhealthy_and_says_why(tmp_path: Path) -> None:
    ledger, trouble = tmp_path / "system.db", ["The disk is full."]
    ledger.touch()
    probe = machine_probes(tmp_path, tmp_path / "worker.lock", ledger, lambda: trouble[0] if trouble else None)[
        "database"
    ]
    assert probe() == Finding(Status.UNHEALTHY, "The disk is full.")
    trouble.clear()
    assert probe().status is Status.HEALTHY


def test_a_ledger_whose_file_is_not_there_at_the_start_is_not_watched(tmp_path: Path) -> None:
    assert "database" not in machine_probes(tmp_path, tmp_path / "worker.lock")


def test_s5_without_a_worker_the_probe_says_so(tmp_path: Path) -> None:
    probes = machine_probes(tmp_path, tmp_path / "worker.lock")
    assert probes["worker"]().status is Status.DEGRADED
    assert probes["disk"]().sentence.endswith("free.")
