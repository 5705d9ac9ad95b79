"""What happened, told inside one process to whoever watches. Nothing depends on being heard: tables are the truth."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from core.message import Chat
from core.protocols import PromiseView

BACKLOG = 1_000  # a slower watcher misses the oldest


@dataclass(frozen=True, slots=True)
class TurnGrew:
    """A turn's answer, as far as the model has written it: all of it, not what was added."""

    turn_id: int
    text: str


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """A turn is closed, and its deliveries are committed."""

    turn_id: int
    chat: Chat
    status: str


@dataclass(frozen=True, slots=True)
class Told:
    """A delivery stands in its chat as `text`: new, or changed (`is_edit`)."""

    delivery_id: int
    chat: Chat
    message_id: int | None
    reply_to: int | None
    kind: str
    text: str
    promise_id: int | None
    is_edit: bool


@dataclass(frozen=True, slots=True)
class PromiseChanged:
    """A promise has moved: made, begun, further on, settled."""

    promise: PromiseView


Event = TurnGrew | TurnEnded | Told | PromiseChanged


class Watch:
    """One watcher's view: iterate it for what happens from its start on."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[Event] = asyncio.Queue(BACKLOG)

    def tell(self, event: Event) -> None:
        if self._events.full():
            self._events.get_nowait()
        self._events.put_nowait(event)

    async def __aiter__(self) -> AsyncGenerator[Event]:
        while True:
            yield await self._events.get()


class Events:
    """Publish and watch, on one event loop."""

    def __init__(self) -> None:
        self._watches: set[Watch] = set()

    def publish(self, event: Event) -> None:
        for watch in self._watches:
            watch.tell(event)

    @contextmanager
    def watch(self) -> Generator[Watch]:
        watch = Watch()
        self._watches.add(watch)
        try:
            yield watch
        finally:
            self._watches.discard(watch)
