# pyright: basic, reportArgumentType=false
"""A request under way: who asks, over which connection, and how input peers become chats and persons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from telethon.tl import types as tl

from tests.world.telegram.faults import Fault, FaultKind
from tests.world.telegram.model import Chat, ChatKind, Person, Post, RefusalError
from tests.world.telegram.society import Act, Society

if TYPE_CHECKING:
    from tests.world.telegram.link import Link
    from tests.world.telegram.server import Server


@dataclass(frozen=True)
class Call:
    """One request. `request` is a Telethon TL function object."""

    server: Server
    link: Link
    request: Any
    faults: list[Fault]

    @property
    def society(self) -> Society:
        return self.server.society

    @property
    def me(self) -> Person:
        """Who asks. Raises AUTH_KEY_UNREGISTERED before sign-in."""
        person = self.link.person
        if person is None:
            raise RefusalError("AUTH_KEY_UNREGISTERED", 401)
        return person

    @property
    def act(self) -> Act:
        return Act(self.me, self.link)

    @property
    def too_long(self) -> bool:
        return any(fault.kind is FaultKind.TOO_LONG for fault in self.faults)

    def person(self, given: Any) -> Person:
        """The person of an InputUser or InputPeerUser. Raises USER_ID_INVALID (also for a wrong access hash)."""
        if isinstance(given, tl.InputUserSelf | tl.InputPeerSelf):
            return self.me
        if isinstance(given, tl.InputUser | tl.InputPeerUser):
            person = self.society.persons.get(given.user_id)
            if person and (person is self.me or given.access_hash == self.me.secret_of(person)):
                return person
        if isinstance(given, tl.InputUserFromMessage):
            return self._author(given)
        raise RefusalError("USER_ID_INVALID")

    def _author(self, given: tl.InputUserFromMessage) -> Person:
        """Who wrote a message that the caller can read. Raises PEER_ID_INVALID, MESSAGE_ID_INVALID, USER_ID_INVALID."""
        sender = self.post(self.chat(given.peer), given.msg_id).sender
        if sender.id != given.user_id:
            raise RefusalError("USER_ID_INVALID")
        return sender

    def channel(self, given: Any) -> Chat:
        """The supergroup of an InputChannel. Raises CHANNEL_INVALID, CHANNEL_PRIVATE."""
        chat = self.society.chats.get((ChatKind.SUPERGROUP, getattr(given, "channel_id", 0)))
        if chat is None or given.access_hash != self.me.secret_of(chat):
            raise RefusalError("CHANNEL_INVALID")
        if self.me not in chat.members:
            raise RefusalError("CHANNEL_PRIVATE")
        return chat

    def group(self, number: int) -> Chat:
        """A basic group by its bare id. Raises CHAT_ID_INVALID."""
        chat = self.society.chats.get((ChatKind.GROUP, number))
        if chat is None or self.me not in chat.members:
            raise RefusalError("CHAT_ID_INVALID")
        return chat

    def chat(self, given: Any) -> Chat:
        """The chat of an InputPeer. Raises PEER_ID_INVALID and its kin."""
        if isinstance(given, tl.InputPeerChat):
            return self.group(given.chat_id)
        if isinstance(given, tl.InputPeerChannel):
            return self.channel(given)
        try:
            return self.society.dm(self.me, self.person(given))
        except RefusalError:
            raise RefusalError("PEER_ID_INVALID") from None

    def post(self, chat: Chat, number: int) -> Post:
        """A message by the caller's number. Raises MESSAGE_ID_INVALID."""
        post = chat.box_of(self.me).posts.get(number)
        if post is None or post.chat is not chat:
            raise RefusalError("MESSAGE_ID_INVALID")
        return post


def moment(given: datetime | None) -> datetime | None:
    """A date of a request; the epoch, which clients send for none, is None."""
    return given if given and given.timestamp() > 0 else None


Answer = Callable[[Call], Any]
