"""From an answer's Markdown to the pieces its front can show."""

from __future__ import annotations

from core.message import Piece

LOCAL = "local"


def typeset(front: str, markdown: str) -> tuple[Piece, ...]:
    """None for a text that shows nothing. The local page shows Markdown as it is; Telegram gets entities."""
    if front == LOCAL:
        return (Piece(markdown),) if markdown.strip() else ()
    from integrations.telegram import text  # markdown-it and its tables load with the first answer, not with the start

    return tuple(text.typeset(markdown))
