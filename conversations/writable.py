"""What has to be written, however long the database cannot be used."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from core.errors import DatabaseError

log = structlog.get_logger("telegram.reception")
RETRY = 1.0
T = TypeVar("T")


async def when_writable(act: Callable[[], Awaitable[T]], what: str = "What was heard") -> T:
    """Do it, and again for as long as the database cannot be used."""
    while True:
        try:
            return await act()
        except DatabaseError as error:
            log.warning(f"{what} waits to be written.", error=str(error))
            await asyncio.sleep(RETRY)
