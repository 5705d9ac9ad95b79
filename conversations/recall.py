"""What people reply to where the ledger has no row of it: kept as a line of the chat, which asks nothing (B7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from conversations import store
from conversations.commands import read_command
from conversations.delivery_store import is_ours
from conversations.link import read_link
from conversations.store import Filing
from core.access import Admission, Reason
from core.message import Message
from core.workspaces import Role


def keep(connection: Connection, replied: Message | None, workspace: str, via: str, now: datetime) -> None:
    """A row for a message that somebody replies to, unless it has one, or is one of our deliveries.

    Should it arrive for itself yet, it is news all the same: Reason.REPLIED says that nobody has judged it.
    """
    if replied is None or replied.service is not None or is_ours(connection, replied.chat, replied.id):
        return
    if store.find_message(connection, replied) is not None:
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
    store.add_message(connection, replied, filing, now)


def quoting(message: Message, verdict: Admission) -> Admission:
    """An agent reads the part that a message quotes of what it replies to above its words; a command is only itself,
    and so is a link."""
    quoted = message.quote.strip().replace("\n", "\n> ")
    if not quoted or read_command(verdict.prompt) is not None or read_link(verdict.prompt) is not None:
        return verdict
    return replace(verdict, prompt=f"> {quoted}\n{verdict.prompt}")
