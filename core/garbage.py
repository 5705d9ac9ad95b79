"""Garbage collection out of the way of work: what is loaded once stays, and need not be looked at again and again."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def loading() -> Generator[None]:
    """Within the block nothing is collected; what it has loaded is left out of every later collection.

    A full collection of the agents' stack takes a tenth of a second, in the middle of somebody's answer.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
