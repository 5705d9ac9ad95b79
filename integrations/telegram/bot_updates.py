"""What the Bot API tells is handed over: in order within a chat, and all of it before anybody says that it came."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import telegram
from telegram.error import TelegramError

from core.message import Message
from core.protocols import Receiver
from integrations.telegram.bot_convert import find_message, to_message
from integrations.telegram.bot_line import JSON, ServerClock
from integrations.telegram.intake import guard

log = logging.getLogger(__name__)
# What is asked for; of everything else the Bot API says nothing.
KINDS = ("message", "edited_message", "channel_post", "edited_channel_post")
# What a message is still worth where python-telegram-bot stumbles over the rest of it.
ESSENTIAL = frozenset({"message_id", "date", "edit_date", "chat", "from", "sender_chat", "text", "caption"}) | {
    *("is_topic_message", "message_thread_id")
}
UNREADABLE = (TelegramError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, OSError)


class Updates:
    """`take` returns when everything is a row; what cannot be read is counted by its kind, and holds nothing up."""

    def __init__(self, own: int, clock: ServerClock, receiver: Receiver) -> None:
        self._own = own
        self._clock = clock
        self._receiver = receiver
        self.unread: Counter[str] = Counter()

    async def take(self, told: Sequence[JSON], *, has_waited: bool = False) -> None:
        """`has_waited`: it was told while nobody listened, and is answered together."""
        messages = [message for one in told if (message := self._read(one)) is not None]
        chats = {message.chat: [other for other in messages if other.chat == message.chat] for message in messages}
        await asyncio.gather(*(self._take_chat(said, has_waited) for said in chats.values()))

    async def _take_chat(self, said: list[Message], has_waited: bool) -> None:
        if has_waited:
            await guard(self._receiver.receive_waiting(said), "Receiving what waited")
            return
        for message in said:
            await guard(self._receiver.receive(message), "Receiving a message")

    def _read(self, told: JSON) -> Message | None:
        kind = next((name for name in told if name != "update_id"), "nothing")
        for form in (told, _essence(told, kind)):
            try:
                raw = find_message(telegram.Update.de_json(form))
                if raw is not None:
                    return replace(to_message(raw, self._own), heard_at=self._clock.now())
                break
            except UNREADABLE as error:
                log.warning("an update (%s) cannot be read: %r", kind, error)
        self.unread[kind] += 1
        return None


def _essence(told: JSON, kind: str) -> JSON:
    """The same update without all that a message can do without."""
    body: Any = told.get(kind)
    kept: JSON = {name: body[name] for name in ESSENTIAL if name in body} if isinstance(body, dict) else {}
    return {"update_id": told["update_id"], kind: kept}
