"""The nouns of the played Telegram: persons, chats, posts and the boxes that number them. No wire, no client."""

from __future__ import annotations

import bisect
import enum
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

CHANNEL_OFFSET = 1_000_000_000_000


class RefusalError(Exception):
    """The server says no: an RPC error with its number and its name, as Telegram spells it."""

    def __init__(self, name: str, code: int = 400) -> None:
        super().__init__(name)
        self.name = name
        self.code = code


class ChatKind(enum.Enum):
    DM = "dm"
    SAVED = "saved"
    GROUP = "group"
    SUPERGROUP = "supergroup"
    CHANNEL = "channel"


class EventKind(enum.Enum):
    NEW = "new"
    EDIT = "edit"
    DELETE = "delete"
    READ_IN = "read_in"
    READ_OUT = "read_out"
    REACTION = "reaction"
    TYPING = "typing"
    MEMBERSHIP = "membership"


@dataclass(frozen=True)
class Entity:
    """Formatting by the Bot API's names (`bold`, `pre`, `mention` …); offset and length in UTF-16 units."""

    kind: str
    offset: int
    length: int
    url: str = ""
    language: str = ""
    user_id: int = 0


@dataclass(frozen=True)
class Media:
    """What a message carries. `kind`: document, photo, voice, audio, video, animation, sticker, poll, contact or
    location.

    `name` is a file's, a sticker's emoji, a poll's question or a person's name. `size` is what is said of a file that
    nobody fetches, `dc_id` where it lies, if not here, `reference` what it may be fetched with by now.
    """

    id: int
    kind: str
    name: str
    mime: str
    content: bytes = field(repr=False)
    seconds: int = 0
    thumb: bytes = field(default=b"", repr=False)
    choices: tuple[str, ...] = ()
    size: int | None = None
    dc_id: int | None = None
    reference: bytes = b"reference"

    @property
    def told_size(self) -> int:
        return len(self.content) if self.size is None else self.size


@dataclass(frozen=True)
class Origin:
    """Whose words a message passes on: those of `author`, of a channel its post `number`, or of somebody who hides
    behind `name`. `is_copied`: the service itself put the post into the channel's group."""

    at: datetime
    author: Person | Chat | None = None
    name: str = ""
    number: int = 0
    is_copied: bool = False


@dataclass(frozen=True)
class Reaction:
    person: Person
    emoji: str
    at: datetime


@dataclass(frozen=True)
class Edit:
    """A text that was replaced or set: `tick` is time.perf_counter() of the server."""

    text: str
    entities: tuple[Entity, ...]
    at: datetime
    tick: float


class Listener(Protocol):
    """A live session of a person: hears every event that does not come from itself."""

    def hear(self, event: Event) -> None: ...


class Box:
    """Numbers posts and counts events (pts) for one account, or for one supergroup."""

    def __init__(self) -> None:
        self.pts = 1
        self.last_id = 0
        self.posts: dict[int, Post] = {}
        self.threads: dict[Chat, list[int]] = {}
        self.events: list[Event] = []

    def add(self, post: Post) -> int:
        self.last_id += 1
        self.posts[self.last_id] = post
        self.threads.setdefault(post.chat, []).append(self.last_id)
        return self.last_id

    def remove(self, number: int) -> None:
        post = self.posts.pop(number)
        thread = self.threads[post.chat]
        del thread[bisect.bisect_left(thread, number)]

    def log(self, event: Event) -> Event:
        self.events.append(event)
        return event

    def after(self, pts: int) -> list[Event]:
        """Events newer than `pts`, oldest first."""
        return self.events[bisect.bisect_right(self.events, pts, key=lambda event: event.pts) :]

    def thread(self, chat: Chat) -> list[int]:
        return self.threads.get(chat, [])


@dataclass(eq=False)
class Person:
    """Somebody with an account. `phone` and `code` sign in, with `password` where one is set (two-step verification);
    ids are positive and never used twice.

    One who `is_partial` comes with live messages of supergroups as a "min" user, whose access hash is good for nothing:
    who wants to know more asks about the message (`inputUserFromMessage`).
    """

    id: int
    first_name: str
    username: str | None
    phone: str
    code: str
    last_name: str | None = None
    password: str = field(default="", repr=False)
    is_bot: bool = False
    box: Box = field(default_factory=Box, repr=False)
    read_in: dict[Chat, int] = field(default_factory=dict, repr=False)
    read_out: dict[Chat, int] = field(default_factory=dict, repr=False)
    listeners: list[Listener] = field(default_factory=list, repr=False)
    online: bool = field(default=False, repr=False)
    is_partial: bool = field(default=False, repr=False)

    def secret_of(self, other: Person | Chat) -> int:
        """The access hash under which this account knows somebody or a supergroup: not the same for two viewers."""
        return (other.id * 2_654_435_761 ^ self.id * 40_503 ^ 0x5DEECE66D) & 0x7FFF_FFFF_FFFF_FFFF


@dataclass(eq=False)
class Chat:
    """A conversation. `id` is bare (a DM has 0); `peer_id(viewer)` is the marked id that a client shows."""

    id: int
    kind: ChatKind
    title: str
    members: list[Person]
    created: datetime
    creator: Person | None = None
    box: Box | None = None
    moved_to: Chat | None = None
    moved_from: Chat | None = None
    forum: bool = False
    topics: dict[int, Topic] = field(default_factory=dict, repr=False)

    @property
    def key(self) -> str:
        if self.id:
            return f"{self.kind.value}:{self.id}"
        return f"{self.kind.value}:{'-'.join(str(person.id) for person in self.members)}"

    def __repr__(self) -> str:
        return f"<Chat {self.key} {self.title!r}>"

    def other(self, viewer: Person) -> Person:
        """The counterpart of a DM (oneself in Saved Messages)."""
        return next((person for person in self.members if person is not viewer), viewer)

    def box_of(self, viewer: Person) -> Box:
        return self.box or viewer.box

    def boxes(self) -> Iterable[Box]:
        return [self.box] if self.box else [person.box for person in self.members]

    def peer_id(self, viewer: Person) -> int:
        if self.kind is ChatKind.GROUP:
            return -self.id
        if self.box:
            return -CHANNEL_OFFSET - self.id
        return self.other(viewer).id


@dataclass(eq=False)
class Topic:
    """A topic of a forum: `id` is the number of the service message that made it."""

    chat: Chat
    id: int
    title: str
    closed: bool = False


@dataclass(eq=False)
class Post:
    """One message as all see it; each box that holds it has its own number for it.

    `guise` is what the sender writes as: the group itself (an anonymous administrator) or a channel.
    """

    number: int
    chat: Chat
    sender: Person
    text: str
    entities: tuple[Entity, ...]
    reply_to: Post | None
    random_id: int | None
    at: datetime
    tick: float
    media: Media | None = None
    album: int | None = None
    action: str = ""
    topic: int = 0
    quote: str = ""
    origin: Origin | None = None
    guise: Chat | None = None
    ids: dict[Box, int] = field(default_factory=dict, repr=False)
    mentions: frozenset[int] = frozenset()
    edits: list[Edit] = field(default_factory=list)
    reactions: dict[Person, Reaction] = field(default_factory=dict)
    deleted: bool = False

    def id_for(self, viewer: Person) -> int:
        """This post's number in the viewer's eyes; 0 when the viewer does not have it."""
        return self.ids.get(self.chat.box_of(viewer), 0)

    @property
    def edited_at(self) -> datetime | None:
        return self.edits[-1].at if self.edits else None


@dataclass(frozen=True, eq=False)
class Event:
    """Something that happened in one box. `pts` is 0 where Telegram counts nothing (typing, reactions)."""

    kind: EventKind
    chat: Chat | None
    pts: int = 0
    count: int = 0
    post: Post | None = None
    ids: tuple[int, ...] = ()
    unread: int = 0
    who: Person | None = None
    action: str = ""
    at: datetime | None = None
    topic: int = 0


@dataclass(frozen=True)
class Draft:
    """What somebody asks to be sent. `action` makes it a service message (`created`, `joined`)."""

    chat: Chat
    sender: Person
    text: str
    entities: tuple[Entity, ...] = ()
    reply_to: Post | None = None
    random_id: int | None = None
    media: Media | None = None
    album: int | None = None
    action: str = ""
    at: datetime | None = None
    topic: int = 0
    quote: str = ""
    origin: Origin | None = None
    guise: Chat | None = None


@dataclass
class Numbers:
    """Ids given out by the world."""

    persons: itertools.count[int] = field(default_factory=lambda: itertools.count(1_000_001))
    chats: itertools.count[int] = field(default_factory=lambda: itertools.count(5_001))
    channels: itertools.count[int] = field(default_factory=lambda: itertools.count(1_700_000_001))
    posts: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    files: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    albums: itertools.count[int] = field(default_factory=lambda: itertools.count(9_000_000_001))
