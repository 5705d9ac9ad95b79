"""What the server does to a text before it accepts it: trimming, control characters, entities it finds by itself."""

from __future__ import annotations

import re
from dataclasses import replace

from tests.world.telegram.model import Entity, RefusalError

LIMIT = 4096
CAPTION_LIMIT = 1024
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_FOUND = (
    ("url", re.compile(r"https?://[^\s<>\"]+")),
    ("mention", re.compile(r"(?<![\w@/.])@[A-Za-z]\w{3,31}\b")),
    ("bot_command", re.compile(r"(?<![\w/])/[A-Za-z]\w{0,31}(?:@\w+)?(?![\w/])")),
)
# The emoji that any account may set, each between spaces.
_LEGAL = (
    "👍 👎 ❤ 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 "
    "🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 "
    "🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡 "
)
REACTIONS = frozenset(_LEGAL.split())


def units(text: str) -> int:
    """Length in UTF-16 units, the way Telegram counts."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def accept(text: str, entities: tuple[Entity, ...], limit: int = LIMIT) -> tuple[str, tuple[Entity, ...]]:
    """The text and entities that are kept. Raises MESSAGE_EMPTY, MESSAGE_TOO_LONG, ENTITY_BOUNDS_INVALID."""
    clean = _CONTROL.sub(" ", text.replace("\r", ""))
    lead = units(clean) - units(clean.lstrip())
    clean = clean.strip()
    size = units(clean)
    if not clean and limit == LIMIT:
        raise RefusalError("MESSAGE_EMPTY")
    if size > limit:
        raise RefusalError("MESSAGE_TOO_LONG" if limit == LIMIT else "MEDIA_CAPTION_TOO_LONG")
    return clean, _find(clean, tuple(_fit(entity, lead, size) for entity in entities if _overlaps(entity, lead, size)))


def _overlaps(entity: Entity, lead: int, size: int) -> bool:
    if entity.offset < 0 or entity.length < 0:
        raise RefusalError("ENTITY_BOUNDS_INVALID")
    return entity.length > 0 and entity.offset < lead + size and entity.offset + entity.length > lead


def _fit(entity: Entity, lead: int, size: int) -> Entity:
    start = max(entity.offset - lead, 0)
    end = min(entity.offset + entity.length - lead, size)
    return replace(entity, offset=start, length=end - start)


def _find(text: str, given: tuple[Entity, ...]) -> tuple[Entity, ...]:
    if not ("@" in text or "/" in text):
        return given
    taken = [range(entity.offset, entity.offset + entity.length) for entity in given]
    found: list[Entity] = []
    for kind, pattern in _FOUND:
        for match in pattern.finditer(text):
            start = units(text[: match.start()])
            if not any(start in span for span in taken):
                found.append(Entity(kind, start, units(match[0])))
                taken.append(range(start, start + units(match[0])))
    return tuple(sorted((*given, *found), key=lambda entity: (entity.offset, -entity.length)))


def pieces(text: str, entities: tuple[Entity, ...], kind: str) -> list[str]:
    """The parts of the text that entities of one kind cover."""
    data = text.encode("utf-16-le")
    return [
        data[entity.offset * 2 : (entity.offset + entity.length) * 2].decode("utf-16-le")
        for entity in entities
        if entity.kind == kind
    ]
