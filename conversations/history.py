"""What an agent knows of a chat: the reply chain and the recent messages, of this chat and no other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from conversations import store
from conversations.turn import Turn
from core.database import Database
from core.message import Chat
from core.protocols import Said

CHAIN = 10  # how many replies are followed back
WORDLESS = "[a message without words]"  # a bare mention: models refuse an empty prompt
CHARACTERS_PER_TOKEN = 3  # a cautious estimate: English has about four, code and other scripts fewer


@dataclass(frozen=True, slots=True)
class Context:
    """The past of one turn, oldest first; the asking messages themselves are not in it."""

    chain: tuple[Said, ...]
    recent: tuple[Said, ...]


class History:
    """Reads the ledger for agents; `lines` and `tokens` bound what one turn is given."""

    def __init__(self, database: Database, lines: int, tokens: int) -> None:
        self._database = database
        self._lines = lines
        self._characters = tokens * CHARACTERS_PER_TOKEN

    async def context(self, turn: Turn) -> Context:
        return await self._database.read(lambda connection: self._read(connection, turn))

    def _read(self, connection: Connection, turn: Turn) -> Context:
        asking = {asked.message_id for asked in turn.asked}
        chain = _newest_within(_chain(connection, turn), self._characters)
        shown = asking | set(turn.steered_by) | {said.message_id for said in chain}
        past = store.recent(connection, turn.chat, max(asking, default=turn.reply_to), self._lines, turn.workspace)
        left = self._characters - sum(_length(said) for said in chain)
        return Context(chain, _newest_within([said for said in past if said.message_id not in shown], left))

    async def search(self, chat: Chat, query: str, limit: int = 20) -> list[Said]:
        """Implements core.protocols.HistorySearch."""
        words = query.split()
        return await self._database.read(lambda connection: store.search(connection, chat, words, limit))


def _chain(connection: Connection, turn: Turn) -> tuple[Said, ...]:
    """What the newest asking message replies to, and what that replied to, oldest first."""
    asking = {asked.message_id for asked in turn.asked}
    parent = next((asked.reply_to for asked in reversed(turn.asked) if asked.reply_to), None)
    chain: list[Said] = []
    while parent is not None and parent not in asking and len(chain) < CHAIN:
        found = store.line(connection, turn.chat, parent)
        if found is None:
            break
        said, parent = found
        chain.append(said)
    return tuple(reversed(chain))


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


def write_prompt(turn: Turn, context: Context) -> str:
    """The user prompt of a turn: the past as quoted lines, then what is asked now, once."""
    parts: list[str] = []
    if context.recent:
        parts.append("Earlier in this chat:\n" + "\n".join(_line(said) for said in context.recent))
    if context.chain:
        parts.append("They reply to:\n" + "\n".join(_line(said) for said in context.chain))
    if not parts:
        return _asked(turn)
    parts.append("Now:\n" + _asked(turn))
    return "\n\n".join(parts)


def _asked(turn: Turn) -> str:
    named = len({asked.sender_name for asked in turn.asked}) > 1
    words = ((asked.sender_name, asked.prompt if asked.prompt.strip() else WORDLESS) for asked in turn.asked)
    return "\n".join(f"{name}: {prompt}" if named else prompt for name, prompt in words)


def _line(said: Said) -> str:
    return f"> {said.sender}: {said.text}".replace("\n", "\n> ")
