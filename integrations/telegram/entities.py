# pyright: basic
"""Entities between our own shape, Telethon's classes and the Bot API's dictionaries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from telethon.tl import types as tl

from core.message import Entity
from integrations.telegram.mentions import PERSON_LINK

_PLAIN = {
    "mention": tl.MessageEntityMention,
    "hashtag": tl.MessageEntityHashtag,
    "cashtag": tl.MessageEntityCashtag,
    "bot_command": tl.MessageEntityBotCommand,
    "url": tl.MessageEntityUrl,
    "email": tl.MessageEntityEmail,
    "phone_number": tl.MessageEntityPhone,
    "bold": tl.MessageEntityBold,
    "italic": tl.MessageEntityItalic,
    "underline": tl.MessageEntityUnderline,
    "strikethrough": tl.MessageEntityStrike,
    "spoiler": tl.MessageEntitySpoiler,
    "code": tl.MessageEntityCode,
}
_NAMES = {kind: name for name, kind in _PLAIN.items()}


def to_telethon(entities: Iterable[Entity]) -> list[Any]:
    """Telethon's entities, without those of a type that Telegram does not let us send."""
    return [made for made in map(_to_telethon, entities) if made is not None]


def _to_telethon(entity: Entity) -> Any | None:
    place = (entity.offset, entity.length)
    if entity.type == "pre":
        return tl.MessageEntityPre(*place, entity.language or "")
    if entity.type == "text_link":
        return tl.MessageEntityTextUrl(*place, entity.url or "")
    if entity.type in ("blockquote", "expandable_blockquote"):
        return tl.MessageEntityBlockquote(*place, collapsed=entity.type.startswith("expandable") or None)
    kind = _PLAIN.get(entity.type)
    return kind(*place) if kind else None


def from_telethon(entities: Sequence[Any] | None) -> tuple[Entity, ...]:
    """Our own entities; those that carry nothing for us are left out. A mention of a person is a `text_mention` whose
    url is `tg://user?id=ID`."""
    return tuple(made for made in map(_from_telethon, entities or ()) if made is not None)


def _from_telethon(entity: Any) -> Entity | None:
    place = (entity.offset, entity.length)
    if isinstance(entity, tl.MessageEntityPre):
        return Entity("pre", *place, language=entity.language or None)
    if isinstance(entity, tl.MessageEntityTextUrl):
        return Entity("text_link", *place, url=entity.url)
    if isinstance(entity, tl.MessageEntityMentionName):
        return Entity("text_mention", *place, url=f"{PERSON_LINK}{entity.user_id}")
    if isinstance(entity, tl.MessageEntityBlockquote):
        return Entity("expandable_blockquote" if entity.collapsed else "blockquote", *place)
    name = _NAMES.get(type(entity))
    return Entity(name, *place) if name else None


def to_bot_api(entities: Iterable[Entity]) -> list[dict[str, str | int]]:
    """The Bot API's dictionaries."""
    return [
        {
            "type": entity.type,
            "offset": entity.offset,
            "length": entity.length,
            **({"url": entity.url} if entity.url else {}),
            **({"language": entity.language} if entity.language else {}),
        }
        for entity in entities
    ]


def from_bot_api(entities: Iterable[dict[str, Any]]) -> tuple[Entity, ...]:
    """Our own entities from the Bot API's dictionaries."""
    return tuple(
        Entity(
            entity["type"],
            entity["offset"],
            entity["length"],
            f"{PERSON_LINK}{entity['user']['id']}" if "user" in entity else entity.get("url"),
            entity.get("language"),
        )
        for entity in entities
    )
