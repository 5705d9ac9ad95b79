"""The Telegram bot as a front."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, MessageEntity, ReplyParameters
from telegram.error import ChatMigrated

from core.clock import Clock, SystemClock
from core.errors import Moved, Undeliverable, Unreachable
from core.message import Button, Chat, Entity, Message, Move, Part, Person, Sent
from core.protocols import Dialog, Receiver
from integrations.telegram.bot_access import BotAccess
from integrations.telegram.bot_convert import place_of
from integrations.telegram.bot_life import BotLife, BotPace
from integrations.telegram.bot_line import JSON, BotLine
from integrations.telegram.bot_refusals import words_of
from integrations.telegram.bot_transfers import download, send_file
from integrations.telegram.budget import Purpose
from integrations.telegram.entities import to_bot_api
from integrations.telegram.lifeline import Health

log = logging.getLogger(__name__)
NOT_MODIFIED = "not modified"
LOST_REPLY = "replied"


class Bot:
    """Implements core.protocols.Front over the Bot API, which keeps no keys of sends and tells no history."""

    keeps_keys = False
    lists_chats = False

    def __init__(self, access: BotAccess, pace: BotPace | None = None, clock: Clock | None = None) -> None:
        pace, clock = pace or BotPace(), clock or SystemClock()
        self._number = access.number
        self._line = BotLine(access, pace.call, clock)
        self._life = BotLife(access, self._line, pace, clock)

    # -- life

    async def start(self, receiver: Receiver) -> None:
        """Begin to receive; goes on trying without a network."""
        await self._line.open()
        self._life.start(receiver)

    async def stop(self) -> None:
        await self._life.stop()
        await self._line.close()

    async def take_pushed(self, update: JSON) -> None:
        """An update that Telegram pushes; returns when it is written. Raises Unreachable before the bot is up."""
        await self._life.take_pushed(update)

    def health(self) -> Health:
        return self._life.health

    @property
    def person(self) -> Person:
        """Who the bot is. Its username is known once it has been connected."""
        return self._life.person or Person(self._number, is_bot=True)

    @property
    def is_private(self) -> bool:
        """Whether Telegram tells it, in groups where it is no administrator, only what is said to it."""
        return self._life.is_private

    @property
    def name(self) -> str:
        return f"bot:{self._number}"

    @property
    def own_chat(self) -> Chat:
        """A bot cannot write to itself: nothing is ever sent there."""
        return Chat(self.name, str(self._number))

    # -- Front

    async def prove(self) -> bool:
        """The Bot API answers, and the way of the updates has lately been open."""
        await self._line.call(self._line.api.get_me())
        if self.health().status != "healthy":
            raise Unreachable(self.health().sentence)
        return True

    async def send(self, part: Part) -> int:
        await self._line.budget.enter(Purpose.ANSWER, part.chat)
        try:
            return await self._send(part, part.reply_to)
        except Undeliverable as refusal:
            self._raise_moved(part.chat, refusal)
            if part.reply_to is None or LOST_REPLY not in words_of(refusal):
                raise
        # In a topic Telegram insists on the message that is answered; nothing was sent.
        return await self._send(part, None)

    async def _send(self, part: Part, reply_to: int | None) -> int:
        chat, topic = place_of(part.chat)
        reply = ReplyParameters(reply_to, allow_sending_without_reply=True) if reply_to else None
        where: dict[str, Any] = {"message_thread_id": topic, "reply_parameters": reply}
        where["reply_markup"] = _keyboard(part.buttons)
        entities = _entities(part.entities)
        if part.file is not None:
            said = {"caption": part.text, "caption_entities": entities, **where}
            return (await send_file(self._line, chat, part.file, said)).message_id
        return (
            await self._line.call(self._line.api.send_message(chat, part.text, entities=entities, **where))
        ).message_id

    async def fetch(self, chat: Chat, message_id: int, reference: str, limit: int) -> bytes:
        return await download(self._line, reference, limit)

    async def edit(
        self, chat: Chat, message_id: int, text: str, entities: Sequence[Entity], buttons: Sequence[Button] = ()
    ) -> None:
        number, _ = place_of(chat)
        said: dict[str, Any] = {"entities": _entities(entities), "reply_markup": _keyboard(buttons)}
        await self._line.budget.enter(Purpose.CHANGE, chat)
        try:
            await self._line.call(self._line.api.edit_message_text(text, number, message_id, **said))
        except Undeliverable as refusal:
            self._raise_moved(chat, refusal)
            if NOT_MODIFIED not in words_of(refusal):
                raise

    def _raise_moved(self, chat: Chat, refusal: Undeliverable) -> None:
        """After a refusal: raise Moved where the chat is a group that became a supergroup."""
        if isinstance(refusal.__cause__, ChatMigrated):
            raise Moved(Move(chat, Chat(self.name, str(refusal.__cause__.new_chat_id))))

    async def delete(self, chat: Chat, message_ids: Sequence[int]) -> None:
        number, _ = place_of(chat)
        await self._line.call(self._line.api.delete_messages(number, list(message_ids)))

    async def react(self, chat: Chat, message_id: int, emoji: str | None) -> None:
        number, _ = place_of(chat)
        await self._line.budget.enter(Purpose.DECORATION, chat)
        await self._line.call(self._line.api.set_message_reaction(number, message_id, emoji))

    async def decisions(self, chat: Chat, message_ids: Sequence[int]) -> list[Message]:
        """A bot hears of reactions only as an administrator: it has buttons."""
        return []

    async def mark_read(self, chat: Chat, message_id: int) -> None:
        """Bots have no read marks."""

    async def show_typing(self, chat: Chat) -> None:
        number, topic = place_of(chat)
        await self._line.budget.enter(Purpose.DECORATION, chat)
        await self._line.call(self._line.api.send_chat_action(number, "typing", message_thread_id=topic))

    async def sent_after(self, chat: Chat, message_id: int) -> list[Sent]:
        """Bots are told nothing of what they have sent."""
        return []

    async def dialogs(self) -> list[Dialog]:
        """Bots have no list of their chats."""
        return []

    async def history(self, chat: Chat, after: int, since: datetime) -> AsyncIterator[list[Message]]:
        """Bots have no history: what they missed waits for them as updates."""
        for page in ():
            yield page


def _keyboard(buttons: Sequence[Button]) -> InlineKeyboardMarkup | None:
    """One row of them; None takes away those that a message had."""
    row = [InlineKeyboardButton(button.words, callback_data=button.says) for button in buttons]
    return InlineKeyboardMarkup([row]) if row else None


def _entities(entities: Sequence[Entity]) -> list[MessageEntity]:
    return [MessageEntity.de_json(entity) for entity in to_bot_api(entities)]
