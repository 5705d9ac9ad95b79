"""The played Telegram as a whole: `async with TelegramWorld() as world`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from tests.world.telegram import client
from tests.world.telegram.faults import Faults
from tests.world.telegram.keys import process_key
from tests.world.telegram.ledger import Ledger, SentMessage
from tests.world.telegram.model import Chat, ChatKind, Draft, Entity, Media, Origin, Person, Topic
from tests.world.telegram.players import Player
from tests.world.telegram.server import Server
from tests.world.telegram.society import Act, Society, wall_clock

Found = TypeVar("Found")


class TelegramWorld:
    """A Telegram of one's own: its server on loopback, its people, what they do, and what the server does wrong.

    Everything stays in memory while the object lives; connections may come, go and come back with the same keys.
    All methods must be called on the event loop that entered the world. `folder` gets the public key file.
    """

    def __init__(self, folder: Path | None = None, clock: Callable[[], datetime] = wall_clock) -> None:
        self.society = Society(clock)
        self.server = Server(self.society, process_key())
        self._temporary = None if folder else tempfile.TemporaryDirectory(prefix="telegram-world-")
        self.folder = folder or Path(self._temporary.name if self._temporary else ".")
        self.key_file = self.server.key.write(self.folder)

    async def __aenter__(self) -> TelegramWorld:
        await self.server.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.close()
        if self._temporary:
            self._temporary.cleanup()
        if self.server.bugs:
            raise ExceptionGroup("bugs of the played Telegram", self.server.bugs)

    @property
    def ledger(self) -> Ledger:
        return self.society.ledger

    @property
    def faults(self) -> Faults:
        return self.server.faults

    @property
    def address(self) -> str:
        return f"{self.server.host}:{self.server.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The product's settings that lead here."""
        return {
            "TELEGRAM_SERVER": self.address,
            "TELEGRAM_SERVER_KEY": str(self.key_file),
            "TELEGRAM_DC_ID": str(self.server.dc_id),
            "TELEGRAM_API_ID": str(client.API_ID),
            "TELEGRAM_API_HASH": client.API_HASH,
        }

    # -- people and chats

    def person(self, first_name: str, username: str | None = None, user_id: int | None = None) -> Person:
        number = user_id if user_id is not None else next(self.society.numbers.persons)
        if number in self.society.persons or (username and self.society.find_username(username)):
            raise ValueError(f"person {number} or username {username} is taken")
        made = Person(number, first_name, username, f"9996{number % 10**7:07}", f"{number * 7919 % 100_000:05}")
        self.society.persons[number] = made
        return made

    def bot(self, first_name: str, username: str) -> Person:
        """A bot account (its own front comes with the Bot API facade)."""
        made = self.person(first_name, username)
        made.is_bot = True
        return made

    def dm(self, one: Person, other: Person) -> Chat:
        """The DM of two persons; of one person with itself: Saved Messages."""
        return self.society.dm(one, other)

    def group(self, title: str, members: Iterable[Person], *, supergroup: bool = True) -> Chat:
        """A group; its first member made it. A service message says so in its history."""
        kind = ChatKind.SUPERGROUP if supergroup else ChatKind.GROUP
        people = list(members)
        number = next(self.society.numbers.channels if supergroup else self.society.numbers.chats)
        return self.society.found(Chat(number, kind, title, people, self.society.clock(), people[0]))

    def upgrade(self, group: Chat) -> Chat:
        """A basic group becomes a supergroup: another chat, which is returned."""
        return self.society.upgrade(group)

    def join(self, chat: Chat, person: Person) -> None:
        """Add a person to a group, with the service message that tells it."""
        self.society.join(chat, person)

    def leave(self, chat: Chat, person: Person) -> None:
        """A person leaves a group, or is thrown out of it; only that person's connections are told."""
        self.society.leave(chat, person)

    # -- deeds of played persons, without a client

    def topic(self, chat: Chat, person: Person, title: str) -> Topic:
        """A person opens a topic: the supergroup is a forum from then on."""
        return self.society.open_topic(chat, person, title)

    def say(
        self,
        person: Person,
        chat: Chat | Person | Topic,
        text: str,
        reply_to: SentMessage | None = None,
        *,
        entities: Sequence[Entity] = (),
        at: datetime | None = None,
        media: Media | None = None,
        quote: str = "",
        guise: Chat | None = None,
        origin: Origin | None = None,
    ) -> SentMessage:
        """A person says something (`at` dates it back), or sends `media` with it; see Post. Raises RefusalError."""
        topic = chat.id if isinstance(chat, Topic) else 0
        where = self.dm(person, chat) if isinstance(chat, Person) else chat.chat if isinstance(chat, Topic) else chat
        answered = reply_to.post if reply_to else None
        draft = Draft(where, person, text, tuple(entities), answered, media=media, at=at, topic=topic)
        return SentMessage.of(self.society.send(replace(draft, quote=quote, guise=guise, origin=origin)))

    def forward(
        self, person: Person, message: SentMessage, chat: Chat | Person | Topic, *, hidden: bool = False
    ) -> SentMessage:
        """A person passes a message on; whose author is `hidden` is told by the name alone."""
        author = message.sender
        origin = Origin(message.at, None, author.first_name) if hidden else Origin(message.at, author)
        return self.say(person, chat, message.text, entities=message.entities, media=message.media, origin=origin)

    def channel(self, title: str, owner: Person) -> Chat:
        """A channel, in which its owner alone writes."""
        number = next(self.society.numbers.channels)
        return self.society.found(Chat(number, ChatKind.CHANNEL, title, [owner], self.society.clock(), owner))

    def post(self, channel: Chat, text: str, group: Chat) -> SentMessage:
        """The owner posts in a channel, and the service copies the post into the channel's group: that copy."""
        owner = channel.members[0]
        post = self.say(owner, channel, text)
        origin = Origin(post.at, channel, number=post.id_for(owner), is_copied=True)
        return self.say(owner, group, text, guise=channel, origin=origin)

    def media(self, kind: str, name: str = "", content: bytes = b"", mime: str = "", **more: Any) -> Media:
        """Something to send; see Media."""
        return Media(next(self.society.numbers.files), kind, name, mime, content, **more)

    def say_album(self, person: Person, chat: Chat | Person, caption: str, *parts: Media) -> list[SentMessage]:
        """An album: messages of one number, the caption with the second of them."""
        where = self.dm(person, chat) if isinstance(chat, Person) else chat
        number = next(self.society.numbers.albums)
        texts = [caption if place == min(1, len(parts) - 1) else "" for place in range(len(parts))]
        drafts = [Draft(where, person, text, media=part, album=number) for text, part in zip(texts, parts, strict=True)]
        return [SentMessage.of(self.society.send(draft)) for draft in drafts]

    def edit(self, message: SentMessage, text: str, entities: Sequence[Entity] = ()) -> SentMessage:
        """The sender changes a message."""
        self.society.edit(Act(message.sender), message.post, text, tuple(entities))
        return SentMessage.of(message.post)

    def delete(self, *messages: SentMessage) -> None:
        """The senders take messages away, for all."""
        for message in messages:
            self.society.delete(Act(message.sender), message.chat, [message.post])

    def react(self, person: Person, message: SentMessage, emoji: str) -> None:
        """Set a reaction ("" takes it away)."""
        self.society.react(Act(person), message.post, [emoji] if emoji else [])

    def read(self, person: Person, chat: Chat) -> None:
        """A person reads a chat to its end."""
        self.society.read(Act(person), chat, 0)

    def type(self, person: Person, chat: Chat) -> None:
        self.society.type(Act(person), chat, "typing")

    # -- looking

    def messages(self, chat: Chat | None = None, sender: Person | None = None) -> list[SentMessage]:
        return self.ledger.messages(chat, sender)

    def answers_to(self, message: SentMessage) -> list[SentMessage]:
        """Replies to a message, in order, deleted ones left out."""
        return [reply for reply in self.ledger.replies_to(message.number) if not reply.deleted]

    async def until(self, predicate: Callable[[], Found], timeout: float = 5.0) -> Found:
        """The predicate's first truthy value; asked at every change of the world. Raises TimeoutError."""
        return await self.ledger.until(predicate, timeout)

    async def answer_to(self, message: SentMessage, timeout: float = 5.0) -> SentMessage:
        """The first reply to a message."""
        return (await self.until(lambda: self.answers_to(message), timeout))[0]

    def connected(self, person: Person) -> bool:
        """Whether a live connection of the account hears its updates."""
        return bool(person.listeners)

    # -- clients

    def mint_session(self, person: Person, path: Path) -> Path:
        """An authorised Telethon session file (SQLite) for a person."""
        return client.mint_file(self.server, person, path)

    def player(self, person: Person, **options: Any) -> Player:
        """A real Telethon client for a person: `async with world.player(anna) as player`."""
        return Player(self.server, person, **options)

    # -- the network

    def drop_connections(self, person: Person | None = None) -> None:
        """Cut the live connections of an account (of all: None)."""
        for link in tuple(self.server.links):
            if person in (None, link.person):
                link.drop()

    async def go_down(self) -> None:
        """Refuse connections and cut those that are open; keys and history stay."""
        await self.server.close()

    async def come_back(self) -> None:
        """Listen again on the same port."""
        await self.server.listen()

    def forget_random_ids(self, after: float | None = 0.0) -> None:
        """Remember random_ids only `after` seconds from now on (None: for ever); 0 forgets all now."""
        self.society.random_id_memory = after

    def expire_references(self) -> None:
        """Files can be fetched only with references that were read after this."""
        self.society.expire_references()

    def refuse_reactions(self, *, refuse: bool = True) -> None:
        """Answer REACTION_INVALID to every reaction."""
        self.society.refuse_reactions = refuse

    def revoke(self, person: Person) -> None:
        """End all sessions of an account: its keys answer AUTH_KEY_UNREGISTERED and hear nothing."""
        for link in self.server.links:
            if link.person is person:
                link.forget()
        for authorization in self.server.authorizations.values():
            if authorization.person is person:
                authorization.person = None

    def forget_keys(self, person: Person) -> None:
        """Forget an account's authorisation keys: its connections get transport error -404."""
        keys = self.server.authorizations
        for key_id in [number for number, one in keys.items() if one.person is person]:
            del keys[key_id]
        self.drop_connections(person)
