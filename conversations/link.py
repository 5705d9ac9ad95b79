"""What a link is: a message that is one address, and nothing else (B10)."""

from __future__ import annotations

import re

URL = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)


def read_link(text: str) -> str | None:
    """The address that a message is, if it is one."""
    match = URL.fullmatch(text.strip())
    return match and match[0]
