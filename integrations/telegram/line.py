# pyright: basic
"""One connection to Telegram: calls with a deadline, and the peers that calls are about."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from telethon import errors, events, utils
from telethon.tl import functions as fn
from telethon.tl import types as tl

from core.attachment import tell_size
from core.edges import around
from core.errors import FloodWait, SessionError, SlowMode, Undeliverable, Unreachable
from core.message import Chat, Move
from integrations.telegram.budget import Budget
from integrations.telegram.client import ACCOUNT
from integrations.telegram.convert import move_of
from integrations.telegram.directory import Account, Directory, to_account
from integrations.telegram.refusals import SESSION_LOSS, translate
from integrations.telegram.session import TelegramAccess, build_client, marked_peer

log = logging.getLogger(__name__)
CLOSE_SECONDS = 5.0
WATCHED_DIALOGS = 20
_NETWORK_ERRORS = (OSError, EOFError, ValueError, BufferError, errors.RPCError, errors.AuthKeyNotFound)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the count of events has come (ACCOUNT, or a supergroup's bare id): at the server, and here."""

    server: dict[int, int]
    ours: dict[int, int]

    @property
    def met(self) -> bool:
        """Whether the server names chats whose events are not counted here yet."""
        return not self.server.keys() <= self.ours.keys()

    def behind(self) -> dict[int, int]:
        """Where the server is ahead of us: our count there."""
        return {key: pts for key, pts in self.ours.items() if self.server.get(key, 0) > pts}


class Line:
    """A connection that lives once: opened, used, lost, closed; a new one takes its place.

    So nothing that timed out here is ever sent later behind our back, and each connection begins with a difference.
    """

    def __init__(
        self,
        access: TelegramAccess,
        budget: Budget,
        seconds: float,
        on_too_long: Callable[[], None],
        is_settled: Callable[[], bool],
    ) -> None:
        self._client = build_client(access, on_too_long, is_settled)
        self._budget = budget
        self._edge = access.edge
        self._seconds = seconds
        self._loss: SessionError | None = None
        self._ready = asyncio.Event()
        self.directory = Directory(Account(0))

    async def open(self, directory: Directory | None, on_update: Callable[[Any], None]) -> Directory:
        """Connect and find out who we are; updates wait until `listen` is called and then go to `on_update`.

        Raises SessionError when the session is not signed in (any more), Unreachable without an answer.
        """

        async def deliver(update: Any) -> None:
            await self._ready.wait()
            try:
                on_update(update)
            finally:
                self._client.delivered()

        self._client.add_event_handler(deliver, events.Raw())
        with around(self._edge, "telegram.connect"):
            await self._bounded(self._client.connect())
        me = (await self._bounded(self._client.ask(fn.users.GetUsersRequest([tl.InputUserSelf()]))))[0]
        self.directory = directory or Directory(to_account(me))
        self.directory.own = to_account(me)
        await self._client.remember_self(me)
        return self.directory

    def listen(self) -> None:
        """Let updates through."""
        self._ready.set()

    async def close(self) -> None:
        with contextlib.suppress(*_NETWORK_ERRORS):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._client.close()

    async def ended(self) -> str:
        """Wait for the connection's end; why it ended. Raises SessionError when it cannot be opened again."""
        reason = "the connection was closed"
        try:
            await self._client.disconnected
        except _NETWORK_ERRORS as error:
            reason = str(error) or type(error).__name__
            self._note_loss(error)
        self._note_loss(self._client.updates_error)
        if self._loss:
            raise self._loss
        return reason

    async def call(self, request: Any, seconds: float | None = None) -> Any:
        """One request, sent once, answered within `seconds`. Raises FrontError's children.

        While Telegram wants patience with this kind of request it is not asked: FloodWait says how long that is.
        """
        kind = type(request).__name__
        self._budget.check(kind)
        try:
            with around(self._edge, f"telegram.{kind.removesuffix('Request')}"):
                return await self._bounded(self._client.ask(request), seconds)
        except FloodWait as wait:
            if not isinstance(wait, SlowMode):
                self._budget.refused(kind, wait.seconds)
            raise
        except SessionError as error:
            raise Unreachable(str(error)) from error

    async def download(self, location: Any, dc_id: int, limit: int) -> bytes:
        """A whole file, each part within the time of a call. Raises Undeliverable beyond `limit` bytes."""
        content = bytearray()
        chunks = self._client.chunks(location, dc_id)
        try:
            while (chunk := await self._chunk(chunks)) is not None:
                content += chunk
                if len(content) > limit:
                    raise Undeliverable(f"The file is larger than {tell_size(limit)}.")
        finally:
            with contextlib.suppress(*_NETWORK_ERRORS):
                await chunks.aclose()
        return bytes(content)

    async def _chunk(self, chunks: AsyncGenerator[bytes]) -> bytes | None:
        try:
            with around(self._edge, "telegram.GetFile"):
                return await self._bounded(anext(chunks, None))
        except SessionError as error:
            raise Unreachable(str(error)) from error

    async def _bounded(self, work: Awaitable[Any], seconds: float | None = None) -> Any:
        try:
            async with asyncio.timeout(self._seconds if seconds is None else seconds):
                return await work
        except asyncio.CancelledError:
            # Telethon cancels what waits when a connection ends; only our own task's cancellation goes on.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise Unreachable("The connection to Telegram ended before the answer.") from None
        except _NETWORK_ERRORS as error:
            self._note_loss(error)
            if isinstance(error, SESSION_LOSS):
                self._client.disconnect()
            raise translate(error) from error

    def _note_loss(self, error: BaseException | None) -> None:
        if isinstance(error, SESSION_LOSS):
            said = translate(error)
            self._loss = said if isinstance(said, SessionError) else None

    def peer(self, chat: Chat) -> Any:
        """Telethon's input peer of a chat. Raises LookupError when its access hash has never been seen."""
        marked_id = marked_id_of(chat)
        if marked_id == self.directory.own.id:
            return tl.InputPeerSelf()
        peer = marked_peer(marked_id)
        if isinstance(peer, tl.PeerChat):
            return tl.InputPeerChat(peer.chat_id)
        try:
            return self._client.store.get_input_entity(peer)
        except ValueError:
            raise LookupError(chat.key) from None

    def learn(self, users: list[Any], chats: list[Any]) -> None:
        """Remember people and chats that an answer named."""
        self.directory.learn(users, chats)
        self._client.learn(users, chats)

    def count_from(self, dialogs: list[Any]) -> None:
        """Begin to count the events of supergroups where their dialogs say."""
        for dialog in dialogs:
            if isinstance(dialog.peer, tl.PeerChannel) and dialog.pts:
                self._client.count_from(dialog.peer.channel_id, dialog.pts)

    async def keep_counts(self) -> None:
        """Note on disk how far events have come, once everything heard so far is dealt with."""
        await self._client.keep_counts()

    async def server_time(self) -> datetime:
        """What Telegram's clock says, to the second. Raises FrontError's children."""
        return (await self.call(fn.updates.GetStateRequest())).date

    async def introduce(self, raw: Any) -> None:
        """See to it that the sender of a message is known with its usernames. Raises FrontError's children."""
        sender = raw.from_id or raw.peer_id
        if not isinstance(sender, tl.PeerUser) or self.directory.knows(sender.user_id):
            return
        try:
            known = utils.get_input_user(self._client.store.get_input_entity(sender))
        except ValueError:
            chat = self.peer(Chat(self.directory.own.front, str(utils.get_peer_id(raw.peer_id))))
            known = tl.InputUserFromMessage(chat, raw.id, sender.user_id)
        self.learn(await self.call(fn.users.GetUsersRequest([known])), [])

    async def standing(self, seconds: float) -> Standing:
        """Compare the server's counts with ours: the account's, and those of the chats that last moved."""
        state = await self.call(fn.updates.GetStateRequest(), seconds)
        first = fn.messages.GetDialogsRequest(None, 0, tl.InputPeerEmpty(), WATCHED_DIALOGS, 0)
        listed = await self.call(first, seconds)
        server = {d.peer.channel_id: d.pts for d in listed.dialogs if isinstance(d.peer, tl.PeerChannel) and d.pts}
        standing = Standing(server | {ACCOUNT: state.pts}, self._client.counts())
        if standing.met:
            self.learn(listed.users, listed.chats)
            self.count_from(listed.dialogs)
        return standing

    async def move(self, peer: Any) -> Move | None:
        """What a basic group has become; None for everything else. Raises FrontError's children."""
        if not isinstance(peer, tl.InputPeerChat):
            return None
        asked = await self.call(fn.messages.GetChatsRequest([peer.chat_id]))
        self.learn([], asked.chats)
        moves = [move_of(chat, self.directory.own.front) for chat in asked.chats]
        return next((move for move in moves if move is not None), None)

    def ask_differences(self, keys: list[int]) -> None:
        """Have fetched what is missing; it arrives as updates do."""
        self._client.ask_differences(keys)


def topic_of(chat: Chat) -> int:
    """The topic in a chat's key, 0 for none."""
    topic = chat.key.partition("/")[2]
    return int(topic) if topic.isdecimal() else 0


def marked_id_of(chat: Chat) -> int:
    """The marked id in a chat's key, whatever topic follows it. Raises Undeliverable for a key that holds none."""
    number = chat.key.partition("/")[0]
    if not number.removeprefix("-").isdecimal():
        raise Undeliverable(f"{chat.key} is no chat of Telegram.")
    return int(number)
