# pyright: basic
"""The Telegram user account as a front."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from telethon import utils
from telethon.tl import functions as fn
from telethon.tl import types as tl

from core.clock import Clock, SystemClock
from core.errors import FrontError, Moved, SessionError, SlowMode, Undeliverable, Unreachable
from core.message import Button, Chat, Entity, Message, Part, Sent
from core.protocols import Dialog, Receiver
from integrations.telegram.budget import Budget, Purpose, Rates
from integrations.telegram.convert import find_message, to_message, to_sent
from integrations.telegram.directory import Account, Directory
from integrations.telegram.entities import to_telethon
from integrations.telegram.intake import Intake
from integrations.telegram.lifeline import Health, Lifeline, Pace
from integrations.telegram.line import Line, marked_id_of, topic_of
from integrations.telegram.pages import (
    Thread,
    find_before,
    read_dialogs,
    read_history,
    read_message,
    search_history,
)
from integrations.telegram.reactions import complete, hand_over, read_reactions, to_decisions
from integrations.telegram.refusals import name_of
from integrations.telegram.sending import channel_of, reply_of, send_file, sent_id, unless_done
from integrations.telegram.session import (
    SIGN_IN,
    SessionLock,
    TelegramAccess,
    has_key,
    open_session,
    stored_account,
)
from integrations.telegram.transfers import download

log = logging.getLogger(__name__)
LOST_REPLIES = frozenset({"REPLY_MESSAGE_ID_INVALID", "MSG_ID_INVALID", "MESSAGE_ID_INVALID", "REPLY_TO_INVALID"})
# What Telegram says where the account joins, leaves or is thrown out of a group, or something else changes there.
MEMBERSHIP = (tl.UpdateChannel, tl.UpdateChat)
DIFFERENCE_REACH = timedelta(hours=24)
KINDS_TOLD = 3
REFRESH_SECONDS = 60.0
BOOT = datetime(1970, 1, 1, tzinfo=UTC)  # as good as any other moment


class Userbot:
    """Implements core.protocols.Front over Telethon; the one owner of the session while it runs."""

    def __init__(self, access: TelegramAccess, pace: Pace | None = None, clock: Clock | None = None) -> None:
        self._access = access
        self._clock = clock or SystemClock()
        self._budget = Budget(self._clock, Rates.of(access.calls_per_second))
        self._life = Lifeline(access, self._budget, pace or Pace(), self._clock)
        self._lock = SessionLock(access.session_path, "valor server", self._clock)
        self._intake: Intake[Any] = Intake(self._take)
        self._receiver: Receiver | None = None
        self._account: Account | None = None
        self._has_dialogs = False
        self.unhandled: Counter[str] = Counter()  # updates of kinds that nobody here cares for
        self._looked_for: dict[Chat, float] = {}
        self._edits_missed = self._edits_read = 0  # differences that were too long, and those that are made up for
        self._reading_edits = asyncio.Lock()
        self._lead: timedelta | None = None  # of Telegram's clock before the time since boot

    # -- life

    async def start(self, receiver: Receiver) -> None:
        """Begin to receive; returns when it is known who the account is, which an earlier connection has written down.

        Without a network it goes on trying. Raises SessionError when the session is in use or not signed in.
        """
        self._receiver = receiver
        self._lock.acquire()
        try:
            await self._begin()
        except (SessionError, asyncio.CancelledError):
            await self.stop()
            raise

    async def _begin(self) -> None:
        self._account = self._remembered()
        self._life.start(self)
        if self._account is None:
            await self._life.settled()
        if self.health().status == "unhealthy":
            raise SessionError(self.health().sentence)

    def _remembered(self) -> Account | None:
        if not has_key(self._access.session_path):
            raise SessionError(f"The Telegram account is not signed in: run {SIGN_IN}.")
        session = open_session(self._access.session_path)
        try:
            return stored_account(session)
        finally:
            session.close()

    async def stop(self) -> None:
        await self._life.stop()
        await self._intake.stop()
        self._lock.release()

    def health(self) -> Health:
        """What is not handled is told with it, the most frequent kinds first."""
        health, kinds = self._life.health, self.unhandled.most_common(KINDS_TOLD)
        if health.status != "healthy" or not kinds:
            return health
        told = ", ".join(f"{name} {number}" for name, number in kinds)
        return Health(health.status, f"{health.sentence} Updates not handled: {told}.")

    @property
    def account(self) -> Account:
        """Who the account is. Raises Unreachable before that is known."""
        directory = self._life.directory
        known = directory.own if directory else self._account
        if known is None:
            raise Unreachable("It is not known yet who the Telegram account is.")
        return known

    @property
    def name(self) -> str:
        return self.account.front

    @property
    def own_chat(self) -> Chat:
        """Saved Messages. What is sent there comes back by `history`, not live: Telegram tells a connection nothing
        of its own doings."""
        return Chat(self.name, str(self.account.id))

    # -- Owner of the lifeline

    def on_update(self, update: Any) -> None:
        entities = getattr(update, "_entities", None) or {}
        self._directory.learn(entities.values())
        if self._directory.rename(update) or isinstance(update, MEMBERSHIP):
            self._life.notice_gap(self)
        raw = find_message(update, self.account.id)
        if isinstance(update, tl.UpdateMessageReactions):
            self._intake.put(utils.get_peer_id(update.peer), update)
        elif raw is not None and raw.peer_id is not None:
            self._intake.put(utils.get_peer_id(raw.peer_id), raw)
        elif not isinstance(update, (*MEMBERSHIP, tl.UpdateUserName)):
            self.unhandled[type(update).__name__] += 1

    def _now(self) -> datetime:
        """By Telegram's clock, of which messages tell, as far as it is known: ours may be wrong, or be set."""
        if self._lead is None:
            return self._clock.now()
        return BOOT + self._lead + timedelta(seconds=self._clock.boot())

    def is_settled(self) -> bool:
        return self._intake.is_idle and self._edits_read == self._edits_missed

    @property
    def _directory(self) -> Directory:
        """Whom the connections so far have told of; there from the first connection on."""
        assert self._life.directory
        return self._life.directory

    async def on_connected(self, line: Line) -> None:
        self._lead = await line.server_time() - BOOT - timedelta(seconds=self._clock.boot())
        if not self._has_dialogs:
            await self._refresh(line)

    async def on_gap(self, *, too_long: bool = False) -> None:
        assert self._receiver
        self._edits_missed += too_long
        await self._receiver.catch_up(self.name)
        await self._reread_edits(self._receiver)

    async def _take(self, raw: Any) -> None:
        assert self._receiver
        if isinstance(raw, tl.UpdateMessageReactions):
            told = await complete(lambda: self._life.line, raw)
            await hand_over(to_decisions(told, self._directory, self._now()), self._receiver)
            return
        try:
            await self._life.line.introduce(raw)
        except (FrontError, LookupError) as error:
            log.info("the sender of message %s stays unknown: %s", raw.id, error)
        message = to_message(raw, self._directory)
        if message is not None:
            await self._receiver.receive(replace(message, heard_at=self._now()))
            if message.move is not None:
                self._life.notice_gap(self)

    async def _reread_edits(self, receiver: Receiver) -> None:
        """What was edited while the difference was too long for Telegram to tell. What fails is tried again with the
        next gap, connection or start."""
        async with self._reading_edits:
            missed = self._edits_missed
            if missed > self._edits_read:
                await receiver.reread(self.name, self._now() - DIFFERENCE_REACH)
                self._edits_read = missed

    # -- Front

    keeps_keys = True
    lists_chats = True

    async def prove(self) -> bool:
        return False

    async def send(self, part: Part) -> int:
        line = self._life.line
        peer = await self._peer(line, part.chat)
        await self._budget.enter(Purpose.ANSWER, part.chat)
        try:
            return await self._send(line, peer, part, part.reply_to)
        except SlowMode as wait:
            self._budget.slow_mode(part.chat, wait.seconds)
            raise
        except Undeliverable as refusal:
            await self._raise_moved(line, peer)
            if part.reply_to is None or name_of(refusal.__cause__ or refusal) not in LOST_REPLIES:
                raise
        # The message to answer is gone. Nothing was accepted, so the same random_id still counts once.
        return await self._send(line, peer, part, None)

    async def _raise_moved(self, line: Line, peer: Any) -> None:
        """After a refusal: raise Moved where the chat is a group that became a supergroup."""
        move = await line.move(peer)
        if move is not None:
            self._life.notice_gap(self)
            raise Moved(move)

    async def _send(self, line: Line, peer: Any, part: Part, reply_to: int | None) -> int:
        said: dict[str, Any] = {
            "message": part.text,
            "reply_to": reply_of(reply_to, topic_of(part.chat)),
            "random_id": part.random_id,
            "entities": to_telethon(part.entities) or None,
        }
        if part.file is not None:
            return sent_id(await send_file(line, peer, part.file, said), part.random_id)
        return sent_id(await line.call(fn.messages.SendMessageRequest(peer, **said)), part.random_id)

    async def fetch(self, chat: Chat, message_id: int, reference: str, limit: int) -> bytes:
        line = self._life.line
        return await download(line, await self._peer(line, chat), message_id, reference, limit)

    async def edit(
        self, chat: Chat, message_id: int, text: str, entities: Sequence[Entity], buttons: Sequence[Button] = ()
    ) -> None:
        line = self._life.line
        peer = await self._peer(line, chat)
        request = fn.messages.EditMessageRequest(peer, message_id, message=text, entities=to_telethon(entities) or None)
        await self._budget.enter(Purpose.CHANGE, chat)
        try:
            await unless_done(line, request)
        except Undeliverable:
            await self._raise_moved(line, peer)
            raise

    async def delete(self, chat: Chat, message_ids: Sequence[int]) -> None:
        line = self._life.line
        peer = await self._peer(line, chat)
        if isinstance(peer, tl.InputPeerChannel):
            await line.call(fn.channels.DeleteMessagesRequest(channel_of(peer), list(message_ids)))
        else:
            await line.call(fn.messages.DeleteMessagesRequest(list(message_ids), revoke=True))

    async def react(self, chat: Chat, message_id: int, emoji: str | None) -> None:
        line = self._life.line
        reaction: list[Any] = [tl.ReactionEmoji(emoji)] if emoji else []
        request = fn.messages.SendReactionRequest(await self._peer(line, chat), message_id, reaction=reaction)
        await self._budget.enter(Purpose.DECORATION, chat)
        await unless_done(line, request)

    async def decisions(self, chat: Chat, message_ids: Sequence[int]) -> list[Message]:
        line = self._life.line
        told = await read_reactions(line, await self._peer(line, chat), message_ids)
        return [replace(one, chat=chat) for update in told for one in to_decisions(update, line.directory, self._now())]

    async def mark_read(self, chat: Chat, message_id: int) -> None:
        line = self._life.line
        peer = await self._peer(line, chat)
        await self._budget.enter(Purpose.DECORATION, chat)
        if topic := topic_of(chat):
            await line.call(fn.messages.ReadDiscussionRequest(peer, topic, message_id))
        elif isinstance(peer, tl.InputPeerChannel):
            await line.call(fn.channels.ReadHistoryRequest(channel_of(peer), message_id))
        else:
            await line.call(fn.messages.ReadHistoryRequest(peer, message_id))

    async def show_typing(self, chat: Chat) -> None:
        line = self._life.line
        peer = await self._peer(line, chat)
        topic = topic_of(chat) or None
        await self._budget.enter(Purpose.DECORATION, chat)
        await line.call(fn.messages.SetTypingRequest(peer, tl.SendMessageTypingAction(), top_msg_id=topic))

    async def sent_after(self, chat: Chat, message_id: int) -> list[Sent]:
        line = self._life.line
        thread = Thread(await self._peer(line, chat), topic_of(chat))
        found: list[Sent] = []
        async for page in read_history(line, thread, message_id):
            converted = ((raw, to_message(raw, line.directory)) for raw in page)
            found += [to_sent(raw) for raw, one in converted if one and _is_ours(one, chat)]
        return found

    async def dialogs(self) -> list[Dialog]:
        return await self._refresh(self._life.line)

    async def history(self, chat: Chat, after: int, since: datetime) -> AsyncIterator[list[Message]]:
        line = self._life.line
        thread = Thread(await self._peer(line, chat), topic_of(chat))
        begin = max(after, await find_before(line, thread, since))
        async for page in read_history(line, thread, begin):
            messages = (to_message(raw, line.directory) for raw in page)
            # A forum's own history holds its topics' messages too, which are read with their topics.
            here = (message for message in messages if message is not None and message.chat == chat)
            known = (message for message in here if message.sent_at >= since)
            yield [replace(message, heard_at=self._now()) for message in known]

    # -- PastSearch

    async def search_past(self, chat: Chat, query: str, before: int, limit: int) -> list[Message]:
        line = self._life.line
        thread = Thread(await self._peer(line, chat), topic_of(chat))
        found = await search_history(line, thread, query, before, limit)
        messages = (to_message(raw, line.directory) for raw in found)
        return [one for one in messages if one is not None and one.chat == chat and one.service is None]

    async def said(self, chat: Chat, message_id: int) -> Message | None:
        line = self._life.line
        raw = await read_message(line, await self._peer(line, chat), message_id)
        said = None if raw is None else to_message(raw, line.directory)
        is_here = said is not None and said.chat == chat and said.service is None
        return replace(said, heard_at=self._now()) if said is not None and is_here else None

    async def _refresh(self, line: Line) -> list[Dialog]:
        found = await read_dialogs(line)
        await line.keep_counts()
        self._has_dialogs = True
        return found

    async def _peer(self, line: Line, chat: Chat) -> Any:
        """Telethon's peer of a chat; one that is unknown is looked for among the dialogs, each once a minute."""
        try:
            return line.peer(chat)
        except LookupError:
            if self._clock.boot() - self._looked_for.get(chat, float("-inf")) >= REFRESH_SECONDS:
                await self._refresh(line)
                self._looked_for[chat] = self._clock.boot()
        try:
            return line.peer(chat)
        except LookupError:
            number = marked_id_of(chat)
            raise Undeliverable(f"The account has never met chat {number}: write to it once from Telegram.") from None


def _is_ours(message: Message, chat: Chat) -> bool:
    return message.chat == chat and message.outgoing and message.service is None
