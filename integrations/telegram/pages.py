# pyright: basic
"""Dialogs, topics and histories, page by page to their end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from telethon import utils
from telethon.tl import functions as fn
from telethon.tl import types as tl

from core.errors import Undeliverable
from core.message import Chat, Move
from core.protocols import Dialog
from integrations.telegram.convert import key_of, kind_of, move_of
from integrations.telegram.line import Line

PAGE = 100
# Telegram is younger than this; earlier moments do not fit into its dates.
BEGINNING = datetime(2010, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Thread:
    """A chat as histories are asked for: a Telethon peer, and the topic of a forum or 0."""

    peer: Any
    topic: int = 0

    def page(self, offset_id: int, offset_date: datetime | None, add_offset: int, limit: int) -> Any:
        """The request for one page."""
        window = (offset_id, offset_date, add_offset, limit, 0, 0, 0)
        if self.topic:
            return fn.messages.GetRepliesRequest(self.peer, self.topic, *window)
        return fn.messages.GetHistoryRequest(self.peer, *window)


async def read_dialogs(line: Line) -> list[Dialog]:
    """Every chat the account takes part in, the latest first, a forum's topics each; whom they name is remembered by
    the line."""
    found: dict[int, Dialog] = {}
    gone: set[int] = set()
    moves: dict[Chat, Chat] = {}
    forums: set[int] = set()
    request: Any = fn.messages.GetDialogsRequest(None, 0, tl.InputPeerEmpty(), PAGE, 0)
    while request is not None:
        page = await line.call(request)
        line.learn(page.users, page.chats)
        line.count_from(page.dialogs)
        moves |= dict(moves_in(page.chats, line.directory.own.front))
        forums |= {utils.get_peer_id(chat) for chat in page.chats if getattr(chat, "forum", None)}
        gone |= {utils.get_peer_id(chat) for chat in page.chats if _is_left(chat)}
        listed = {utils.get_peer_id(one.peer): one for one in page.dialogs if isinstance(one, tl.Dialog)}
        fresh = {key: _dialog(key, one, line) for key, one in listed.items() if key not in found}
        found |= fresh
        more = isinstance(page, tl.messages.DialogsSlice) and fresh
        request = _next_request(page, line) if more else None
    there = [dialog for key, dialog in found.items() if key not in gone and key not in forums]
    for key in forums & found.keys() - gone:
        there += await _read_topics(line, found[key])
    return [replace(dialog, moved_to=moves.get(dialog.chat)) for dialog in there]


async def _read_topics(line: Line, forum: Dialog) -> list[Dialog]:
    """A forum's topics as chats of their own; the forum itself where it does not tell them."""
    peer, found = line.peer(forum.chat), dict[int, Dialog]()
    last: tuple[datetime | None, int, int] = (None, 0, 0)
    while True:
        try:
            page = await line.call(fn.messages.GetForumTopicsRequest(peer, *last, PAGE))
        except Undeliverable:
            return [forum]
        line.learn(page.users, page.chats)
        dates = {raw.id: raw.date for raw in page.messages}
        fresh = [one for one in page.topics if isinstance(one, tl.ForumTopic) and one.id not in found]
        if not fresh:
            return list(found.values())
        found |= {one.id: _topic(forum, one) for one in fresh}
        last = (dates.get(fresh[-1].top_message, fresh[-1].date), fresh[-1].top_message, fresh[-1].id)


async def read_message(line: Line, peer: Any, message_id: int) -> Any | None:
    """One message of a chat as Telethon has it; whom it names is remembered by the line."""
    wanted: list[Any] = [tl.InputMessageID(message_id)]
    if isinstance(peer, tl.InputPeerChannel):
        channel = tl.InputChannel(peer.channel_id, peer.access_hash)
        page = await line.call(fn.channels.GetMessagesRequest(channel, wanted))
    else:
        page = await line.call(fn.messages.GetMessagesRequest(wanted))
    line.learn(page.users, page.chats)
    return next((raw for raw in page.messages if raw.id == message_id), None)


def _topic(forum: Dialog, topic: Any) -> Dialog:
    key = key_of(int(forum.chat.key), topic.id)
    title = forum.title if key == forum.chat.key else f"{forum.title} / {topic.title}"
    return replace(forum, chat=Chat(forum.chat.front, key), title=title, last_message=topic.top_message)


def moves_in(chats: list[Any], front: str) -> list[Move]:
    """Which of these groups have become supergroups."""
    return [move for move in (move_of(chat, front) for chat in chats) if move is not None]


def _dialog(key: int, listed: Any, line: Line) -> Dialog:
    party, own = line.directory.person(key), line.directory.own
    return Dialog(Chat(own.front, str(key)), kind_of(key, own), party.name, party.usernames, listed.top_message)


def _is_left(chat: Any) -> bool:
    """A chat that the account is no part of any more; one that became a supergroup is there to be read to its end."""
    gone = (tl.ChatForbidden, tl.ChannelForbidden, tl.ChatEmpty)
    if isinstance(chat, gone) or getattr(chat, "left", None):
        return True
    return bool(getattr(chat, "deactivated", None)) and not getattr(chat, "migrated_to", None)


def _next_request(page: Any, line: Line) -> Any | None:
    """The page after this one: it begins behind the last dialog whose top message is known."""
    messages = {(utils.get_peer_id(raw.peer_id), raw.id): raw for raw in page.messages if raw.peer_id}
    for listed in reversed(page.dialogs):
        key = utils.get_peer_id(listed.peer)
        top = messages.get((key, listed.top_message))
        if top is not None and top.date:
            peer = line.peer(Chat(line.directory.own.front, str(key)))
            return fn.messages.GetDialogsRequest(top.date, top.id, peer, PAGE, 0, exclude_pinned=True)
    return None


async def read_history(line: Line, thread: Thread, after: int) -> AsyncIterator[list[Any]]:
    """Telethon's messages after message `after`, oldest first, until a page brings none.

    A page may be short in the middle of a history, so only an empty one is its end.
    """
    while True:
        page = await line.call(thread.page(after + 1, None, -PAGE, PAGE))
        line.learn(page.users, page.chats)
        fresh = sorted((raw for raw in page.messages if raw.id > after), key=lambda raw: raw.id)
        if not fresh:
            return
        yield fresh
        after = fresh[-1].id


async def search_history(line: Line, thread: Thread, query: str, before: int, limit: int) -> list[Any]:
    """Telethon's messages that the server finds for these words, older than message `before`, newest first."""
    everything, topic = tl.InputMessagesFilterEmpty(), thread.topic or None
    request: Any = fn.messages.SearchRequest(
        thread.peer, query, everything, None, None, before, 0, min(limit, PAGE), 0, 0, 0, top_msg_id=topic
    )
    page = await line.call(request)
    line.learn(page.users, page.chats)
    return page.messages


async def find_before(line: Line, thread: Thread, moment: datetime) -> int:
    """The number of the last message before a moment, 0 when there is none."""
    if moment <= BEGINNING:
        return 0
    page = await line.call(thread.page(0, moment, 0, 1))
    return max((raw.id for raw in page.messages), default=0)
