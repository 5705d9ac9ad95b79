"""Whom to wake after a commit. Any ring may be lost: the table is the truth and the reconciler reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.doorbell import ring, ring_all
from core.edges import Edge, around, no_edge


class Bell(Protocol):
    """The queue that wakes a worker. `ring` and `waiting` touch a file: not for the event loop's thread."""

    def offer(self, promise_id: int, priority: int = 0) -> bool:
        """Ring for one worker with a free hand; False when there is none."""
        ...

    def ring(self, promise_id: int, priority: int = 0) -> None:
        """Ring for all workers: the first free hand takes it."""
        ...

    def waiting(self) -> int | None:
        """How many rings nobody has heard yet; None while that cannot be read."""
        ...


@dataclass(frozen=True, slots=True)
class Rings:
    """The bell of new work, the folder of the workers' doorbells (cancels), and the server's (deliveries)."""

    bell: Bell
    workers: Path
    server: Path
    edge: Edge = no_edge

    async def call_worker(self, promise_ids: Iterable[tuple[int, int]]) -> None:
        """Ring for each (number, priority)."""
        await self.call_again(self.offer(promise_ids))

    def offer(self, promise_ids: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """Ring for one free hand each, from any thread and touching no file; those for which there was none."""
        return [wanted for wanted in promise_ids if not self._offer(*wanted)]

    async def call_again(self, promise_ids: list[tuple[int, int]]) -> None:
        """The same for those that nobody has taken yet: they wait in the queue, in sight of all workers."""
        if promise_ids:
            await asyncio.to_thread(self._ring_all, promise_ids)

    def _offer(self, promise_id: int, priority: int) -> bool:
        with around(self.edge, "ring.offer"):
            return self.bell.offer(promise_id, priority)

    def _ring_all(self, promise_ids: list[tuple[int, int]]) -> None:
        for promise_id, priority in promise_ids:
            with around(self.edge, "ring.bell"):
                self.bell.ring(promise_id, priority)

    def call_keepers(self) -> None:
        """Somebody cancelled work that is under way, or there is something for a reconciler to look at."""
        with around(self.edge, "ring.keepers"):
            ring_all(self.workers)

    def call_server(self) -> None:
        """There is something to tell."""
        with around(self.edge, "ring.server"):
            ring(self.server)
