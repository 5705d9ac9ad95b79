"""The end of a process whose event loop has stopped answering: its work is resumed by a living one."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import sys
import threading
from collections.abc import Callable

import structlog

SILENT_SECONDS = 10
EXIT_CODE = 70
log = structlog.get_logger(__name__)


class Watchdog:
    """Asks the loop for a sign once a tick from a thread of its own; after `patience` ticks without one it gives up.

    It counts its own ticks instead of reading a clock, so that a process that was suspended is not taken for a
    silent one.
    """

    def __init__(self, give_up: Callable[[], None], tick: float = 1.0, patience: int = SILENT_SECONDS) -> None:
        self._give_up = give_up
        self._tick = tick
        self._patience = patience
        self._stop = threading.Event()
        self._missed = 0

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        threading.Thread(target=self._watch, args=(loop,), name="watchdog", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._stop.wait(self._tick):
            self._missed += 1
            if self._missed > self._patience:
                self._give_up()
                return
            loop.call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        self._missed = 0


def end_process() -> None:
    """Show where every thread stands, then end at once."""
    log.critical("the event loop has been silent too long: ending this process", seconds=SILENT_SECONDS)
    faulthandler.dump_traceback(file=sys.stderr)
    os._exit(EXIT_CODE)
