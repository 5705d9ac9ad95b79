"""Entities come through each border unchanged."""

from __future__ import annotations

from typing import Any

import pytest
from telegram import MessageEntity
from telethon.tl import types as tl

from core.message import Entity
from integrations.telegram.entities import from_bot_api, from_telethon, to_bot_api, to_telethon

ALL = [
    *(Entity(kind, 1, 2) for kind in ("bold", "italic", "underline", "strikethrough", "spoiler", "code", "mention")),
    *(Entity(kind, 1, 2) for kind in ("hashtag", "cashtag", "bot_command", "url", "email", "phone_number")),
    Entity("pre", 0, 5),
    Entity("pre", 0, 5, language="python"),
    Entity("text_link", 0, 5, url="https://a.b"),
    Entity("blockquote", 0, 5),
    Entity("expandable_blockquote", 0, 5),
]


@pytest.mark.parametrize("entity", ALL, ids=lambda entity: entity.type)
def test_round_trips(entity: Entity) -> None:
    made = to_telethon([entity])
    assert from_telethon(made) == (entity,)
    assert from_bot_api(to_bot_api([entity])) == (entity,)
    fields: dict[str, Any] = to_bot_api([entity])[0]
    assert MessageEntity(**fields).type == entity.type


def test_a_person_is_named_by_a_link() -> None:
    person = Entity("text_mention", 0, 5, url="tg://user?id=7")
    assert from_telethon([tl.MessageEntityMentionName(0, 5, 7)]) == (person,)
    assert from_bot_api([{"type": "text_mention", "offset": 0, "length": 5, "user": {"id": 7}}]) == (person,)
    assert to_telethon([person]) == []


def test_what_says_nothing_is_left_out() -> None:
    assert from_telethon(None) == ()
    assert from_telethon([tl.MessageEntityUnknown(0, 1)]) == ()
