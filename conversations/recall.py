"""What people pass on, quote and reply to, as the ledger keeps it and an agent reads it (B7)."""

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

FORWARDED = "[Forwarded from {}]\n"


def keep(connection: Connection, replied: Message | None, workspace: str, via: str, now: datetime) -> None:
    """A row for a message that somebody replies to, unless it has one, or is one of our deliveries: a line of the chat
    which asks nothing.

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
    store.add_message(connection, attributed(replied), filing, now)


def attributed(message: Message) -> Message:
    """The message as the ledger keeps it: what somebody passed on says whose words they are."""
    mark = _mark(message)
    return replace(message, text=f"{mark}{message.text}") if mark else message


def as_read(message: Message, verdict: Admission) -> Admission:
    """An agent reads whose words are passed on, and the part that a message quotes of what it replies to, above its
    words. A link is only itself, and so is a command, which nobody gives in the words of others."""
    mark, quoted = _mark(message), message.quote.strip().replace("\n", "\n> ")
    is_itself = read_link(verdict.prompt) or (not mark and read_command(verdict.prompt))
    if is_itself or not (mark or quoted):
        return verdict
    quote = f"> {quoted}\n" if quoted else ""
    return replace(verdict, prompt=f"{mark}{quote}{verdict.prompt}")


def _mark(message: Message) -> str:
    if message.forwarded_from is None:
        return ""
    return FORWARDED.format(" ".join(message.forwarded_from.split()) or "somebody")
