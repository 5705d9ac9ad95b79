"""Files between chats and runs: what an agent sends is owed once; what was attached can be read on and taken out."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from conversations import attachment_store, file_store
from conversations.attachment_store import Stored, place_of
from conversations.delivery import FILE, Draft, Enclosure
from conversations.delivery_store import owe
from conversations.enclosures import Enclosures
from conversations.media_folder import MediaFolder
from core.attachment import File
from core.clock import Clock
from core.database import Database
from core.errors import RequestError, Unknown
from core.message import Chat
from core.protocols import Asker, Call

Wake = Callable[[Chat], None]


@dataclass(frozen=True, slots=True)
class Files:
    """Implements core.protocols.ChatFiles; `wake` is called when a chat is owed something more."""

    database: Database
    clock: Clock
    folder: MediaFolder
    enclosures: Enclosures
    wake: Wake

    async def send(self, file: File, caption: str, asker: Asker, call: Call) -> None:
        """Owe the asker's chat a file. The same `call` again owes nothing more: its row says that it did."""
        if await self.database.read(lambda connection: file_store.is_sent_by(connection, call)):
            return
        key = secrets.token_hex(16)
        await self.enclosures.keep(key, file.content)
        enclosure = Enclosure(file.name, file.mime, len(file.content), key, call=call)
        draft = Draft(asker.chat, FILE, caption, asker.message_id, call.turn_id, call.promise_id, file=enclosure)
        now = self.clock.now()

        def send(connection: Connection) -> None:
            if not file_store.is_sent_by(connection, call):
                owe(connection, draft, now)

        await self.database.write("file", send)
        self.wake(asker.chat)

    async def read(self, number: int, asker: Asker) -> str:
        found = await self._find(number, asker)
        if found.text is None:
            raise RequestError(f"Attachment {number} says nothing: {found.problem or found.attachment.label}.")
        return found.text

    async def open(self, number: int, asker: Asker) -> File:
        found = await self._find(number, asker)
        content = await self.folder.load(place_of(number))
        if content is None:
            raise RequestError(f"Attachment {number} is not kept here (any more): it can be sent again.")
        return File(found.attachment.name or f"attachment {number}", found.attachment.mime, content)

    async def _find(self, number: int, asker: Asker) -> Stored:
        def find(connection: Connection) -> Stored | None:
            return attachment_store.of_chat(connection, asker.chat, asker.workspace, number)

        found = await self.database.read(find)
        if found is None:
            raise Unknown(f"There is no attachment {number} in this chat.")
        return found
