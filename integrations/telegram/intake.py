"""What comes in is handed over one after the other in each chat, and chats do not wait for one another."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")
log = logging.getLogger(__name__)


async def guard(deed: Awaitable[object], what: str) -> None:
    """Do something at the outermost: a failure is logged under an id and ends here."""
    try:
        await deed
    except Exception:  # the outermost loop of a front: one update's fault does not keep the next from coming
        log.exception("%s failed [%s]", what, secrets.token_hex(4))


class Intake(Generic[Item]):
    """Queues of items by chat; each is taken by `take`, and a failing one does not keep the next from coming."""

    def __init__(self, take: Callable[[Item], Awaitable[None]]) -> None:
        self._take = take
        self._queues: dict[int, deque[Item]] = {}
        self._workers: dict[int, asyncio.Task[None]] = {}

    def put(self, chat: int, item: Item) -> None:
        self._queues.setdefault(chat, deque()).append(item)
        if chat not in self._workers:
            self._workers[chat] = asyncio.create_task(self._work(chat))

    @property
    def is_idle(self) -> bool:
        """Whether everything has been taken."""
        return not self._workers

    async def _work(self, chat: int) -> None:
        queue = self._queues[chat]
        while queue:
            await guard(self._take(queue.popleft()), "Receiving a message")
        del self._queues[chat], self._workers[chat]

    async def stop(self) -> None:
        """Give up what has not been taken."""
        workers = list(self._workers.values())
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        self._queues.clear()
        self._workers.clear()
