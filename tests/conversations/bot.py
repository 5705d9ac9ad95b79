"""The played service as a bot's."""

from __future__ import annotations

from core.message import Chat
from integrations.memory import MemoryFront
from tests.conversations.stage import Stage


def as_bot(stage: Stage) -> Chat:
    """Let the stage's front be a bot's; Olga's chat with it."""
    become_bot(stage.front)
    stage.attach(stage.front)
    return Chat(stage.front.name, "1")


def become_bot(front: MemoryFront) -> None:
    """Without keys, and with buttons."""
    front.name, front.keeps_keys = "bot:100", False
