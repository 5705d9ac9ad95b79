"""Stopping: which turn a message ends (B6). Each function runs inside the caller's transaction."""

from __future__ import annotations

from sqlalchemy import Connection

from conversations import buttons, store, turn_store
from conversations.turn import TurnRow
from core.message import Message
from core.workspaces import Role


def meant(connection: Connection, message: Message, role: Role, number: int | None) -> TurnRow | None:
    """The turn with that number; else that which the message replies to something of, else the sender's own, else what
    the chat is at: the first that the sender may stop. Who replies to another's turn does not mean their own."""
    wanted = _wanted(connection, message, number)
    wanted = [turn for turn in wanted if _is_spoken_of(connection, turn, message)] or wanted
    wanted.sort(key=lambda turn: turn.requester_id != message.sender.id)
    return next((turn for turn in wanted if buttons.may_stop(turn, message.sender.id, role)), None)


def own(connection: Connection, message: Message) -> TurnRow | None:
    """The sender's own turn, which they end wherever they say so, unless it is a reply that has to do with something
    else: people say "stop" to each other, too."""
    theirs = (turn for turn in _wanted(connection, message) if turn.requester_id == message.sender.id)
    return next((t for t in theirs if message.reply_to is None or _is_spoken_of(connection, t, message)), None)


def may_end(connection: Connection, message: Message, role: Role, turn: TurnRow) -> bool:
    """Whether it has not ended, and is the sender's to end."""
    is_theirs = buttons.may_stop(turn, message.sender.id, role)
    return is_theirs and bool(turn_store.wanted(connection, turn.chat, turn.id))


def request(connection: Connection, message: Message, turn: TurnRow) -> None:
    """The turn is to end, and says who asked for it."""
    turn_store.request_stop(connection, turn, message.sender.name or str(message.sender.id))


def _wanted(connection: Connection, message: Message, number: int | None = None) -> list[TurnRow]:
    """Those that had been asked for when this was said."""
    wanted = turn_store.wanted(connection, message.chat, number)
    return [turn for turn in wanted if not _came_after(connection, turn, message)]


def _is_spoken_of(connection: Connection, turn: TurnRow, message: Message) -> bool:
    return message.reply_to is not None and turn_store.speaks_of(connection, turn, message.reply_to)


def _came_after(connection: Connection, turn: TurnRow, message: Message) -> bool:
    """Whether a turn was asked for only after this was said, which is heard late: then it is not meant."""
    first = store.first_of(connection, turn.id)
    if message.pressed or first is None:
        return False
    (number, asked_at), said_at = first, message.edited_at or message.sent_at
    return asked_at > said_at or (asked_at == said_at and message.edited_at is None and number > message.id)
