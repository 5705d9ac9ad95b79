"""S1: waiting until the product answers."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.client import Address, Client
from cli.readiness import NotReady, Readiness, describe_parts
from cli.records import Part, Records
from core.checks import Status
from tests.web.stage import TOKEN, Stage


def readiness_of(stage: Stage, records: Records) -> Readiness:
    return Readiness(Client(Address("127.0.0.1", stage.port), TOKEN), records)


def records_in(home: Path) -> Records:
    """This process plays server and worker, since it serves the stage."""
    records = Records(home)
    (home / "logs").mkdir()
    for part in (Part.SERVER, Part.WORKER):
        records.note(part, os.getpid())
        records.output(part).write_text("")
    return records


async def wait(stage: Stage, records: Records, seconds: float, settling: float = 5) -> dict[str, Any]:
    return await asyncio.to_thread(readiness_of(stage, records).wait, seconds, settling)


async def test_s1_it_waits_for_self_ping_and_worker_and_for_what_is_starting(tmp_path: Path) -> None:
    async with Stage().up() as stage:
        stage.board.report("model", Status.STARTING, "It is being loaded.")
        waiting = asyncio.create_task(wait(stage, records_in(tmp_path), 10))
        stage.board.report("worker", Status.DEGRADED, "No worker runs.")
        stage.board.report("self-ping", Status.STARTING, "On its way.")
        await asyncio.wait({waiting}, timeout=0.2)
        assert not waiting.done()
        stage.board.report("worker", Status.HEALTHY, "It runs.")
        stage.board.report("self-ping", Status.HEALTHY, "It came back.")
        await asyncio.wait({waiting}, timeout=0.2)
        assert not waiting.done()
        stage.board.report("model", Status.OFF, "No key.")
        health = await waiting
    assert describe_parts(health) == [
        "up        server     The server answers.",
        "off       model      No key.",
        "up        worker     It runs.",
        "up        self-ping  It came back.",
    ]


async def test_s1_what_goes_on_starting_is_said_to(tmp_path: Path) -> None:
    async with Stage().up() as stage:
        for part in ("worker", "self-ping"):
            stage.board.report(part, Status.HEALTHY, "Fine.")
        stage.board.report("model", Status.STARTING, "It is being loaded.")
        health = await wait(stage, records_in(tmp_path), 10, 0.1)
    assert "starting  model      It is being loaded." in describe_parts(health)


async def test_s1_a_self_ping_that_does_not_return_is_the_reason(tmp_path: Path) -> None:
    async with Stage().up() as stage:
        stage.board.report("self-ping", Status.UNHEALTHY, "Nothing came back in 20 s.")
        with pytest.raises(NotReady, match="Nothing came back"):
            await wait(stage, records_in(tmp_path), 10)


async def test_s1_after_the_time_the_reason_is_named(tmp_path: Path) -> None:
    async with Stage().up() as stage:
        stage.board.report("worker", Status.DEGRADED, "No worker runs.")
        with pytest.raises(NotReady, match=r"not ready after 0 s\. worker: No worker runs\."):
            await wait(stage, records_in(tmp_path), 0.3)
    with pytest.raises(NotReady, match="did not answer"):
        await wait(stage, Records(tmp_path), 0.1)


async def test_s1_a_strangers_server_is_not_ours(tmp_path: Path) -> None:
    records = records_in(tmp_path)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        records.note(Part.SERVER, other.pid)
        async with Stage().up() as stage:
            with pytest.raises(NotReady, match="did not answer"):
                await wait(stage, records, 0.3)
        other.kill()


async def test_s1_a_process_that_ends_at_once_is_the_reason_with_its_last_words(tmp_path: Path) -> None:
    records = records_in(tmp_path)
    records.output(Part.WORKER).write_text("Traceback\nsystem.db is newer\n")
    async with Stage().up() as stage:
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as worker:
            records.note(Part.WORKER, worker.pid)
            waiting = asyncio.create_task(wait(stage, records, 10))
            await asyncio.wait({waiting}, timeout=0.3)
            worker.kill()
        with pytest.raises(NotReady, match=r"The worker ended during the start\. Traceback\nsystem.db is newer"):
            await waiting


@pytest.mark.parametrize("front", ["telegram account", "telegram bot"])
async def test_s1_a_front_that_is_lost_is_the_reason(tmp_path: Path, front: str) -> None:
    async with Stage().up() as stage:
        stage.board.report(front, Status.UNHEALTHY, "Telegram has ended it.")
        with pytest.raises(NotReady, match="Telegram has ended it"):
            await wait(stage, records_in(tmp_path), 10)
