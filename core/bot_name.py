"""What the bot was called when it was last connected: what mentions it is known before Telegram can be asked."""

from __future__ import annotations

import json
import logging
import os
import secrets
from pathlib import Path

log = logging.getLogger(__name__)


def remember(path: Path, number: int, username: str) -> None:
    """Keep it on disk, for the bot of that number alone. Where that fails the next start knows less for a moment."""
    if recall(path) == {number: username}:
        return
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        draft.write_text(json.dumps({"number": number, "username": username}))
        draft.replace(path)
    except OSError as error:
        log.warning("the bot's name could not be written down: %s", error)
        draft.unlink(missing_ok=True)


def recall(path: Path) -> dict[int, str]:
    """The bot's number and its username; empty where nothing is known."""
    try:
        kept = json.loads(path.read_text())
        return {int(kept["number"]): str(kept["username"])}
    except (OSError, ValueError, LookupError, TypeError):
        return {}
