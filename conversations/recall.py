"""What people reply to where the ledger has no row of it: kept as a line of the chat, which asks nothing (B7)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from conversations import store
from conversations.attribution import attributed
from conversations.delivery_store import is_ours
from conversations.store import Filing, Known
from core.access import Reason
from core.message import Message
from core.workspaces import Role


def keep(connection: Connection, replied: Message | None, workspace: str, via: str, now: datetime) -> None:
    """A row for a message that somebody replies to, unless it has one, or is one of our deliveries.

    Should it arrive for itself yet, it is news all the same: Reason.REPLIED says that nobody has judged it. Until then
    what it says is what the last reply to it told.
    """
    if replied is None or replied.service is not None or is_ours(connection, replied.chat, replied.id):
        return
    known = store.find_message(connection, replied)
    if known is not None and not (known.reason == Reason.REPLIED and _is_newer(replied, known)):
        return
    filing = Filing(
        workspace=workspace,
        role=Role.GUEST,
        prompt=replied.text,
        answer=False,
        reason=Reason.OWN if replied.outgoing else Reason.REPLIED,
        via=via,
        turn_id=None,
    )
    if known is None:
        store.add_message(connection, attributed(replied), filing, now)
    else:
        store.change_message(connection, known, attributed(replied), filing)


def _is_newer(told: Message, known: Known) -> bool:
    return told.edited_at is not None and (known.edited_at is None or told.edited_at > known.edited_at)
