"""Workers watch over one another."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from core.doorbell import listen, own_bell
from promises.peers import Peers
from tests.promises.stage import DEADLINE

LISTEN = """
import sys, pathlib
from core.doorbell import listen, own_bell
listening = listen(own_bell(pathlib.Path(sys.argv[1])))
print(flush=True)
input()
"""


async def test_p3_the_end_of_another_worker_is_told_once(tmp_path: Path) -> None:
    died = asyncio.Event()
    peers = Peers(tmp_path, died.set)
    own = listen(own_bell(tmp_path))
    (tmp_path / "999999999-00000000.bell").touch()  # of another container, or gone
    other = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", LISTEN, str(tmp_path)), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert other.stdout is not None
    await other.stdout.readline()
    peers.look()
    peers.look()
    assert not died.is_set()
    other.kill()
    async with asyncio.timeout(DEADLINE):
        await died.wait()
        await other.wait()
    peers.look()
    own.close()
    peers.close()


async def test_a_worker_that_leaves_watches_no_longer(tmp_path: Path) -> None:
    died = asyncio.Event()
    peers = Peers(tmp_path, died.set)
    other = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE)
    (tmp_path / f"{other.pid}-00000000.bell").touch()
    peers.look()
    peers.close()
    other.kill()
    await other.wait()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(died.wait(), 0.1)
