"""Edges: the points around every transaction and every call to the outside, where a crash would be interesting.

The product at work passes them by. In an experiment (FAIL_POINTS, FAIL_POINTS_LOG) each arrival is written down, and
the process ends at one of them as `kill -9` would end it.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Protocol


class Edge(Protocol):
    """Called with the name of each point as it is reached, from any thread."""

    def __call__(self, point: str, /) -> None: ...


def no_edge(point: str) -> None:
    """The edge of a product at work: nothing happens."""


@contextmanager
def around(edge: Edge, name: str) -> Generator[None]:
    """The points `NAME:before` and, when the block has succeeded, `NAME:after`."""
    edge(f"{name}:before")
    yield
    edge(f"{name}:after")


class FailPoints:
    """Writes each arrival to `log` (a line each), and ends the process at `die_at`: `POINT` or `POINT#ARRIVAL`."""

    def __init__(self, die_at: str | None, log: Path | None) -> None:
        self._point, _, arrival = (die_at or "").partition("#")
        self._arrival = int(arrival or 1)
        self._arrivals: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._log = None if log is None else os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def __call__(self, point: str, /) -> None:
        with self._lock:
            if self._log is not None:
                os.write(self._log, f"{point}\n".encode())
            self._arrivals[point] += 1
            is_it = point == self._point and self._arrivals[point] == self._arrival
        if is_it:
            os.kill(os.getpid(), signal.SIGKILL)


@cache
def open_edge(die_at: str | None, log: Path | None) -> Edge:
    """The edge of this process; the same one for the same settings, since arrivals are counted in it."""
    return no_edge if die_at is None and log is None else FailPoints(die_at, log)
