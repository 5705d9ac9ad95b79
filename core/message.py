"""What travels between fronts and the ledger: frozen, vendor-free."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from core.attachment import Attachment, File


class Chat(NamedTuple):
    """A chat as one front sees it.

    `front` is `account:ID`, `bot:ID` or `local`. `key` is text: Telegram's marked id (`5` a user, `-5` a basic group,
    `-1005` a supergroup, `-1005/7` topic 7 of its forum), or a name the local page chose.
    """

    front: str
    key: str


PAGE = Chat("local", "page")  # that of the local page, which always works


class Move(NamedTuple):
    """A basic group became a supergroup: another chat, with another id and numbers of its own for messages."""

    old: Chat
    new: Chat


class ChatKind(StrEnum):
    DM = "dm"
    GROUP = "group"
    SELF = "self"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Person:
    """Who wrote. `username` is without @ and as spelled; None when there is none. Some have `more_usernames`."""

    id: int
    username: str | None = None
    name: str = ""
    is_bot: bool = False
    more_usernames: tuple[str, ...] = ()

    @property
    def usernames(self) -> tuple[str, ...]:
        """All of them, the main one first."""
        return tuple(name for name in (self.username, *self.more_usernames) if name)


@dataclass(frozen=True, slots=True)
class Message:
    """One message as a front received it, whether live or from history. Times are aware, UTC, the server's clock.

    `text` is as written (captions too). `mentions` holds the lower-case usernames mentioned by entity or text and, for
    mentions without a username, the numeric id as text; `mention_spans` their (offset, length) in Python characters of
    `text`, so that they can be cut out; `unread_spans` those of code, links and addresses, which name nobody.
    `service` names a service message's kind, None for ordinary ones.
    `inbound_key` is the HTTP API's Idempotency-Key, `workspace` the name that a local message asks for, `heard_at` what
    the clock that `sent_at` was read from said when the message was heard; None where that clock is ours. `move` is
    what a service message tells of a group that became a supergroup, `album` the number that the messages of one album
    share, `replied` what it replies to, where the front tells that with it, and `quote` the part that it quotes.
    `is_reply_to_us`: the service itself says that it replies to the account that heard it.
    `forwarded_from` names whose words the sender passed on, '' where the service does not tell; None for their own.
    `pressed` is what the service calls the press of a button, which says `text` under the message `reply_to`: `id` is
    no message's then, and below 0.
    """

    chat: Chat
    id: int
    kind: ChatKind
    sender: Person
    sent_at: datetime
    text: str
    outgoing: bool = False
    reply_to: int | None = None
    edited_at: datetime | None = None
    mentions: frozenset[str] = frozenset()
    mention_spans: tuple[tuple[int, int], ...] = ()
    service: str | None = None
    title: str = ""
    inbound_key: str | None = None
    workspace: str | None = None
    heard_at: datetime | None = None
    move: Move | None = None
    attachments: tuple[Attachment, ...] = ()
    album: int | None = None
    replied: Message | None = None
    quote: str = ""
    forwarded_from: str | None = None
    is_reply_to_us: bool = False
    pressed: str | None = None
    unread_spans: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Entity:
    """A Telegram message entity: `offset` and `length` in UTF-16 units; `type` is the Bot API's name."""

    type: str
    offset: int
    length: int
    url: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """Text as one message can show it, with its entities."""

    text: str
    entities: tuple[Entity, ...] = ()


class Button(NamedTuple):
    """What can be pressed under a message: its words, and the command that pressing it says (at most 64 bytes)."""

    words: str
    says: str


@dataclass(frozen=True, slots=True)
class Part:
    """One message to send: at most 4,096 UTF-16 units, with a `file` 1,024 below it.

    `random_id` is the key of the send, 64 bits, signed. Fronts without buttons leave them out.
    """

    chat: Chat
    text: str
    entities: tuple[Entity, ...] = ()
    reply_to: int | None = None
    random_id: int = 0
    file: File | None = None
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """A message of ours as the chat shows it, for the look before a resend. `file` names what it carries, if anything:
    a file's own name, or `photo`."""

    id: int
    text: str
    reply_to: int | None
    sent_at: datetime
    file: str | None = None


class Sign(StrEnum):
    """What a reaction tells; `SIGNS` in conversations holds the emoji of each."""

    SEEN = "seen"
    WORKING = "working"
    DONE = "done"
    SILENT = "silent"
    FAILED = "failed"
