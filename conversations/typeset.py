"""From an answer's Markdown to the pieces its front can show."""

from __future__ import annotations

from dataclasses import replace

from core.message import Piece

LOCAL = "local"
# What stands before a message that was sent once already, when nobody knows whether that arrived.
REPEAT = "↻ Once more, in case this was lost:\n\n"


def typeset(front: str, markdown: str) -> tuple[Piece, ...]:
    """None for a text that shows nothing. The local page shows Markdown as it is; Telegram gets entities.

    For the bot a piece leaves room for REPEAT.
    """
    if front == LOCAL:
        return (Piece(markdown),) if markdown.strip() else ()
    from integrations.telegram import text  # markdown-it and its tables load with the first answer, not with the start

    return tuple(text.typeset(markdown, text.LIMIT - (len(REPEAT) if front.startswith("bot:") else 0)))


def repeated(piece: Piece) -> Piece:
    """The same, marked as sent once more; `typeset` has left room for it."""
    if piece.text.startswith(REPEAT):
        return piece
    moved = tuple(replace(entity, offset=entity.offset + len(REPEAT)) for entity in piece.entities)
    return Piece(REPEAT + piece.text, moved)
