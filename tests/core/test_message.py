from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime

import pytest

from core.message import Chat, ChatKind, Message, Person


def test_messages_are_frozen_and_chats_are_keys() -> None:
    message = Message(Chat("local", "a"), 1, ChatKind.LOCAL, Person(0), datetime(2026, 1, 1, tzinfo=UTC), "hi")
    with pytest.raises(FrozenInstanceError):
        message.__setattr__("text", "ho")
    assert {message.chat: 1}[Chat("local", "a")] == 1
    assert (message.kind, f"{message.kind}") == ("local", "local")
