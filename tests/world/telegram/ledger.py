"""What the server accepted, in order, as frozen records for checkers."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from tests.world.telegram.model import Chat, Edit, Entity, Media, Person, Post, Reaction

Found = TypeVar("Found")


@dataclass(frozen=True)
class SentMessage:
    """A snapshot of one accepted message: `number` is world-wide, `id_for(person)` that person's own number for it."""

    number: int
    chat: Chat
    sender: Person
    text: str
    entities: tuple[Entity, ...]
    reply_to: int | None
    random_id: int | None
    at: datetime
    tick: float
    media: Media | None
    edits: tuple[Edit, ...]
    deleted: bool
    reactions: tuple[Reaction, ...]
    topic: int
    post: Post = field(repr=False)

    @classmethod
    def of(cls, post: Post) -> SentMessage:
        return cls(
            number=post.number,
            chat=post.chat,
            sender=post.sender,
            text=post.text,
            entities=post.entities,
            reply_to=post.reply_to.number if post.reply_to else None,
            random_id=post.random_id,
            at=post.at,
            tick=post.tick,
            media=post.media,
            edits=tuple(post.edits),
            deleted=post.deleted,
            reactions=tuple(post.reactions.values()),
            topic=post.topic,
            post=post,
        )

    @property
    def first_text(self) -> str:
        return self.edits[0].text if self.edits else self.text

    @property
    def emojis(self) -> list[str]:
        return [reaction.emoji for reaction in self.reactions]

    def id_for(self, person: Person) -> int:
        return self.post.id_for(person)


@dataclass(frozen=True)
class Deed:
    """One thing somebody did. `kind`: message, edit, delete, reaction, read, typing.

    `detail` is the text, the emoji ("" where it was taken away) or the action.
    """

    kind: str
    person: Person
    chat: Chat
    number: int | None
    detail: str
    at: datetime
    tick: float


@dataclass(frozen=True)
class Request:
    """One call that reached the server; `outcome` is `ok`, an error's name, or `lost`."""

    person: Person | None
    method: str
    outcome: str
    tick: float


class Ledger:
    """Everything that was accepted. Records only grow; snapshots are made when asked."""

    def __init__(self) -> None:
        self.posts: dict[int, Post] = {}
        self.deeds: list[Deed] = []
        self._replies: dict[int, list[Post]] = {}
        self._reactions: dict[int, list[str]] = {}
        self.requests: deque[Request] = deque(maxlen=100_000)
        self.unknown: list[str] = []
        self.unchanged: dict[int, int] = {}  # which messages were to read what they read, and after how many deeds last
        self._waiting: list[asyncio.Future[None]] = []

    def messages(self, chat: Chat | None = None, sender: Person | None = None) -> list[SentMessage]:
        """Accepted messages in order (deleted ones too, service messages not), filtered by chat and sender."""
        return [
            SentMessage.of(post)
            for post in self.posts.values()
            if not post.action and chat in (None, post.chat) and sender in (None, post.sender)
        ]

    def message(self, number: int) -> SentMessage:
        return SentMessage.of(self.posts[number])

    def replies_to(self, number: int) -> list[SentMessage]:
        return [SentMessage.of(post) for post in self._replies.get(number, [])]

    def did(self, kind: str, person: Person | None = None, chat: Chat | None = None) -> list[Deed]:
        """Deeds of one kind (see Deed), in order."""
        return [
            deed
            for deed in self.deeds
            if deed.kind == kind and person in (None, deed.person) and chat in (None, deed.chat)
        ]

    def reactions_to(self, number: int) -> list[str]:
        """Every emoji ever set on a message, in order; "" where one was taken away."""
        return list(self._reactions.get(number, []))

    def calls(self, method: str | None = None, person: Person | None = None) -> list[Request]:
        """Requests that reached the server, e.g. `messages.sendMessage`."""
        return [
            request
            for request in self.requests
            if method in (None, request.method) and person in (None, request.person)
        ]

    def keep(self, post: Post) -> None:
        self.posts[post.number] = post
        if post.reply_to:
            self._replies.setdefault(post.reply_to.number, []).append(post)

    def record(self, deed: Deed) -> None:
        self.deeds.append(deed)
        if deed.kind == "reaction" and deed.number:
            self._reactions.setdefault(deed.number, []).append(deed.detail)
        self.wake()

    def answered(self, person: Person | None, method: str, outcome: str) -> None:
        self.requests.append(Request(person, method, outcome, time.perf_counter()))
        self.wake()

    def wake(self) -> None:
        """Tell all who wait that something changed."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def until(self, predicate: Callable[[], Found], timeout: float = 5.0) -> Found:
        """The predicate's first truthy value, asked again at every change. Raises TimeoutError (timeout in seconds)."""
        async with asyncio.timeout(timeout):
            while not (found := predicate()):
                future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiting.append(future)
                await future
            return found
