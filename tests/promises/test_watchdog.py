"""A process whose loop is silent ends."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

from promises.watchdog import EXIT_CODE, Watchdog


async def test_s2_a_loop_that_answers_is_left_alone() -> None:
    given_up = threading.Event()
    watchdog = Watchdog(given_up.set, tick=0.01, patience=20)
    watchdog.start(asyncio.get_running_loop())
    await asyncio.wait({asyncio.ensure_future(asyncio.Event().wait())}, timeout=0.3)
    watchdog.stop()
    assert not given_up.is_set()


async def test_a_silent_loop_is_given_up() -> None:
    given_up = threading.Event()
    Watchdog(given_up.set, tick=0.01, patience=3).start(asyncio.get_running_loop())
    assert given_up.wait(10)  # blocks the loop, as a fault would


def test_a_silent_process_shows_its_threads_and_ends() -> None:
    program = """
import asyncio, threading
from promises.watchdog import Watchdog, end_process
async def hang():
    Watchdog(end_process, tick=0.01, patience=3).start(asyncio.get_running_loop())
    threading.Event().wait()
asyncio.run(hang())
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == EXIT_CODE
    assert "in hang" in ended.stderr
