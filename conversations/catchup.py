"""Catch up: after a start, a reconnect or a gap, each admitted chat's history is read from its mark, all pages.

The mark means "read without a gap up to here": only this file moves it, never a live message.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from conversations import chat_store, move_store
from conversations.alert_store import Alert, write_alert
from conversations.chat_store import ChatRow
from conversations.inbox import Inbox
from conversations.moves import Moves
from conversations.receipt import Receipt
from core.access import Accounts, entries_for
from core.clock import Clock
from core.database import Database
from core.errors import FloodWait, Undeliverable
from core.message import Chat, ChatKind, Message, Move, Person
from core.protocols import Dialog, Front

log = structlog.get_logger("telegram.catchup")
AT_ONCE = 4  # chats read side by side
GONE = (
    "The {front} is no longer in the group {title} ({key}): add it there again, "
    "or take the group out of config/workspace_config.json."
)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reader:
    """Who wants the histories: told of each page's receipts after their commit, and of each chat when it is read, or
    nothing more of it is read for a while."""

    arrived: Callable[[list[Receipt]], None]
    finished: Callable[[Chat], None]


@dataclass(slots=True)
class _UnderWay:
    """The reading of a front that goes on: what is heard live in its chats waits until they are read."""

    is_listed: asyncio.Event = field(default_factory=asyncio.Event)
    chats: dict[Chat, asyncio.Event] = field(default_factory=dict[Chat, asyncio.Event])

    def expect(self, chats: list[Chat]) -> None:
        self.chats.update((chat, asyncio.Event()) for chat in chats)
        self.is_listed.set()

    def let_go(self, chat: Chat) -> None:
        if chat in self.chats:
            self.chats.pop(chat).set()

    def end(self) -> None:
        self.is_listed.set()
        for chat in list(self.chats):
            self.let_go(chat)

    async def wait(self, chat: Chat) -> None:
        await self.is_listed.wait()
        if chat in self.chats:
            await self.chats[chat].wait()


@dataclass(frozen=True, slots=True)
class _Read:
    """How far a chat has been read by this process: what was said `since` then, up to this number."""

    number: int
    since: datetime

    def holds(self, message: Message) -> bool:
        is_new = message.edited_at is None and message.move is None and message.pressed is None
        return is_new and message.id <= self.number and message.sent_at >= self.since


@dataclass(frozen=True, slots=True)
class CatchUpDoors:
    """What catching up needs of its neighbours."""

    database: Database
    clock: Clock
    inbox: Inbox
    moves: Moves
    accounts: Callable[[], Accounts]


@dataclass(slots=True)
class _Reading:
    """One chat to be read, from `mark` on, which each page moves: a wait in the middle loses nothing."""

    front: Front
    dialog: Dialog
    reader: Reader
    since: datetime
    mark: int

    @property
    def is_due(self) -> bool:
        return not self.dialog.last_message or self.dialog.last_message > self.mark


class CatchUp:
    """Reads histories. One reading per front at a time; asked again meanwhile, it reads once more."""

    def __init__(self, doors: CatchUpDoors) -> None:
        self._doors = doors
        self._reading: dict[str, asyncio.Lock] = {}
        self._asked: set[str] = set()
        self._under_way: dict[str, _UnderWay] = {}
        self._read: dict[Chat, _Read] = {}

    async def has_read(self, message: Message) -> bool:
        """Whether a live message is in the ledger already, as a line of its chat's history.

        While that chat is still to be read it waits for the end of it: so what was missed comes first, and nothing
        twice. Not while the service wants patience.
        """
        under_way = self._under_way.get(message.chat.front)
        if under_way is not None and message.edited_at is None:
            await under_way.wait(message.chat)
        read = self._read.get(message.chat)
        return read is not None and read.holds(message)

    async def read(self, front: Front, reader: Reader) -> int:
        """Read every admitted chat of a front to its end; how many messages were read.

        Raises Unreachable when the front does not answer: whoever reconnects asks again. A chat that refuses keeps no
        other from being read.
        """
        if front.name in self._asked or not front.lists_chats:
            return 0
        self._asked.add(front.name)
        try:
            async with self._reading.setdefault(front.name, asyncio.Lock()):
                self._asked.discard(front.name)
                return await self._read_all(front, reader)
        finally:
            self._asked.discard(front.name)

    async def edited(self, front: Front, since: datetime) -> AsyncIterator[Message]:
        """What has been edited of what was said since then, chat by chat. A chat that refuses keeps no other back.

        Raises Unreachable when the front does not answer.
        """
        for dialog in await self._patiently(front.dialogs, _wait):
            if dialog.moved_to is None and self._is_admitted(dialog):
                for message in await self._edited_in(front, dialog.chat, since):
                    yield message

    async def _edited_in(self, front: Front, chat: Chat, since: datetime) -> list[Message]:
        async def read() -> list[Message]:
            pages = [page async for page in front.history(chat, 0, since)]
            return [message for page in pages for message in page if message.edited_at is not None]

        try:
            return await self._patiently(read, _wait)
        except Undeliverable as error:
            log.warning("What was edited in a chat cannot be read.", chat=chat.key, error=str(error))
            return []

    async def _read_all(self, front: Front, reader: Reader) -> int:
        under_way = self._under_way[front.name] = _UnderWay()
        try:
            dialogs = await self._dialogs(front, reader, under_way)
            readings = [one for one in await self._readings(front, dialogs, reader) if one.is_due]
            under_way.expect([reading.dialog.chat for reading in readings])
            return await self._read_chats(front, readings, under_way)
        finally:
            del self._under_way[front.name]
            under_way.end()

    async def _dialogs(self, front: Front, reader: Reader, under_way: _UnderWay) -> list[Dialog]:
        """The admitted chats, when those are followed that have become others."""
        listed = await self._patiently(front.dialogs, under_way.is_listed.set)
        for dialog in listed:
            if dialog.moved_to is not None:
                move = Move(dialog.chat, dialog.moved_to)
                await self._leave(front, dialog, reader, move, under_way.is_listed.set)
        await self._note_gone(front, [dialog.chat for dialog in listed])
        return [dialog for dialog in listed if dialog.moved_to is None and self._is_admitted(dialog)]

    async def _read_chats(self, front: Front, readings: list[_Reading], under_way: _UnderWay) -> int:
        gate = asyncio.Semaphore(AT_ONCE)
        ends = await asyncio.gather(*(self._in_turn(one, under_way, gate) for one in readings), return_exceptions=True)
        counts = [end for end in ends if not isinstance(end, BaseException)]
        log.info("Caught up.", front=front.name, chats=len(counts), messages=sum(counts))
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        return sum(counts)

    async def _in_turn(self, reading: _Reading, under_way: _UnderWay, gate: asyncio.Semaphore) -> int:
        """However it ends, or is put off, the chat is answered as far as it has been read."""
        chat = reading.dialog.chat

        def go_on_everywhere() -> None:
            under_way.end()  # others that are to be read would wait for this one
            reading.reader.finished(chat)

        async with gate:
            try:
                return await self._read_chat(reading, go_on_everywhere)
            finally:
                under_way.let_go(chat)
                reading.reader.finished(chat)

    async def _note_gone(self, front: Front, present: list[Chat]) -> None:
        """Tell the owner, once, of groups that the configuration admits and the account is no part of any more."""
        config, now = self._doors.moves.config, self._doors.clock.now()
        keys = {chat.key.partition("/")[0] for chat in present} | set(self._doors.moves.known.values())

        def note(connection: Connection) -> None:
            gone = chat_store.note_gone(connection, front.name, keys, now)
            served = {key: title for key, title in gone.items() if self._serves(Chat(front.name, key))}
            for key, title in _groups(served).items():
                write_alert(connection, _gone(Chat(front.name, key), title), config, now)

        await self._doors.database.write("gone", note)

    async def belongs(self, chat: Chat, title: str, is_part: bool) -> None:
        """The same of one group, from a front that has no list of them. One that has become another is left by all."""
        config, now = self._doors.moves.config, self._doors.clock.now()

        def note(connection: Connection) -> None:
            keys = chat_store.note_part(connection, chat, is_part, now)
            is_there = move_store.destination_of(connection, chat.key) is None
            if is_there and any(self._serves(Chat(chat.front, key)) for key in keys):
                write_alert(connection, _gone(chat, title), config, now)

        await self._doors.database.write("gone", note)

    async def _leave(
        self, front: Front, dialog: Dialog, reader: Reader, move: Move, before_waiting: Callable[[], None]
    ) -> None:
        """Read a group that became a supergroup to its end, then go on there."""
        if self._doors.moves.destination_of(move.old) == move.new:
            return
        if self._is_admitted(dialog):
            for reading in await self._readings(front, [dialog], reader):
                await self._read_chat(reading, before_waiting)
        await self._doors.moves.follow(move)

    async def _patiently(self, read: Callable[[], Awaitable[T]], before_waiting: Callable[[], None]) -> T:
        """What `read` returns, asked again after each wait that the service wants."""
        while True:
            try:
                return await read()
            except FloodWait as wait:
                log.info("History waits.", seconds=wait.seconds)
                before_waiting()
                await self._doors.clock.sleep(wait.seconds)

    def _is_admitted(self, dialog: Dialog) -> bool:
        config = self._doors.moves.config
        if dialog.kind is ChatKind.DM:
            return config.workspace_of_person(_person(dialog)) is not None
        return dialog.kind is ChatKind.GROUP and self._serves(dialog.chat)

    def _serves(self, chat: Chat) -> bool:
        """Whether a group is its front's to answer."""
        workspace = self._doors.moves.config.workspace_of_group(chat.key)
        serving = workspace and self._doors.accounts().front_of(workspace)
        return workspace is not None and serving in {None, chat.front.partition(":")[0]}

    async def _read_chat(self, reading: _Reading, before_waiting: Callable[[], None]) -> int:
        try:
            return await self._patiently(lambda: self._read_pages(reading), before_waiting)
        except Undeliverable as error:
            log.warning("A chat's history cannot be read.", chat=reading.dialog.chat.key, error=str(error))
            return 0

    async def _read_pages(self, reading: _Reading) -> int:
        chat, last, count = reading.dialog.chat, reading.dialog.last_message, 0
        async for page in reading.front.history(chat, reading.mark, reading.since):
            if page:
                receipts = await self._doors.inbox.receive_page(chat, page)
                reading.mark = max(reading.mark, *(message.id for message in page))
                count += len(receipts)
                reading.reader.arrived(receipts)
        if last > reading.mark:  # it may be none that the history tells, such as the one that opened a topic
            await self._doors.database.write("mark", lambda connection: chat_store.set_mark(connection, chat, last))
        self._read[chat] = _Read(max(last, reading.mark), reading.since)
        return count

    async def _readings(self, front: Front, dialogs: list[Dialog], reader: Reader) -> list[_Reading]:
        """From where each chat is to be read; its row is made on first sight."""
        now = self._doors.clock.now()

        def find_or_add(connection: Connection) -> list[ChatRow]:
            return [self._row(connection, dialog, now) for dialog in dialogs]

        rows = await self._doors.database.write("chat", find_or_add) if dialogs else []
        pairs = zip(dialogs, rows, strict=True)
        return [_Reading(front, dialog, reader, row.since, row.mark) for dialog, row in pairs]

    def _row(self, connection: Connection, dialog: Dialog, now: datetime) -> ChatRow:
        """A chat begins when the configuration first admitted it."""
        found = chat_store.find_chat(connection, dialog.chat)
        if found is not None:
            return found
        entries = entries_for(dialog.kind, dialog.chat.key, _person(dialog), self._doors.moves.config)
        since = chat_store.since_of(connection, entries) or now
        return chat_store.add_chat(connection, dialog.chat, dialog.kind, dialog.title, since)


def _gone(chat: Chat, title: str) -> Alert:
    return Alert(GONE.format(front=chat.front.partition(":")[0], title=title or chat.key, key=chat.key))


def _groups(titles: dict[str, str]) -> dict[str, str]:
    """The groups of these chats, each once, by its own title where that is known, else by a topic's."""
    return {key.partition("/")[0]: titles[key] for key in sorted(titles, reverse=True)}


def _wait() -> None:
    """Nothing is kept waiting by it."""


def _person(dialog: Dialog) -> Person:
    """Whom a DM's dialog is with; in a group nobody."""
    number = int(dialog.chat.key.partition("/")[0])
    return Person(number if dialog.kind is ChatKind.DM else 0, more_usernames=dialog.usernames)
