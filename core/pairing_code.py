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
BYTES, LENGTH = 16, 22  # of chance, and in how many characters they are written


def make_code(path: Path, now: datetime) -> str:
    """A new code, which takes the place of any before; only its digest is kept."""
    code = secrets.token_urlsafe(BYTES)
    _keep(path, code, (now + LIFE).timestamp())
    return code


def _keep(path: Path, code: str, expires_at: float) -> None:
    kept = {"digest": _digest(code), "expires_at": expires_at}
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "w") as stream:
        json.dump(kept, stream)
    draft.replace(path)


def is_right(path: Path, code: str, now: datetime) -> bool:
    """Whether this is the code, and its time is not over."""
    expires_at = _end_of(path, code)
    return expires_at is not None and now.timestamp() < expires_at


def is_known(path: Path, code: str) -> bool:
    """Whether this is the code, though it may have been spent or its time be over."""
    return len(code) == LENGTH and _end_of(path, code) is not None


def spend(path: Path, code: str) -> None:
    """The code is good for nothing any more, and known still."""
    _keep(path, code, 0)


def _end_of(path: Path, code: str) -> float | None:
    """Until when this code is good; None where it is not the one that is kept."""
    try:
        kept = json.loads(path.read_text())
        digest, expires_at = str(kept["digest"]), float(kept["expires_at"])
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return expires_at if hmac.compare_digest(_digest(code), digest) else None


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "replace")).hexdigest()
