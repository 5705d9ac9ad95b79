"""Claims under way in Huey's threads: a worker that leaves waits until each is handed to its loop, or came to nothing.

One that was committed behind its back would look like the death of a worker over the promise.
"""

from __future__ import annotations

import asyncio
import threading


class Takes:
    """Counts them; once closed, none begins."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._is_closed = False
        self._leaving: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def begin(self) -> bool:
        """In any thread. False when nothing is taken any more."""
        with self._lock:
            self._count += not self._is_closed
            return not self._is_closed

    def end(self) -> None:
        """In any thread: once for each that began."""
        with self._lock:
            self._count -= 1
            if self._count == 0 and self._leaving is not None:
                loop, none_left = self._leaving
                loop.call_soon_threadsafe(none_left.set)

    async def close(self) -> None:
        """Let none begin, and wait for those that did."""
        none_left = asyncio.Event()
        with self._lock:
            self._is_closed = True
            self._leaving = asyncio.get_running_loop(), none_left
            if self._count == 0:
                none_left.set()
        await none_left.wait()
