"""The code by which the owner is known for the first time: printed by the start, good for an hour, used once."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from datetime import datetime, timedelta
from pathlib import Path

LIFE = timedelta(hours=1)


def make_code(path: Path, now: datetime) -> str:
    """A new code, which takes the place of any before; only its digest is kept."""
    code = secrets.token_urlsafe(16)
    kept = {"digest": _digest(code), "expires_at": (now + LIFE).timestamp()}
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "w") as stream:
        json.dump(kept, stream)
    draft.replace(path)
    return code


def is_right(path: Path, code: str, now: datetime) -> bool:
    """Whether this is the code, and its time is not over."""
    try:
        kept = json.loads(path.read_text())
        digest, expires_at = str(kept["digest"]), float(kept["expires_at"])
    except (OSError, ValueError, LookupError, TypeError):
        return False
    return hmac.compare_digest(_digest(code), digest) and now.timestamp() < expires_at


def spend(path: Path) -> None:
    """No code is good any more."""
    path.unlink(missing_ok=True)


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "replace")).hexdigest()
