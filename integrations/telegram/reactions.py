# pyright: basic
"""Reactions by which people decide questions: 👍 says approve, 👎 refuse. Vendor objects stop here.

Only a reaction whose author is a person that Telegram names counts: an anonymous administrator's does not, nor one in a
chat that hides who reacted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from telethon import utils
from telethon.tl import functions as fn
from telethon.tl import types as tl

from core.message import Chat, ChatKind, Message
from core.protocols import Receiver
from integrations.telegram.convert import key_of, kind_of
from integrations.telegram.directory import Directory
from integrations.telegram.line import Line
from integrations.telegram.presses import number_of

SAYS = {"👍": "/approve", "👎": "/refuse"}
TONES = "".join(chr(code) for code in range(0x1F3FB, 0x1F400))


async def hand_over(decisions: list[Message], receiver: Receiver) -> None:
    for decision in decisions:
        await receiver.press(decision)


async def read_reactions(line: Line, peer: Any, message_ids: Sequence[int]) -> list[tl.UpdateMessageReactions]:
    """The reactions as they stand."""
    told = await line.call(fn.messages.GetMessagesReactionsRequest(peer, list(message_ids)))
    line.directory.learn(told.users, told.chats)
    return [update for update in told.updates if isinstance(update, tl.UpdateMessageReactions)]


def to_decisions(update: tl.UpdateMessageReactions, directory: Directory, now: datetime) -> list[Message]:
    """What the people who reacted to one message say by that."""
    own = directory.own
    marked = utils.get_peer_id(update.peer)
    chat = Chat(own.front, key_of(marked, update.top_msg_id or 0))
    given = [one for one in update.reactions.recent_reactions or () if _author(one) not in {None, own.id}]
    return [_decision(chat, kind_of(marked, own), update.msg_id, one, (directory, now)) for one in given if _says(one)]


def _decision(chat: Chat, kind: ChatKind, message_id: int, given: Any, told: tuple[Directory, datetime]) -> Message:
    directory, now = told
    author = _author(given)
    assert author is not None
    pressed = f"reaction {chat.key} {message_id} {author} {_says(given)} {int(given.date.timestamp())}"
    return Message(
        chat=chat,
        id=number_of(pressed),
        kind=kind,
        sender=directory.person(author),
        sent_at=now,
        text=_says(given) or "",
        reply_to=message_id,
        heard_at=now,
        pressed=pressed,
    )


def _author(given: Any) -> int | None:
    return given.peer_id.user_id if isinstance(given.peer_id, tl.PeerUser) else None


def _says(given: Any) -> str | None:
    emoji = getattr(given.reaction, "emoticon", "")
    return SAYS.get(emoji.rstrip(TONES))
