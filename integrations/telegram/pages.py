# pyright: basic
"""Dialogs and histories, page by page to their end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from telethon import utils
from telethon.tl import functions as fn
from telethon.tl import types as tl

from core.message import Chat, Move
from core.protocols import Dialog
from integrations.telegram.convert import kind_of, move_of
from integrations.telegram.line import Line

PAGE = 100
# Telegram is younger than this; earlier moments do not fit into its dates.
BEGINNING = datetime(2010, 1, 1, tzinfo=UTC)


async def read_dialogs(line: Line) -> list[Dialog]:
    """Every chat the account takes part in, the latest first; whom they name is remembered by the line."""
    found: dict[int, Dialog] = {}
    gone: set[int] = set()
    moves: dict[Chat, Chat] = {}
    request: Any = fn.messages.GetDialogsRequest(None, 0, tl.InputPeerEmpty(), PAGE, 0)
    while request is not None:
        page = await line.call(request)
        line.learn(page.users, page.chats)
        line.count_from(page.dialogs)
        moves |= dict(moves_in(page.chats, line.directory.own.front))
        gone |= {utils.get_peer_id(chat) for chat in page.chats if _is_left(chat)}
        listed = {utils.get_peer_id(one.peer): one for one in page.dialogs if isinstance(one, tl.Dialog)}
        fresh = {key: _dialog(key, one, line) for key, one in listed.items() if key not in found}
        found |= fresh
        more = isinstance(page, tl.messages.DialogsSlice) and fresh
        request = _next_request(page, line) if more else None
    there = [dialog for key, dialog in found.items() if key not in gone]
    return [replace(dialog, moved_to=moves.get(dialog.chat)) for dialog in there]


def moves_in(chats: list[Any], front: str) -> list[Move]:
    """Which of these groups have become supergroups."""
    return [move for move in (move_of(chat, front) for chat in chats) if move is not None]


def _dialog(key: int, listed: Any, line: Line) -> Dialog:
    party, own = line.directory.person(key), line.directory.own
    return Dialog(Chat(own.front, str(key)), kind_of(key, own), party.name, party.username, listed.top_message)


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


async def read_history(line: Line, peer: Any, after: int) -> AsyncIterator[list[Any]]:
    """Telethon's messages after message `after`, oldest first, until a page brings none.

    A page may be short in the middle of a history, so only an empty one is its end.
    """
    while True:
        request = fn.messages.GetHistoryRequest(peer, after + 1, None, -PAGE, PAGE, 0, 0, 0)
        page = await line.call(request)
        line.learn(page.users, page.chats)
        fresh = sorted((raw for raw in page.messages if raw.id > after), key=lambda raw: raw.id)
        if not fresh:
            return
        yield fresh
        after = fresh[-1].id


async def find_before(line: Line, peer: Any, moment: datetime) -> int:
    """The number of the last message before a moment, 0 when there is none."""
    if moment <= BEGINNING:
        return 0
    page = await line.call(fn.messages.GetHistoryRequest(peer, 0, moment, 0, 1, 0, 0, 0))
    return max((raw.id for raw in page.messages), default=0)
