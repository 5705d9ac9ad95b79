"""The played service as a bot's."""

from __future__ import annotations

from core.message import Chat
from tests.conversations.stage import Stage


def as_bot(stage: Stage) -> Chat:
    """Let the stage's front be a bot's, without keys and with buttons; Olga's chat with it."""
    stage.front.name, stage.front.keeps_keys = "bot:100", False
    stage.attach(stage.front)
    return Chat(stage.front.name, "1")
