"""A delivery: something owed to a chat, one row a message."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from conversations.typeset import typeset
from core.message import Chat, Entity, Part, Piece


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be told: Markdown `text`, cut into `pieces` for its front when the draft is made.

    `kind` is `answer`, `ack`, `progress`, `result` or `notice`; a `held` one waits for its turn to end.
    """

    chat: Chat
    kind: str
    text: str
    reply_to: int | None = None
    turn_id: int | None = None
    promise_id: int | None = None
    held: bool = False
    pieces: tuple[Piece, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pieces", typeset(self.chat.front, self.text))

    def naming(self, promises: Iterable[int]) -> Draft:
        """The same with the numbers of these promises below it, as far as it does not name them itself."""
        missing = [number for number in promises if not re.search(rf"#{number}\b", self.text)]
        if not missing:
            return self
        numbers = " and ".join(f"#{number}" for number in missing)
        return replace(self, text=f"{self.text}\n\nPromise {numbers}.")


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row of `deliveries` as the outbox sees it: still to be sent, or with a `message_id` to be edited.

    `came_from` is the group that its chat was when the row was written.
    """

    id: int
    chat: Chat
    kind: str
    status: str
    text: str
    entities: tuple[Entity, ...]
    reply_to: int | None
    random_id: int
    version: int
    message_id: int | None
    attempts: int
    not_before: datetime | None
    turn_id: int | None
    promise_id: int | None
    former: tuple[str, ...] = ()
    came_from: Chat | None = None
    sends: int = 0

    @property
    def part(self) -> Part:
        return Part(self.chat, self.text, self.entities, self.reply_to, self.random_id)


@dataclass(frozen=True, slots=True)
class Shown:
    """A delivery stands in `chat`, under a number where the front tells it, with the row's text or a former one."""

    chat: Chat
    message_id: int | None
    is_current: bool = True


def new_key() -> int:
    """The key of a send: 64 bits, signed, not 0."""
    return secrets.randbits(64) - (1 << 63) or 1
