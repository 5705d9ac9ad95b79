from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from core.doorbell import Doorbell, listen, listeners, own_bell, ring, ring_all


async def test_a_ring_of_another_process_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "data" / "bell"
    doorbell = Doorbell(path)
    command = "import sys, pathlib, core.doorbell as bell; bell.ring(pathlib.Path(sys.argv[1]))"
    ringing = await asyncio.create_subprocess_exec(sys.executable, "-c", command, str(path))
    async with asyncio.timeout(20):
        await doorbell.rung.wait()
    assert await ringing.wait() == 0
    assert path.stat().st_mode & 0o777 == 0o600
    doorbell.close()


async def test_rings_that_nobody_takes_are_no_error(tmp_path: Path) -> None:
    path = tmp_path / "bell"
    ring(path)
    left = listen(path)
    for _ in range(2_000):
        ring(path)
    left.close()
    ring(path)
    doorbell = Doorbell(path)
    ring(path)
    ring(path)
    async with asyncio.timeout(5):
        await doorbell.rung.wait()
    doorbell.close()


async def test_a_path_too_long_for_a_socket_s_address_works_as_well(tmp_path: Path) -> None:
    path = tmp_path / ("deep" * 40) / "bell"
    doorbell = Doorbell(path)
    ring(path)
    async with asyncio.timeout(5):
        await doorbell.rung.wait()
    doorbell.close()


async def test_every_bell_of_a_folder_is_rung_and_those_of_the_dead_are_taken_away(tmp_path: Path) -> None:
    folder = tmp_path / "bells"
    ring_all(folder)
    bells = [Doorbell(own_bell(folder)) for _ in range(2)]
    listen(own_bell(folder)).close()
    full = listen(own_bell(folder))
    (folder / "notes.txt").touch()
    assert len(list(folder.iterdir())) == 5
    for _ in range(1_000):
        ring_all(folder)
    async with asyncio.timeout(5):
        for bell in bells:
            await bell.rung.wait()
            bell.close()
    assert len(list(folder.iterdir())) == 4
    assert listeners(folder) == {os.getpid()}
    full.close()
    ring_all(folder)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_the_bell_needs_no_other_module_of_ours() -> None:
    command = "import sys, core.doorbell; print([m for m in sys.modules if m.startswith(('core.', 'sqlalchemy'))])"
    told = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "['core.doorbell']"
