"""The answer to `ping`: how the installation is, without asking a model."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import Connection

from conversations import delivery_store, turn_store
from core.clock import Clock
from core.database import Database


@dataclass(frozen=True, slots=True)
class StatusLine:
    """`begun` is the start, by the boot clock."""

    database: Database
    clock: Clock
    version: str
    begun: float
    home: Path

    async def __call__(self) -> str:
        turns, owed = await self.database.read(_queue)
        memory, free = await asyncio.to_thread(self._machine)
        uptime = _spell(self.clock.boot() - self.begun)
        return (
            f"pong: up {uptime}, version {self.version}, {turns} turns and {owed} deliveries open, "
            f"{free / 1e9:.1f} GB of disk free, {memory / 1e6:.0f} MB of memory used."
        )

    def _machine(self) -> tuple[int, int]:
        return psutil.Process().memory_info().rss, shutil.disk_usage(self.home).free


def _queue(connection: Connection) -> tuple[int, int]:
    """The turn that asks is not counted."""
    turns = sum(turn_store.count_unfinished(connection).values()) - 1
    return turns, delivery_store.count_owed(connection)


def _spell(seconds: float) -> str:
    minutes, hours = int(seconds // 60) % 60, int(seconds // 3600) % 24
    days = int(seconds // 86_400)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {int(seconds) % 60} s"
