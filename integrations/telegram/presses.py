"""Presses of the bot's buttons become messages that say the button's command. Pure."""

from __future__ import annotations

import hashlib
from datetime import datetime

import telegram
from telegram.constants import ChatType

from core.message import Chat, ChatKind, Message
from integrations.telegram.bot_convert import key_of, to_person
from integrations.telegram.convert import CONTROL

LONGEST = 256  # characters; a client may send what it likes, Telegram's own send 64 bytes


def number_of(pressed: str) -> int:
    """The number of a press among a chat's messages: below 0, where no message is."""
    return -1 - int.from_bytes(hashlib.sha256(pressed.encode()).digest()[:7], "big")


def to_press(query: telegram.CallbackQuery, own: int, now: datetime) -> Message | None:
    """The press as the bot with the id `own` is told it; None where it is of no message of a chat."""
    under = query.message
    if under is None or query.data is None:
        return None
    key = key_of(under) if isinstance(under, telegram.Message) else str(under.chat.id)
    return Message(
        chat=Chat(f"bot:{own}", key),
        id=number_of(query.id),
        kind=ChatKind.DM if under.chat.type == ChatType.PRIVATE else ChatKind.GROUP,
        sender=to_person(query.from_user),
        sent_at=now,
        text=query.data.translate(CONTROL)[:LONGEST],
        reply_to=under.message_id,
        title=(under.chat.effective_name or "").replace("\0", ""),
        heard_at=now,
        pressed=query.id,
    )
