# pyright: basic
"""Which chats the account is no part of any more; the rest of the pages is shown in test_userbot."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from telethon.tl import types as tl

from integrations.telegram.pages import _is_left

WHEN, PHOTO = datetime(2026, 1, 1, tzinfo=UTC), tl.ChatPhotoEmpty()


@pytest.mark.parametrize(
    ("chat", "left"),
    [
        (tl.Chat(1, "a", PHOTO, 2, WHEN, 1), False),
        (tl.Chat(1, "a", PHOTO, 2, WHEN, 1, left=True), True),
        (tl.Chat(1, "a", PHOTO, 2, WHEN, 1, deactivated=True), True),
        (tl.Chat(1, "a", PHOTO, 2, WHEN, 1, deactivated=True, migrated_to=tl.InputChannel(1, 2)), False),
        (tl.ChatForbidden(1, "a"), True),
        (tl.Channel(1, "a", PHOTO, WHEN), False),
        (tl.Channel(1, "a", PHOTO, WHEN, left=True), True),
        (tl.ChannelForbidden(1, 2, "a"), True),
    ],
)
def test_b8_chats_that_were_left_are_no_dialogs(chat: Any, left: bool) -> None:
    assert _is_left(chat) is left
