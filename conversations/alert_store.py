"""What the owner is owed. Each function runs inside the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from conversations import delivery_store
from conversations.delivery import Draft
from core.access import Reason
from core.message import PAGE, Chat, ChatKind, Person
from core.schema import chats, messages
from core.workspaces import WorkspaceConfig

NOTICE = "notice"
# Chat by chat: over all at once SQLite would read every message there is. Presses have numbers below 0, in no order.
HERE = (messages.c.front == chats.c.front, messages.c.chat_id == chats.c.chat_id, messages.c.reason != Reason.OWN)
NUMBER = messages.c.message_id
WRITTEN = select(messages.c.id).where(*HERE, NUMBER > 0).order_by(NUMBER.desc()).limit(1).correlate(chats)
PRESSED = select(func.max(messages.c.id)).where(*HERE, NUMBER < 0).correlate(chats)
EITHER = (func.coalesce(one.scalar_subquery(), 0) for one in (WRITTEN, PRESSED))
LATEST = select(func.max(*EITHER)).select_from(chats).where(chats.c.kind == ChatKind.DM)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Alert:
    """A sentence for the owner, not told again `within` a time; `without` is a chat that it cannot be told in."""

    sentence: str
    within: timedelta = MINUTE
    without: Chat | None = None


def write_alert(connection: Connection, alert: Alert, config: WorkspaceConfig, now: datetime) -> bool:
    """Owe the owner a sentence, in the transaction of what it tells; False where that was done a while ago."""
    chat = next((chat for chat in open_chats(connection, config) if chat != alert.without), PAGE)
    draft = Draft(chat, NOTICE, alert.sentence)
    if delivery_store.is_owed_since(connection, draft, now - alert.within):
        return False
    delivery_store.owe(connection, draft, now)
    return True


def hand_on(connection: Connection, config: WorkspaceConfig) -> list[Chat]:
    """Let what the owner was to be told in chats whose front is silent go to one that is not; the chats it leaves."""
    there = next(iter(open_chats(connection, config)), None)
    left = [chat for chat in owner_chats(connection, config) if is_silent(chat, config)]
    if there is None:
        return []
    for chat in left:
        delivery_store.readdress(connection, chat, there, NOTICE)
    return left


def open_chats(connection: Connection, config: WorkspaceConfig) -> list[Chat]:
    """Those of the owners' chats that can be written in now, the latest first."""
    return [chat for chat in owner_chats(connection, config) if not is_silent(chat, config)]


def is_silent(chat: Chat, config: WorkspaceConfig) -> bool:
    return chat.front.partition(":")[0] in config.silent


def owner_chats(connection: Connection, config: WorkspaceConfig) -> list[Chat]:
    """The direct chats of whom the configuration calls an owner of the installation now, the latest first."""
    return [chat for chat, person in direct_chats(connection) if config.whitelist.is_owner(person)]


def direct_chats(connection: Connection) -> list[tuple[Chat, Person]]:
    """Every direct chat with who wrote in it, by the name that they last wrote under; the latest first."""
    rows = connection.execute(select(messages).where(messages.c.id.in_(LATEST)).order_by(messages.c.id.desc()))
    return [(Chat(row.front, row.chat_id), Person(row.sender_id, row.sender_username, row.sender_name)) for row in rows]
