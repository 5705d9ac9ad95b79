"""Waiting for what tells nobody when it changes: files, tables, threads, processes. What tells is waited for itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

LOOK_SECONDS = 0.02
Found = TypeVar("Found")


async def until(condition: Callable[[], Found | None], seconds: float = 10.0, *, pause: float = LOOK_SECONDS) -> Found:
    """The condition's first truthy value, looked for every `pause` seconds. Raises TimeoutError."""

    async def look() -> Found | None:
        return condition()

    return await until_found(look, seconds, pause=pause)


async def until_found(
    look: Callable[[], Awaitable[Found | None]], seconds: float = 10.0, *, pause: float = LOOK_SECONDS
) -> Found:
    """The same where looking takes a while itself."""
    ticks, loop = asyncio.Event(), asyncio.get_running_loop()
    async with asyncio.timeout(seconds):
        while not (found := await look()):
            ticks.clear()
            loop.call_later(pause, ticks.set)
            await ticks.wait()
        return found
