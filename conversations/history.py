"""What an agent knows of a chat: the reply chain and the recent messages, of this chat and no other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog
from sqlalchemy import Connection

from conversations import move_store, recall, store
from conversations.attribution import attributed
from conversations.media_words import MediaWords
from conversations.turn import Asked, Turn
from core.database import Database
from core.errors import FrontError, SessionError
from core.message import Chat
from core.protocols import PastSearch, Said

log = structlog.get_logger("telegram.history")
CHAIN = 10  # how many replies are followed back
RECALLED = 3  # and how many with a question to the front
WORDLESS = "[a message without words]"  # a bare mention: models refuse an empty prompt
LAST = 2**62  # above every number of a message
NOTHING = MediaWords()
CHARACTERS_PER_TOKEN = 3  # a cautious estimate: English has about four, code and other scripts fewer


@dataclass(frozen=True, slots=True)
class Context:
    """The past of one turn, oldest first; the asking messages themselves are not in it."""

    chain: tuple[Said, ...]
    recent: tuple[Said, ...]


class History:
    """Reads the ledger for agents; `lines` and `tokens` bound what one turn is given.

    `pasts` are the fronts, by name, that can be asked for what is older than the ledger.
    """

    def __init__(self, database: Database, lines: int, tokens: int) -> None:
        self.pasts: dict[str, PastSearch] = {}
        self._database = database
        self._lines = lines
        self._characters = tokens * CHARACTERS_PER_TOKEN

    async def context(self, turn: Turn) -> Context:
        await self._recall(turn)
        return await self._database.read(lambda connection: self._read(connection, turn))

    async def _recall(self, turn: Turn) -> None:
        """Ask the front for what the turn replies to, and what that replied to, where the ledger does not know it."""
        parent = _replied(turn)
        for _ in range(RECALLED):
            if parent is None or turn.chat.front not in self.pasts:
                return
            number = parent
            found = await self._database.read(
                lambda connection, number=number: store.line(connection, turn.chat, number)
            )
            parent = found[1] if found else await self._ask_for(turn, number)

    async def _ask_for(self, turn: Turn, number: int) -> int | None:
        """Keep a message that the front remembers; what it replied to."""
        try:
            said = await self.pasts[turn.chat.front].said(turn.chat, number)
        except (FrontError, SessionError) as error:
            log.info("What is replied to stays unknown.", chat=turn.chat.key, message=number, error=str(error))
            return None
        if said is None:
            return None
        heard_at, workspace = said.heard_at or said.sent_at, turn.workspace
        await self._database.write(
            "recall", lambda connection: recall.keep(connection, said, workspace, "history", heard_at)
        )
        return said.reply_to

    def _read(self, connection: Connection, turn: Turn) -> Context:
        asking = set(turn.numbers)
        chain = _newest_within(_chain(connection, turn), self._characters)
        shown = asking | {said.message_id for said in chain}
        first = (asked.message_id for asked in turn.asked if asked.is_here)  # what steers came after the past
        past = self._past(connection, turn, max(first, default=turn.reply_to))
        left = self._characters - sum(_length(said) for said in chain)
        return Context(chain, _newest_within([said for said in past if said.message_id not in shown], left))

    def _past(self, connection: Connection, turn: Turn, before: int) -> list[Said]:
        """The last lines of the chat, with those of the group that it was where there are not enough."""
        past = store.recent(connection, turn.chat, before, self._lines, turn.workspace)
        former = move_store.former_of(connection, turn.chat.key)
        if former is None or len(past) >= self._lines:
            return past
        there = Chat(turn.chat.front, former)
        older = store.recent(connection, there, LAST, self._lines - len(past), turn.workspace)
        asked = {one.message_id for one in turn.asked if not one.is_here}
        return [replace(said, message_id=None) for said in older if said.message_id not in asked] + past

    async def search(self, chat: Chat, query: str, limit: int = 20) -> list[Said]:
        """Implements core.protocols.HistorySearch."""
        found = [said for place in await self._places(chat) for said in await self._search_in(place, query, limit)]
        return found[:limit]

    async def _places(self, chat: Chat) -> list[Chat]:
        """The chat, and the group that it was."""
        former = await self._database.read(lambda connection: move_store.former_of(connection, chat.key))
        return [chat] if former is None else [chat, Chat(chat.front, former)]

    async def _search_in(self, chat: Chat, query: str, limit: int) -> list[Said]:
        words = query.split()
        found = await self._database.read(lambda connection: store.search(connection, chat, words, limit))
        if len(found) >= limit or not words or chat.front not in self.pasts:
            return found
        oldest = await self._database.read(lambda connection: store.oldest(connection, chat))
        known = {said.message_id for said in found}  # some of the past may be kept, for it was replied to
        past = await self._search_past(chat, query, oldest, limit - len(found))
        return found + [said for said in past if said.message_id not in known]

    async def _search_past(self, chat: Chat, query: str, before: int, limit: int) -> list[Said]:
        """What was said before the ledger knew the chat, from those who remember it."""
        try:
            past = await self.pasts[chat.front].search_past(chat, query, before, limit)
        except (FrontError, SessionError) as error:
            log.info("The past of a chat was not searched.", chat=chat.key, error=str(error))
            return []
        return [
            Said(one.id, store.OURS if one.outgoing else one.sender.name, one.sent_at, one.text)
            for one in map(attributed, past)
        ]


def _chain(connection: Connection, turn: Turn) -> tuple[Said, ...]:
    """What the newest asking message replies to, and what that replied to, oldest first."""
    asking = set(turn.numbers)
    parent = _replied(turn)
    chain: list[Said] = []
    while parent is not None and parent not in asking and len(chain) < CHAIN:
        found = store.line(connection, turn.chat, parent)
        if found is None:
            break
        said, parent = found
        chain.append(said)
    return tuple(reversed(chain))


def _replied(turn: Turn) -> int | None:
    """What the newest asking message replies to."""
    return next((asked.reply_to for asked in reversed(turn.asked) if asked.reply_to), None)


def _newest_within(said: Sequence[Said], characters: int) -> tuple[Said, ...]:
    kept: list[Said] = []
    for one in reversed(said):
        characters -= _length(one)
        if characters < 0:
            break
        kept.append(one)
    return tuple(reversed(kept))


def _length(said: Said) -> int:
    return len(said.text) + len(said.sender)


def write_prompt(turn: Turn, context: Context, media: MediaWords = NOTHING) -> str:
    """The user prompt of a turn: the past as quoted lines, then what is asked now, once, with what it carries."""
    parts: list[str] = []
    if context.recent:
        parts.append("Earlier in this chat:\n" + "\n".join(_line(said) for said in context.recent))
    if context.chain:
        parts.append("They reply to:\n" + "\n".join(_line(said) for said in context.chain))
    if media.replied:
        parts.append("With what they reply to came:\n" + media.replied)
    if not parts:
        return _asked(turn, media)
    parts.append("Now:\n" + _asked(turn, media))
    return "\n\n".join(parts)


def _asked(turn: Turn, media: MediaWords) -> str:
    named = len({asked.sender_name for asked in turn.asked}) > 1
    words = ((asked.sender_name, _words(asked, media)) for asked in turn.asked)
    asking = {asked.message_id for asked in turn.asked}
    others = (told for number, told in media.asked.items() if number not in asking)  # the rest of an album
    return "\n".join((*(f"{name}: {words}" if named else words for name, words in words), *others))


def _words(asked: Asked, media: MediaWords) -> str:
    parts = (asked.prompt if asked.prompt.strip() else "", media.asked.get(asked.message_id, ""))
    return "\n".join(part for part in parts if part) or WORDLESS


def _line(said: Said) -> str:
    return f"> {said.sender}: {said.text}".replace("\n", "\n> ")
