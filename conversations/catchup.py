"""Catch up: after a start, a reconnect or a gap, each admitted chat's history is read from its mark, all pages.

The mark means "read without a gap up to here": only this file moves it, never a live message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from conversations import store
from conversations.alert_store import Alert, write_alert
from conversations.inbox import Inbox, Receipt, entries_for
from conversations.moves import Moves
from conversations.store import ChatRow
from core.access import Accounts
from core.clock import Clock
from core.database import Database
from core.errors import FloodWait, Undeliverable
from core.message import Chat, ChatKind, Move, Person
from core.protocols import Dialog, Front

log = structlog.get_logger("telegram.catchup")
AT_ONCE = 4  # chats read side by side
GONE = (
    "The account is no longer in the group {title} ({key}): add it there again, "
    "or take the group out of config/workspace_config.json."
)
T = TypeVar("T")

Arrived = Callable[[list[Receipt]], None]


@dataclass(frozen=True, slots=True)
class CatchUpDoors:
    """What catching up needs of its neighbours."""

    database: Database
    clock: Clock
    inbox: Inbox
    moves: Moves
    accounts: Callable[[], Accounts]


@dataclass(frozen=True, slots=True)
class _Reading:
    """One chat to be read."""

    front: Front
    dialog: Dialog
    arrived: Arrived


class CatchUp:
    """Reads histories. One reading per front at a time; asked again meanwhile, it reads once more."""

    def __init__(self, doors: CatchUpDoors) -> None:
        self._doors = doors
        self._reading: dict[str, asyncio.Lock] = {}
        self._asked: set[str] = set()

    async def read(self, front: Front, arrived: Arrived) -> int:
        """Read every admitted chat of a front to its end; how many messages were read.

        `arrived` is told of each page's receipts after their commit. Raises Unreachable when the front does not
        answer: whoever reconnects asks again. A chat that refuses keeps no other from being read.
        """
        if front.name in self._asked or not front.lists_chats:
            return 0
        self._asked.add(front.name)
        try:
            async with self._reading.setdefault(front.name, asyncio.Lock()):
                self._asked.discard(front.name)
                return await self._read_all(front, arrived)
        finally:
            self._asked.discard(front.name)

    async def _read_all(self, front: Front, arrived: Arrived) -> int:
        listed = await self._patiently(front.dialogs)
        for dialog in listed:
            if dialog.moved_to is not None:
                await self._leave(_Reading(front, dialog, arrived), Move(dialog.chat, dialog.moved_to))
        await self._note_gone(front, [dialog.chat for dialog in listed])
        dialogs = [dialog for dialog in listed if dialog.moved_to is None and self._is_admitted(dialog)]
        gate = asyncio.Semaphore(AT_ONCE)
        readings = [_Reading(front, dialog, arrived) for dialog in dialogs]
        ends = await asyncio.gather(*(self._read_chat(one, gate) for one in readings), return_exceptions=True)
        counts = [end for end in ends if not isinstance(end, BaseException)]
        log.info("Caught up.", front=front.name, chats=len(counts), messages=sum(counts))
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        return sum(counts)

    async def _note_gone(self, front: Front, present: list[Chat]) -> None:
        """Tell the owner, once, of groups that the configuration admits and the account is no part of any more."""
        config, now = self._doors.moves.config, self._doors.clock.now()
        keys = {chat.key.partition("/")[0] for chat in present} | set(self._doors.moves.known.values())

        def note(connection: Connection) -> None:
            for key, title in store.note_gone(connection, front.name, keys, now).items():
                if config.entry_of(key) is not None:
                    write_alert(connection, Alert(GONE.format(title=title or key, key=key)), config, now)

        await self._doors.database.write("gone", note)

    async def _leave(self, reading: _Reading, move: Move) -> None:
        """Read a group that became a supergroup to its end, then go on there."""
        if self._doors.moves.destination_of(move.old) == move.new:
            return
        if self._is_admitted(reading.dialog):
            await self._read_chat(reading, asyncio.Semaphore())
        await self._doors.moves.follow(move)

    async def _patiently(self, read: Callable[[], Awaitable[T]]) -> T:
        """What `read` returns, asked again after each wait that the service wants."""
        while True:
            try:
                return await read()
            except FloodWait as wait:
                log.info("History waits.", seconds=wait.seconds)
                await self._doors.clock.sleep(wait.seconds)

    def _is_admitted(self, dialog: Dialog) -> bool:
        config = self._doors.moves.config
        if dialog.kind is ChatKind.DM:
            return config.workspace_of_person(_person(dialog)) is not None
        if dialog.kind is not ChatKind.GROUP:
            return False
        workspace = config.workspace_of_group(dialog.chat.key)
        serving = workspace and self._doors.accounts().front_of(workspace)
        return workspace is not None and serving in {None, dialog.chat.front.partition(":")[0]}

    async def _read_chat(self, reading: _Reading, gate: asyncio.Semaphore) -> int:
        async with gate:
            try:
                return await self._patiently(lambda: self._read_pages(reading))
            except Undeliverable as error:
                log.warning("A chat's history cannot be read.", chat=reading.dialog.chat.key, error=str(error))
                return 0

    async def _read_pages(self, reading: _Reading) -> int:
        """From the mark, which each page moves: a wait in the middle loses nothing."""
        row, last, count = await self._row(reading.dialog), reading.dialog.last_message, 0
        if last and last <= row.mark:
            return 0
        async for page in reading.front.history(row.chat, row.mark, row.since):
            if page:
                receipts = await self._doors.inbox.receive_page(row.chat, page)
                count += len(receipts)
                reading.arrived(receipts)
        # The last one may be none that the history tells, such as the one that opened a topic.
        await self._doors.database.write("mark", lambda connection: store.set_mark(connection, row.chat, last))
        return count

    async def _row(self, dialog: Dialog) -> ChatRow:
        """The chat's row, made on first sight: it begins when the configuration first admitted it."""
        entries = entries_for(dialog.kind, dialog.chat.key, _person(dialog), self._doors.moves.config)
        now = self._doors.clock.now()

        def find_or_add(connection: Connection) -> ChatRow:
            found = store.find_chat(connection, dialog.chat)
            if found is not None:
                return found
            since: datetime = store.since_of(connection, entries) or now
            return store.add_chat(connection, dialog.chat, dialog.kind, dialog.title, since)

        return await self._doors.database.write("chat", find_or_add)


def _person(dialog: Dialog) -> Person:
    """Whom a DM's dialog is with; in a group nobody."""
    number = int(dialog.chat.key.partition("/")[0])
    return Person(number if dialog.kind is ChatKind.DM else 0, more_usernames=dialog.usernames)
