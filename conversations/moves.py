"""Groups that became supergroups: what is owed, promised and under way goes on there, and the owner is told the line.

Telegram tells it by a service message on either side, in the list of chats, and by refusing what is sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog
from sqlalchemy import Connection

from conversations import chat_store, move_store
from conversations.alert_store import Alert, write_alert
from core.clock import Clock
from core.database import Database
from core.message import Chat, Move
from core.workspaces import WorkspaceConfig

log = structlog.get_logger("telegram.moves")


@dataclass(slots=True)
class Moves:
    """Implements what the configuration lacks: it names groups that are supergroups now. The table is the truth."""

    database: Database
    clock: Clock
    written: Callable[[], WorkspaceConfig]
    known: dict[str, str] = field(default_factory=dict[str, str])
    listeners: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])

    @property
    def config(self) -> WorkspaceConfig:
        """The configuration as the file has it, with what has become of its groups."""
        config = self.written()
        return replace(config, moved=self.known) if self.known else config

    async def load(self) -> None:
        """Know what the table knows; call it after a commit that noted a move."""
        self.known = await self.database.read(move_store.all_moves)
        for tell in self.listeners:
            tell()

    async def follow(self, move: Move) -> bool:
        """Go on in the supergroup; False where the configuration has neither it nor the group."""
        config, now = self.config, self.clock.now()
        is_ours = await self.database.write("follow", lambda connection: follow(connection, move, config, now))
        await self.load()
        return is_ours

    def destination_of(self, chat: Chat) -> Chat:
        """What a chat is now."""
        found = next((new for new, former in self.known.items() if former == chat.key), chat.key)
        return Chat(chat.front, found)


def follow(connection: Connection, move: Move, config: WorkspaceConfig, now: datetime) -> bool:
    """Note the move, once, and carry over what the group holds; False where neither chat is configured."""
    entry = config.entry_of(move.old.key)
    if entry is None and config.entry_of(move.new.key) is None:
        return False
    if chat_store.knows_any(connection, config.twins_of(move.old.key)):
        return False
    if not move_store.note(connection, move.old.key, move.new.key, now):
        move_store.leave_behind(connection, move.old.key, move.new.key)
        return True
    move_store.carry_over(connection, move.old.key, move.new.key)
    if entry is not None:
        sentence = _sentence(move, entry, config)
        log.warning(sentence)
        write_alert(connection, Alert(sentence), config, now)
    return True


def _sentence(move: Move, entry: str, config: WorkspaceConfig) -> str:
    place = config.places.get(entry, "its workspace")
    return (
        f"A group has become a supergroup, and I go on there. Please change config/workspace_config.json: "
        f'in {place} write "{move.new.key}" instead of "{entry}".'
    )
