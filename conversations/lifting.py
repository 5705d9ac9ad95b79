"""Answering again in a chat that was stopped, whatever its front and wherever its owner says so."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from conversations import chat_store
from conversations.alert_store import direct_chats
from conversations.turn import Turn
from core.access import administers
from core.errors import NotAllowed
from core.message import Message
from core.workspaces import Workspace, WorkspaceConfig

NOT_YOURS = "Only an owner of the installation, or of that chat's workspace, may let me answer in {key} again: ask one."


def lift(connection: Connection, turn: Turn, key: str, config: WorkspaceConfig, now: datetime) -> str:
    """End the stop of the chat `key`, inside the caller's transaction; what its owner is told."""
    if not administers(turn.person, turn.chat, _workspace_of(connection, key, config), config):
        raise NotAllowed(NOT_YOURS.format(key=key))
    found = chat_store.find_chats(connection, key)
    for row in found:
        chat_store.set_stopped(connection, row.chat, None, now)
    was_stopped = any(row.stopped_reason for row in found)
    return f"I answer in {key} again." if was_stopped else f"I had not stopped answering in {key}."


def stopped_in(message: Message, reason: str) -> str:
    """What the owner is told of a stop, which names how it ends."""
    where = message.title or message.sender.name or message.chat.key
    return f"I stopped answering in {where}: {reason}. Send `/lift {message.chat.key}` to let me go on."


def _workspace_of(connection: Connection, key: str, config: WorkspaceConfig) -> Workspace | None:
    """The workspace that a group, or the person of a direct chat, reaches by now."""
    if key.startswith("-"):
        return config.workspace_of_group(key)
    person = next((person for chat, person in direct_chats(connection) if chat.key == key), None)
    return None if person is None else config.workspace_of_person(person)
