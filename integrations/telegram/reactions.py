# pyright: basic
"""Reactions by which people decide questions: 👍 says approve, 👎 refuse. Vendor objects stop here.

Only a reaction whose author is a person that Telegram names counts: an anonymous administrator's does not, nor one in a
chat that hides who reacted.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import count
from typing import Any

from telethon import utils
from telethon.tl import functions as fn
from telethon.tl import types as tl

from core.errors import FloodWait, Undeliverable, Unreachable
from core.message import Chat, ChatKind, Message
from core.protocols import Receiver
from integrations.telegram.convert import key_of, kind_of
from integrations.telegram.directory import Directory
from integrations.telegram.line import Line
from integrations.telegram.presses import number_of

log = logging.getLogger(__name__)
PAGE = 100
SAYS = {"👍": "/approve", "👎": "/refuse"}
TONES = "".join(chr(code) for code in range(0x1F3FB, 0x1F400))


async def hand_over(decisions: list[Message], receiver: Receiver) -> None:
    for decision in decisions:
        await receiver.press(decision)


async def read_reactions(line: Line, peer: Any, message_ids: Sequence[int]) -> list[tl.UpdateMessageReactions]:
    """The reactions as they stand, with everybody's thumbs."""
    told = await line.call(fn.messages.GetMessagesReactionsRequest(peer, list(message_ids)))
    line.directory.learn(told.users, told.chats)
    found = [update for update in told.updates if isinstance(update, tl.UpdateMessageReactions)]
    return [await _completed(line, peer, update) for update in found]


async def complete(open_line: Callable[[], Line], update: tl.UpdateMessageReactions) -> tl.UpdateMessageReactions:
    """A live update with the latest hundred of each thumb, where it brings fewer than were given."""
    if not _untold(update):
        return update
    try:
        line = open_line()
        peer = line.peer(Chat(line.directory.own.front, str(utils.get_peer_id(update.peer))))
        return await _completed(line, peer, update, pages=1)
    except (Unreachable, LookupError) as error:
        log.info("who reacted to message %s is read later: %s", update.msg_id, error)
        return update


async def _completed(
    line: Line, peer: Any, update: tl.UpdateMessageReactions, pages: int | None = None
) -> tl.UpdateMessageReactions:
    """With all thumbs: Telegram sends the latest few reactions with a message, and keeps a list. Raises Unreachable."""
    given = list(update.reactions.recent_reactions or ())
    try:
        for thumb in _untold(update):
            request = fn.messages.GetMessageReactionsListRequest(peer, update.msg_id, PAGE, thumb)
            given += await _read_list(line, request, pages)
    except (Undeliverable, FloodWait) as error:
        log.warning("who reacted to message %s cannot be read: %s", update.msg_id, error)
    told = tl.MessageReactions(update.reactions.results, recent_reactions=given)
    return tl.UpdateMessageReactions(update.peer, update.msg_id, told, update.top_msg_id)


def _untold(update: tl.UpdateMessageReactions) -> list[Any]:
    """The thumbs that were given more often than the update tells by whom, where Telegram would tell."""
    if not update.reactions.can_see_list:
        return []
    told = Counter(_emoji(one) for one in update.reactions.recent_reactions or ())
    return [one.reaction for one in update.reactions.results if _says(one) and one.count > told[_emoji(one)]]


async def _read_list(line: Line, request: Any, pages: int | None) -> list[Any]:
    """The latest first, so many pages of it (None: all)."""
    found: list[Any] = []
    for _ in range(pages) if pages else count():
        page = await line.call(request)
        line.directory.learn(page.users, page.chats)
        found += page.reactions
        request.offset = page.next_offset
        if not request.offset:
            break
    return found


def to_decisions(update: tl.UpdateMessageReactions, directory: Directory, now: datetime) -> list[Message]:
    """What the people who reacted to one message say by that."""
    own = directory.own
    marked = utils.get_peer_id(update.peer)
    chat = Chat(own.front, key_of(marked, update.top_msg_id or 0))
    # The list that was asked for holds the latest once more.
    given = {(_author(one), _says(one)): one for one in update.reactions.recent_reactions or ()}
    people = [one for (author, says), one in given.items() if says and author not in {None, own.id}]
    return [_decision(chat, kind_of(marked, own), update.msg_id, one, (directory, now)) for one in people]


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


def _emoji(given: Any) -> str:
    return getattr(given.reaction, "emoticon", "")


def _says(given: Any) -> str | None:
    return SAYS.get(_emoji(given).rstrip(TONES))
