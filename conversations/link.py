"""What a link is: a message that is one address, and nothing else (B10)."""

from __future__ import annotations

import re

from conversations.attribution import split_mark

URL = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
QUOTE = re.compile(r"(?:> [^\n]*\n)*")


def read_link(prompt: str) -> str | None:
    """The address that a message is, if it is one, whoever wrote it and whatever it quotes."""
    _, words = split_mark(prompt)
    match = URL.fullmatch(QUOTE.sub("", words, count=1).strip())
    return match and match[0]
