"""Every query of the table `audit`: one row for each kind, place, person and reason, counted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.dialects.sqlite import insert as upsert

from core.schema import audit


@dataclass(frozen=True, slots=True)
class Refused:
    """What was refused: `kind` is `access`, `fence` or `web`; `place` a chat, a workspace or a client's address."""

    kind: str
    reason: str
    place: str = ""
    front: str = ""
    sender_id: int = 0
    sender_name: str = ""


def count_refused(connection: Connection, refused: Refused, now: datetime, times: int = 1) -> bool:
    """Note it, `times` times; True for its first time, which alone is worth a log line."""
    row = upsert(audit).values(
        kind=refused.kind,
        front=refused.front,
        chat_id=refused.place,
        sender_id=refused.sender_id,
        sender_name=refused.sender_name,
        reason=refused.reason,
        count=times,
        first_at=now,
        last_at=now,
    )
    same = ["kind", "front", "chat_id", "sender_id", "reason"]
    again = row.on_conflict_do_update(same, set_={"count": audit.c.count + times, "last_at": now})
    return connection.execute(again.returning(audit.c.count)).scalar() == times
