"""Whom a commit wakes."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

from core.doorbell import Doorbell, own_bell
from promises.rings import Rings
from tests.promises.stage import DEADLINE, SilentBell


async def test_p5_a_cancel_is_heard_by_every_worker_and_news_by_the_server(tmp_path: Path) -> None:
    workers = [Doorbell(own_bell(tmp_path / "workers")) for _ in range(2)]
    server = Doorbell(tmp_path / "server")
    rings = Rings(SilentBell(), tmp_path / "workers", tmp_path / "server")
    rings.call_keepers()
    rings.call_server()
    async with asyncio.timeout(DEADLINE):
        for bell in (*workers, server):
            assert await bell.rung.wait()
            bell.close()


async def test_p2_new_work_is_rung_for_one_by_one(tmp_path: Path) -> None:
    bell = SilentBell()
    rings = Rings(bell, tmp_path / "workers", tmp_path / "server")
    await rings.call_worker([])
    await rings.call_worker([(7, 0), (8, 5)])
    assert bell.rung == [7, 8]


async def test_p2_what_a_free_hand_takes_waits_in_no_queue(tmp_path: Path) -> None:
    bell = SilentBell()
    bell.is_taken = {7}.__contains__
    reached: list[str] = []
    rings = Rings(bell, tmp_path / "workers", tmp_path / "server", reached.append)
    await rings.call_worker([(7, 0), (8, 5)])
    assert bell.rung == [8]
    await rings.call_again([(7, 0)])
    assert bell.rung == [8, 7]
    assert [*Counter(reached).items()] == [
        ("ring.offer:before", 2),
        ("ring.offer:after", 2),
        ("ring.bell:before", 2),
        ("ring.bell:after", 2),
    ]
