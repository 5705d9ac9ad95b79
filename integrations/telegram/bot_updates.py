"""What the Bot API tells is handed over: in order within a chat, and all of it before anybody says that it came."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import telegram
from telegram import ChatMember
from telegram.constants import ChatType
from telegram.error import TelegramError

from core.message import Chat, Message
from core.protocols import Receiver
from integrations.telegram.bot_convert import find_message, to_message
from integrations.telegram.bot_line import JSON, ServerClock
from integrations.telegram.intake import guard
from integrations.telegram.presses import to_press

log = logging.getLogger(__name__)
# What is asked for; of everything else the Bot API says nothing.
KINDS = ("message", "edited_message", "channel_post", "edited_channel_post", "callback_query", "my_chat_member")
# What a message is still worth where python-telegram-bot stumbles over the rest of it.
ESSENTIAL = frozenset({"message_id", "date", "edit_date", "chat", "from", "sender_chat", "text", "caption"}) | {
    *("is_topic_message", "message_thread_id", "is_automatic_forward")
}
REPLIED = "reply_to_message"
GROUPS = frozenset({ChatType.GROUP, ChatType.SUPERGROUP})
APART = frozenset({ChatMember.LEFT, ChatMember.BANNED})
Answer = Callable[[str, str], Awaitable[None]]
UNREADABLE = (TelegramError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, OSError)


class Updates:
    """`take` returns when everything is a row; what cannot be read is counted by its kind, and holds nothing up.

    `answer` ends the waiting of who pressed a button, by the press's id, with a sentence or ''.
    """

    def __init__(self, own: int, clock: ServerClock, receiver: Receiver, answer: Answer) -> None:
        self._own = own
        self._clock = clock
        self._receiver = receiver
        self._answer = answer
        self.unread: Counter[str] = Counter()

    async def take(self, told: Sequence[JSON], *, has_waited: bool = False) -> None:
        """`has_waited`: it was told while nobody listened, and is answered together."""
        heard = (one for one in told if "my_chat_member" not in one)
        messages = [message for one in heard if (message := self._read(one)) is not None]
        chats = {message.chat: [other for other in messages if other.chat == message.chat] for message in messages}
        await asyncio.gather(*(self._take_chat(said, has_waited) for said in chats.values()))
        for one in told:
            if "my_chat_member" in one:
                await guard(self._take_membership(one), "Receiving a membership")

    async def _take_membership(self, told: JSON) -> None:
        change = told["my_chat_member"]
        where = telegram.Chat.de_json(change["chat"])
        if where.type in GROUPS:
            chat = Chat(f"bot:{self._own}", str(where.id))
            await self._receiver.belongs(chat, where.effective_name or "", _is_part(change["new_chat_member"]))

    async def _take_chat(self, said: list[Message], has_waited: bool) -> None:
        written = [message for message in said if message.pressed is None]
        if has_waited and written:
            await guard(self._receiver.receive_waiting(written), "Receiving what waited")
        for message in said:
            if message.pressed is not None:
                await guard(self._press(message, message.pressed), "Receiving a press")
            elif not has_waited:
                await guard(self._receiver.receive(message), "Receiving a message")

    async def _press(self, message: Message, query: str) -> None:
        """A row first: that the person's waiting can be ended is worth less, and is over after some seconds anyway."""
        await self._answer(query, await self._receiver.press(message))

    def _read(self, told: JSON) -> Message | None:
        kind = next((name for name in told if name != "update_id"), "nothing")
        for form in (told, _essence(told, kind, REPLIED), _essence(told, kind)):
            try:
                message = self._convert(telegram.Update.de_json(form))
                if message is not None:
                    return message
                break
            except UNREADABLE as error:
                log.warning("an update (%s) cannot be read: %r", kind, error)
        self.unread[kind] += 1
        return None

    def _convert(self, update: telegram.Update) -> Message | None:
        now = self._clock.now()
        if update.callback_query is not None:
            return to_press(update.callback_query, self._own, now)
        raw = find_message(update)
        return None if raw is None else replace(to_message(raw, self._own), heard_at=now)


def _is_part(member: JSON) -> bool:
    """Who is restricted may be so in a group that they have left. Read here, for python-telegram-bot knows nobody whose
    rights Telegram does not name one and all."""
    return member["status"] not in APART and bool(member.get("is_member", True))


def _essence(told: JSON, kind: str, *nested: str) -> JSON:
    """The same update without all that a message can do without, and without `nested` messages that are not named."""
    return {"update_id": told["update_id"], kind: _core(told.get(kind), nested)}


def _core(body: Any, nested: Iterable[str] = ()) -> JSON:
    """That it is in the words of others is a part of what a message says."""
    if not isinstance(body, dict):
        return {}
    kept: JSON = {name: body[name] for name in ESSENTIAL if name in body}
    if "forward_origin" in body:
        kept["forward_origin"] = {"type": "unread", "date": kept.get("date", 0)}
    return kept | {name: _core(body[name]) for name in nested if name in body}
