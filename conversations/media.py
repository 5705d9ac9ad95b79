"""What messages carry, made readable: fetched when a turn needs it, looked at, listened to, read.

A row says what is known; content lies in data/media/in. What a crash cut short is simply done again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from conversations import attachment_store
from conversations.attachment_store import SPOKEN, Found, Stored, place_of
from conversations.media_folder import MediaFolder
from conversations.media_words import PICTURES, MediaWords, write_words
from conversations.turn import Turn
from core.attachment import Kind, Picture, tell_size
from core.clock import Clock
from core.content import picture_size, picture_type
from core.database import Database
from core.errors import FloodWait, ModelError, RequestError, SessionError, Undeliverable, Unreachable
from core.protocols import Front
from runtime.process import marker_of
from runtime.reader import Reading

log = structlog.get_logger("agents.media")
PICTURE_BYTES = 3_750_000  # what a model takes of one picture, before it is written down as text
PICTURE_SIDE = 8_000
LIMITS = {Kind.VOICE: 25_000_000, Kind.AUDIO: 25_000_000, Kind.DOCUMENT: 20_000_000}
AT_ONCE = 3
ATTEMPTS = 3
MOST_PATIENCE = 30.0
ODD_PICTURE = "It is no JPEG, PNG, GIF or WebP picture, whatever its name says."

Listen = Callable[[bytes, Turn], Awaitable[str]]
ReadDocument = Callable[[bytes, str], Awaitable[Reading]]


@dataclass(frozen=True, slots=True)
class MediaDoors:
    """Everything that reading needs of its neighbours."""

    database: Database
    clock: Clock
    fronts: Mapping[str, Front]
    folder: MediaFolder
    listen: Listen
    read_document: ReadDocument


class Media:
    """Reads attachments for turns."""

    def __init__(self, doors: MediaDoors) -> None:
        self._doors = doors
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def words(self, turn: Turn) -> MediaWords:
        """What the turn's messages carry, and what they reply to, as its agent reads it; read now where it is new."""
        asked, replied = await self._stored(turn)
        fresh = [one for one in (*asked, *replied) if await self._is_unread(one)]
        if fresh:
            told = await asyncio.gather(*(self._read(turn, one) for one in fresh))
            asked, replied = await self._stored(turn)
            return write_words(asked, replied, {number: problem for number, problem in told if problem})
        return write_words(asked, replied, {})

    async def pictures(self, turn: Turn) -> tuple[Picture, ...]:
        """The pictures among them, in the order of the words."""
        asked, replied = await self._stored(turn)
        seen = [one for one in (*asked, *replied) if one.picture][:PICTURES]
        loaded = [(one, await self._doors.folder.load(place_of(one.id))) for one in seen]
        return tuple(Picture(one.picture or "", content, place_of(one.id)) for one, content in loaded if content)

    async def _stored(self, turn: Turn) -> tuple[list[Stored], list[Stored]]:
        parent = next((one.reply_to for one in reversed(turn.asked) if one.reply_to), None)
        if parent is None and not any(one.carries for one in turn.asked):
            return [], []

        def read(connection: Connection) -> tuple[list[Stored], list[Stored]]:
            asked = attachment_store.of_turn(connection, turn)
            replied = [] if parent is None else attachment_store.of_message(connection, turn, parent)
            known = {one.id for one in asked}
            return asked, [one for one in replied if one.id not in known]

        return await self._doors.database.read(read)

    async def _is_unread(self, one: Stored) -> bool:
        """Also a picture whose file is gone: the chat has it still."""
        if one.attachment.reference is None:
            return False
        return one.state == "new" or (one.picture is not None and not await self._doors.folder.has(place_of(one.id)))

    async def _read(self, turn: Turn, one: Stored) -> tuple[int, str | None]:
        """Read one attachment and keep what that came to; a problem that may pass is told, and not kept."""
        try:
            async with self._gate:
                found = await self._look(turn, one)
        except (FloodWait, Unreachable, SessionError, ModelError, _PassingError) as error:
            log.warning("An attachment could not be read.", turn=turn.id, attachment=one.id, error=str(error))
            return one.id, str(error)
        except (Undeliverable, RequestError) as refusal:
            found = Found(problem=str(refusal))
        await self._doors.database.write(
            "attachment", lambda connection: attachment_store.note(connection, one.id, found)
        )
        return one.id, None

    async def _look(self, turn: Turn, one: Stored) -> Found:
        kind, size = one.attachment.kind, one.attachment.size
        limit = LIMITS.get(kind, PICTURE_BYTES)
        if size > limit and kind is not Kind.VIDEO:
            return Found(problem=f"It has {tell_size(size)}; at most {tell_size(limit)} of a {kind} are read.")
        content = await self._fetch(one, limit)
        await self._doors.folder.keep(place_of(one.id), content)
        if kind in SPOKEN:
            return Found(await self._doors.listen(content, turn))
        if picture_type(content) is not None or kind is not Kind.DOCUMENT:
            return look_at(content)
        reading = await self._doors.read_document(content, marker_of(turn.run_id, turn.epoch))
        if reading.passes:
            raise _PassingError(reading.problem)
        return Found(reading.text, reading.what) if reading.problem is None else Found(problem=reading.problem)

    async def _fetch(self, one: Stored, limit: int) -> bytes:
        """The content, asked for again where that may help."""
        for attempt in range(1, ATTEMPTS):
            try:
                return await self._fetch_once(one, limit)
            except (FloodWait, Unreachable) as error:
                seconds = error.seconds if isinstance(error, FloodWait) else float(attempt)
                if seconds > MOST_PATIENCE:
                    raise
                await self._doors.clock.sleep(seconds)
        return await self._fetch_once(one, limit)

    async def _fetch_once(self, one: Stored, limit: int) -> bytes:
        front, reference = self._doors.fronts.get(one.chat.front), one.attachment.reference
        assert reference is not None
        if front is None:
            raise Unreachable("Its chat cannot be reached now.")
        return await front.fetch(one.chat, one.message_id, reference, limit)


def look_at(content: bytes) -> Found:
    """Whether a model can be shown a picture."""
    mime, (width, height) = picture_type(content), picture_size(content) or (1, 1)
    if mime is None:
        return Found(problem=ODD_PICTURE)
    if len(content) > PICTURE_BYTES:
        return Found(problem=f"It has {tell_size(len(content))}; at most {tell_size(PICTURE_BYTES)} are looked at.")
    if max(width, height) > PICTURE_SIDE:
        return Found(problem=f"It is {width} by {height} dots; at most {PICTURE_SIDE:,} either way are looked at.")
    return Found(picture=mime)


class _PassingError(Exception):
    """Something about the machine, not the attachment, keeps it from being read."""
