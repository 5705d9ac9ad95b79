"""The verbs of the played Telegram: what persons do to chats, and who hears of it. No wire, no client."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from tests.world.telegram import text as texts
from tests.world.telegram.ledger import Deed, Ledger
from tests.world.telegram.model import (
    Box,
    Chat,
    ChatKind,
    Draft,
    Edit,
    Entity,
    Event,
    EventKind,
    Listener,
    Media,
    Numbers,
    Person,
    Post,
    Reaction,
    RefusalError,
    Topic,
)


def wall_clock() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Act:
    """Who does something, and through which live session (which then is not told of it again)."""

    person: Person
    origin: Listener | None = None


class Society:
    """Persons, chats and their history; every accepted deed goes to the ledger and to those who may hear it."""

    def __init__(self, clock: Callable[[], datetime] = wall_clock) -> None:
        self.clock = clock
        self.ledger = Ledger()
        self.numbers = Numbers()
        self.persons: dict[int, Person] = {}
        self.chats: dict[tuple[ChatKind, int], Chat] = {}
        self.dms: dict[tuple[int, int], Chat] = {}
        self.random_ids: dict[tuple[int, int], datetime] = {}
        self.random_id_memory: float | None = None
        self.refuse_reactions = False
        self.uploads: dict[tuple[int, int], dict[int, bytes]] = {}
        self.files: dict[int, Media] = {}
        self.exports: dict[int, tuple[Person, int]] = {}

    def expire_references(self) -> None:
        """Files can be fetched only by who reads their messages again."""
        for post in self.ledger.posts.values():
            if post.media:
                post.media = replace(post.media, reference=post.media.reference + b"+")
                self.files[post.media.id] = post.media

    def find_username(self, name: str) -> Person | None:
        wanted = name.lstrip("@").lower()
        return next((person for person in self.persons.values() if (person.username or "").lower() == wanted), None)

    def dm(self, one: Person, other: Person) -> Chat:
        """The one DM of two persons (of one person: Saved Messages)."""
        key = (min(one.id, other.id), max(one.id, other.id))
        if key not in self.dms:
            members = [one] if one is other else [one, other]
            kind = ChatKind.SAVED if one is other else ChatKind.DM
            self.dms[key] = Chat(0, kind, "", members, self.clock())
        return self.dms[key]

    def found(self, chat: Chat) -> Chat:
        """A group comes into being, with the service message that says so."""
        if chat.kind is not ChatKind.GROUP:
            chat.box = Box()
        self.chats[chat.kind, chat.id] = chat
        self.send(Draft(chat, chat.creator or chat.members[0], "", action="created"))
        return chat

    def join(self, chat: Chat, person: Person) -> None:
        chat.members.append(person)
        self._hear(person, Event(EventKind.MEMBERSHIP, chat), Act(person))
        self.send(Draft(chat, person, "", action="joined"))

    def open_topic(self, chat: Chat, person: Person, title: str) -> Topic:
        """A topic of a forum; the group becomes one with its first."""
        assert chat.box
        chat.forum = True
        self.send(Draft(chat, person, title, action="topic"))
        topic = Topic(chat, chat.box.last_id, title)
        chat.topics[topic.id] = topic
        return topic

    def leave(self, chat: Chat, person: Person) -> None:
        chat.members.remove(person)
        self._hear(person, Event(EventKind.MEMBERSHIP, chat), Act(chat.creator or person))

    def upgrade(self, group: Chat) -> Chat:
        """A basic group becomes a supergroup, with the service message on either side; nothing can be sent to it."""
        number = next(self.numbers.channels)
        there = Chat(number, ChatKind.SUPERGROUP, group.title, list(group.members), self.clock(), group.creator, Box())
        there.moved_from = group
        self.chats[there.kind, there.id] = there
        creator = group.creator or group.members[0]
        group.moved_to = there
        self.send(Draft(group, creator, "", action="moved"))
        self.send(Draft(there, creator, "", action="founded"))
        return there

    def chats_of(self, person: Person) -> list[Chat]:
        """Chats in which the person has at least one message, or of which it is a member."""
        shared = [chat for chat in self.chats.values() if person in chat.members]
        return shared + [chat for chat in self.dms.values() if person.box.thread(chat)]

    def send(self, draft: Draft, origin: Listener | None = None) -> Post:
        """Accept a message and tell everybody in the chat. Raises RefusalError with Telegram's name of the reason."""
        if draft.sender not in draft.chat.members:
            raise RefusalError("CHAT_WRITE_FORBIDDEN", 403)
        if draft.chat.moved_to and draft.action != "moved":
            raise RefusalError("PEER_ID_INVALID")
        if draft.topic:
            _check_topic(draft.chat.topics.get(draft.topic))
        post = self._accept(draft)
        self._remember(draft)
        if draft.media:
            self.files[draft.media.id] = draft.media
        self.ledger.keep(post)
        for box in draft.chat.boxes():
            post.ids[box] = box.add(post)
        self._log(Event(EventKind.NEW, draft.chat, count=1, post=post, at=post.at), Act(draft.sender, origin))
        self._did("message", draft.sender, post, post.text)
        return post

    def _accept(self, draft: Draft) -> Post:
        text, entities = draft.text, draft.entities
        if not draft.action:
            limit = texts.CAPTION_LIMIT if draft.media else texts.LIMIT
            text, entities = texts.accept(draft.text, draft.entities, limit)
        return Post(
            number=next(self.numbers.posts),
            chat=draft.chat,
            sender=draft.sender,
            text=text,
            entities=entities,
            reply_to=draft.reply_to,
            random_id=draft.random_id,
            at=(draft.at or self.clock()).replace(microsecond=0),
            tick=time.perf_counter(),
            media=draft.media,
            album=draft.album,
            action=draft.action,
            topic=draft.topic,
            quote=draft.quote,
            origin=draft.origin,
            guise=draft.guise,
            mentions=self._mentioned(text, entities, draft.reply_to),
        )

    def _mentioned(self, text: str, entities: tuple[Entity, ...], reply_to: Post | None) -> frozenset[int]:
        ids = {entity.user_id for entity in entities if entity.user_id}
        for name in texts.pieces(text, entities, "mention") if entities else ():
            person = self.find_username(name)
            if person:
                ids.add(person.id)
        if reply_to:
            ids.add(reply_to.sender.id)
        return frozenset(ids)

    def _remember(self, draft: Draft) -> None:
        if draft.random_id is None:
            return
        key, now = (draft.sender.id, draft.random_id), self.clock()
        known = self.random_ids.get(key)
        if known and (self.random_id_memory is None or (now - known).total_seconds() < self.random_id_memory):
            raise RefusalError("RANDOM_ID_DUPLICATE", 500)
        self.random_ids[key] = now

    def edit(self, act: Act, post: Post, text: str, entities: tuple[Entity, ...] = ()) -> None:
        """Replace a message's text. Raises MESSAGE_AUTHOR_REQUIRED, MESSAGE_ID_INVALID, MESSAGE_NOT_MODIFIED."""
        if post.deleted or post.action:
            raise RefusalError("MESSAGE_ID_INVALID")
        if post.sender is not act.person:
            raise RefusalError("MESSAGE_AUTHOR_REQUIRED", 403)
        if post.chat.moved_to:
            raise RefusalError("PEER_ID_INVALID")
        text, entities = texts.accept(text, entities, texts.CAPTION_LIMIT if post.media else texts.LIMIT)
        if (text, entities) == (post.text, post.entities):
            self.ledger.unchanged[post.number] = len(self.ledger.deeds)
            raise RefusalError("MESSAGE_NOT_MODIFIED")
        now = self.clock().replace(microsecond=0)
        post.edits.append(Edit(post.text, post.entities, now, time.perf_counter()))
        post.text, post.entities = text, entities
        post.mentions = self._mentioned(text, entities, post.reply_to)
        self._log(Event(EventKind.EDIT, post.chat, count=1, post=post, at=now), act)
        self._did("edit", act.person, post, text)

    def delete(self, act: Act, chat: Chat, posts: Sequence[Post], *, revoke: bool = True) -> None:
        """Take messages of one chat away, for all or (DM or basic group without `revoke`) for the person alone."""
        boxes = chat.boxes() if revoke or chat.box else [act.person.box]
        for box in boxes:
            ids = tuple(sorted(post.ids[box] for post in posts if post.ids.get(box) in box.posts))
            for number in ids:
                box.remove(number)
            if ids:
                self._tell(box, self._counted(box, Event(EventKind.DELETE, chat, count=len(ids), ids=ids)), act)
        for post in posts:
            post.deleted = post.deleted or revoke or bool(chat.box)
            self._did("delete", act.person, post, "")

    def react(self, act: Act, post: Post, emojis: Sequence[str]) -> None:
        """Set (with none: take away) one's reaction. Raises REACTION_INVALID, MESSAGE_NOT_MODIFIED and their kin."""
        if self.refuse_reactions or any(emoji not in texts.REACTIONS for emoji in emojis):
            raise RefusalError("REACTION_INVALID")
        if len(emojis) > 1:
            raise RefusalError("REACTIONS_TOO_MANY")
        if post.deleted or post.action:
            raise RefusalError("MESSAGE_ID_INVALID")
        known = post.reactions.pop(act.person, None)
        wanted = emojis[0] if emojis else ""
        if wanted:
            at = known.at if known and known.emoji == wanted else self.clock().replace(microsecond=0)
            post.reactions[act.person] = Reaction(act.person, wanted, at)
        if (known.emoji if known else "") == wanted:
            raise RefusalError("MESSAGE_NOT_MODIFIED")
        self._say(post.chat, Event(EventKind.REACTION, post.chat, post=post), act)
        self._did("reaction", act.person, post, wanted)

    def read(self, act: Act, chat: Chat, max_id: int) -> Event | None:
        """Move the person's read mark; None when it stood there already."""
        box, reader = chat.box_of(act.person), act.person
        newest = max((number for number in box.thread(chat)[-1:]), default=0)
        mark = min(max_id or newest, newest)
        if mark <= reader.read_in.get(chat, 0):
            return None
        reader.read_in[chat] = mark
        last = box.posts.get(mark) or box.posts[newest]
        self._record("read", reader, chat, last, "")
        event = Event(EventKind.READ_IN, chat, count=1, ids=(mark,), unread=self.unread(reader, chat), who=reader)
        mine = replace(event, pts=box.pts, count=0) if chat.box else self._counted(box, event)
        self._hear(reader, mine, act)
        for person in chat.members:
            if person is not reader:
                self._read_by_other(person, chat, last, act)
        return mine

    def _read_by_other(self, person: Person, chat: Chat, last: Post, act: Act) -> None:
        mark = last.id_for(person)
        if mark <= person.read_out.get(chat, 0):
            return
        person.read_out[chat] = mark
        event = Event(EventKind.READ_OUT, chat, count=1, ids=(mark,), who=act.person)
        self._hear(person, event if chat.box else self._counted(person.box, event), act)

    def unread(self, person: Person, chat: Chat) -> int:
        box, mark = chat.box_of(person), person.read_in.get(chat, 0)
        return sum(1 for number in box.thread(chat) if number > mark and box.posts[number].sender is not person)

    def type(self, act: Act, chat: Chat, action: str, topic: int = 0) -> None:
        self._record("typing", act.person, chat, None, f"{action} in {topic}" if topic else action)
        event = Event(EventKind.TYPING, chat, who=act.person, action=action, topic=topic)
        for person in chat.members:
            if person is not act.person:
                self._hear(person, event, act)

    def _log(self, event: Event, act: Act) -> None:
        for box in event.chat.boxes() if event.chat else ():
            assert event.post
            if event.post.ids.get(box) in box.posts:
                self._tell(box, self._counted(box, event), act)

    def _counted(self, box: Box, event: Event) -> Event:
        box.pts += event.count
        return box.log(replace(event, pts=box.pts, at=event.at or self.clock()))

    def _tell(self, box: Box, event: Event, act: Act) -> None:
        assert event.chat
        for person in event.chat.members:
            if event.chat.box is box or person.box is box:
                self._hear(person, event, act)

    def _say(self, chat: Chat, event: Event, act: Act) -> None:
        for person in chat.members:
            self._hear(person, event, act)

    def _hear(self, person: Person, event: Event, act: Act) -> None:
        for listener in tuple(person.listeners):
            if listener is not act.origin:
                listener.hear(event)

    def _did(self, kind: str, person: Person, post: Post, detail: str) -> None:
        self._record(kind, person, post.chat, post, detail)

    def _record(self, kind: str, person: Person, chat: Chat, post: Post | None, detail: str) -> None:
        number = post.number if post else None
        self.ledger.record(Deed(kind, person, chat, number, detail, self.clock(), time.perf_counter()))


def _check_topic(topic: Topic | None) -> None:
    if topic is None:
        raise RefusalError("TOPIC_DELETED")
    if topic.closed:
        raise RefusalError("TOPIC_CLOSED")
