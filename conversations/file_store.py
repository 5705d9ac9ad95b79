"""Every query of the table `files`: what is sent beside text. Each function runs inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from conversations.delivery import Enclosure
from core.protocols import Call
from core.schema import deliveries, files

UNSENT = ("held", "open", "ready", "ambiguous", "dead")


def add(connection: Connection, file: Enclosure) -> int:
    """A new row; raises IntegrityError when its call has sent one."""
    row = {
        "name": file.name,
        "mime": file.mime,
        "size": file.size,
        "key": file.key,
        "text": file.text,
        "run_id": file.call and file.call.run_id,
        "tool_call_id": file.call and file.call.tool_call_id,
    }
    key: Any = connection.execute(insert(files), row).inserted_primary_key
    return int(key[0])


def find(connection: Connection, file_id: int) -> Enclosure | None:
    row = connection.execute(select(files).where(files.c.id == file_id)).first()
    return None if row is None else Enclosure(row.name, row.mime, row.size, row.key, row.text)


def is_sent_by(connection: Connection, call: Call) -> bool:
    """Whether this tool call has sent its file already."""
    same = (files.c.run_id == call.run_id, files.c.tool_call_id == call.tool_call_id)
    return connection.execute(select(files.c.id).where(*same)).first() is not None


def needed_keys(connection: Connection) -> set[str]:
    """The contents in data/media/out that some chat is still to get."""
    unsent = select(deliveries.c.file_id).where(deliveries.c.status.in_(UNSENT))
    query = select(files.c.key).where(files.c.key.is_not(None), files.c.id.in_(unsent))
    return {key for key in connection.execute(query).scalars() if key is not None}


def forget(connection: Connection, file_ids: Iterable[int]) -> None:
    connection.execute(delete(files).where(files.c.id.in_(tuple(file_ids))))
