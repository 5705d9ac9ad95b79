"""What goes with deliveries: its content, from the row or from data/media/out."""

from __future__ import annotations

from dataclasses import dataclass

from conversations import file_store
from conversations.delivery import Delivery, Enclosure
from conversations.media_folder import MediaFolder
from core.attachment import File
from core.database import Database
from core.errors import Undeliverable

GONE = "The file that was to be sent is not in data/media any more."


@dataclass(frozen=True, slots=True)
class Enclosures:
    """Contents by key: laid down before a row refers to them, taken away when their chat has them."""

    database: Database
    folder: MediaFolder

    async def keep(self, key: str, content: bytes) -> None:
        await self.folder.keep(_place(key), content)

    async def load(self, delivery: Delivery) -> File | None:
        """What goes with a delivery, if anything. Raises Undeliverable when it is gone."""
        found = await self._find(delivery)
        if found is None:
            return None
        content = found.text.encode() if found.text is not None else await self.folder.load(_place(found.key or ""))
        if content is None:
            raise Undeliverable(GONE)
        return File(found.name, found.mime, content)

    async def let_go(self, delivery: Delivery) -> None:
        """Its chat has it. What a crash leaves here is found by conversations.media_cleaning."""
        found = await self._find(delivery)
        if found is not None and found.key is not None:
            await self.folder.remove([_place(found.key)])

    async def _find(self, delivery: Delivery) -> Enclosure | None:
        number = delivery.file_id
        if number is None:
            return None
        return await self.database.read(lambda connection: file_store.find(connection, number))


def _place(key: str) -> str:
    return f"out/{key}"
