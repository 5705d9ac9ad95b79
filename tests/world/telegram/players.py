# pyright: basic, reportArgumentType=false
"""A person with a real client: says things, and remembers everything its client shows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from telethon import TelegramClient, events
from telethon.tl import functions as fn
from telethon.tl import types as tl

from tests.world.telegram import render
from tests.world.telegram.client import connect_client, mint_memory
from tests.world.telegram.model import Chat, ChatKind, Person
from tests.world.telegram.server import Server


@dataclass(frozen=True)
class Heard:
    """One thing a client showed. `kind`: message, edit, delete, reaction, typing, read.

    Ids are the player's own; `tick` is time.perf_counter() when its handler ran.
    """

    kind: str
    peer_id: int | None
    message_id: int
    text: str
    reply_to: int | None
    sender_id: int | None
    tick: float
    raw: Any = field(repr=False)


class Player:
    """A real Telethon client that plays one person."""

    def __init__(self, server: Server, person: Person, **options: Any) -> None:
        self.person = person
        self.client: TelegramClient = connect_client(mint_memory(server, person), server, **options)
        self.heard: list[Heard] = []
        self._news: list[asyncio.Future[None]] = []

    async def __aenter__(self) -> Player:
        self.client.add_event_handler(self._on_message, events.NewMessage(incoming=True))
        self.client.add_event_handler(self._on_edit, events.MessageEdited())
        self.client.add_event_handler(self._on_raw, events.Raw())
        await self.client.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        leaving: Any = self.client.disconnect()
        await leaving

    def peer(self, chat: Chat | Person) -> Any:
        """The input peer of a chat or person, with this account's access hash."""
        me = self.person
        if isinstance(chat, Person):
            return tl.InputPeerUser(chat.id, me.secret_of(chat)) if chat is not me else tl.InputPeerSelf()
        if chat.kind is ChatKind.GROUP:
            return tl.InputPeerChat(chat.id)
        if chat.kind is ChatKind.SUPERGROUP:
            return tl.InputPeerChannel(chat.id, me.secret_of(chat))
        return self.peer(chat.other(me))

    async def say(self, chat: Chat | Person, text: str, reply_to: int | None = None) -> int:
        """Send a text as it stands; the message's id in the player's eyes. Raises Telethon's RPCError."""
        request = fn.messages.SendMessageRequest(
            self.peer(chat), text, reply_to=tl.InputReplyToMessage(reply_to) if reply_to else None
        )
        result = await self.client(request)
        if isinstance(result, tl.UpdateShortSentMessage):
            return result.id
        return next(update.id for update in result.updates if isinstance(update, tl.UpdateMessageID))

    async def react(self, chat: Chat | Person, message_id: int, emoji: str) -> None:
        """Set a reaction ("" takes it away)."""
        chosen = [tl.ReactionEmoji(emoji)] if emoji else []
        await self.client(fn.messages.SendReactionRequest(self.peer(chat), message_id, reaction=chosen))

    async def hear(self, predicate: Callable[[Heard], bool], timeout: float = 5.0) -> Heard:
        """The first heard thing that fits, waiting for it if need be. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while (found := next(filter(predicate, self.heard), None)) is None:
                future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._news.append(future)
                await future
            return found

    async def hear_text(self, text: str, timeout: float = 5.0) -> Heard:
        """The message or edit that says exactly this."""
        return await self.hear(lambda one: one.kind in ("message", "edit") and one.text == text, timeout)

    def _note(self, heard: Heard) -> None:
        self.heard.append(heard)
        news, self._news = self._news, []
        for future in news:
            if not future.done():
                future.set_result(None)

    def _shown(self, kind: str, message: Any) -> Heard:
        return Heard(
            kind,
            message.chat_id,
            message.id,
            message.message or "",
            message.reply_to_msg_id,
            message.sender_id,
            time.perf_counter(),
            message,
        )

    async def _on_message(self, event: Any) -> None:
        self._note(self._shown("message", event.message))

    async def _on_edit(self, event: Any) -> None:
        self._note(self._shown("edit", event.message))

    async def _on_raw(self, update: Any) -> None:
        for kind, number, text, who in shown(update):
            self._note(Heard(kind, None, number, text, None, who, time.perf_counter(), update))


def shown(update: Any) -> list[tuple[str, int, str, int | None]]:
    """What an update shows besides messages: kind, message id, text, who."""
    if isinstance(update, tl.UpdateMessageReactions):
        chosen: list[Any] = [count.reaction for count in update.reactions.results]
        return [("reaction", update.msg_id, "".join(reaction.emoticon for reaction in chosen), None)]
    if isinstance(update, tl.UpdateDeleteMessages | tl.UpdateDeleteChannelMessages):
        return [("delete", number, "", None) for number in update.messages]
    if isinstance(update, tl.UpdateUserTyping | tl.UpdateChatUserTyping | tl.UpdateChannelUserTyping):
        who = getattr(update, "user_id", None) or getattr(getattr(update, "from_id", None), "user_id", None)
        kinds = {maker: name for name, maker in render.ACTIONS.items()}
        return [("typing", 0, kinds.get(type(update.action), ""), who)]
    if isinstance(update, tl.UpdateReadHistoryOutbox | tl.UpdateReadChannelOutbox):
        return [("read", update.max_id, "", None)]
    return []
