# pyright: basic
"""Dialogs and histories, page by page to their end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from telethon import utils
from telethon.tl import functions as fn
from telethon.tl import types as tl

from core.message import Chat
from core.protocols import Dialog
from integrations.telegram.convert import kind_of
from integrations.telegram.line import Line

PAGE = 100


async def read_dialogs(line: Line) -> list[Dialog]:
    """Every chat the account takes part in, the latest first; what they name is remembered by the line."""
    found: dict[int, Dialog] = {}
    request = fn.messages.GetDialogsRequest(None, 0, tl.InputPeerEmpty(), PAGE, 0)
    while True:
        page = await line.call(request)
        line.learn(page.users, page.chats)
        line.count_from(page.dialogs)
        fresh = {one.key: one.dialog for one in map(lambda d: _Listed(d, line), page.dialogs) if one.key not in found}
        found |= fresh
        if not isinstance(page, tl.messages.DialogsSlice) or not fresh:
            break
        request = _next_request(page, line)
    gone = {utils.get_peer_id(chat) for chat in page.chats if _is_left(chat)}
    return [dialog for key, dialog in found.items() if key not in gone]
