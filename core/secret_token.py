"""The secret that every request to the page and the API carries, kept in `.token`."""

from __future__ import annotations

import hmac
import os
import stat
from pathlib import Path

from core.errors import ConfigurationError


def read_token(path: Path) -> str:
    """The token as it lies on disk. Raises ConfigurationError when there is none to be used."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigurationError(
            [f"{path} cannot be read ({error.strerror}): start Valor with scripts/start.sh."]
        ) from error
    with os.fdopen(file) as stream:
        if stat.S_IMODE(os.fstat(file).st_mode) & 0o077:
            raise ConfigurationError([f"{path} can be read by others: delete it, the next start makes a new one."])
        token = stream.read().strip()
    if not token:
        raise ConfigurationError([f"{path} is empty: delete it, the next start makes a new one."])
    return token


def ensure_token(path: Path) -> str:
    """The token, made now when there is none: whole or not at all, and readable for its owner alone."""
    if not os.path.lexists(path):
        _make(path)
    return read_token(path)


def derive_secret(path: Path, purpose: str) -> str:
    """A secret of its own for `purpose`, the same as long as the token is. Raises ConfigurationError."""
    return hmac.new(ensure_token(path).encode(), purpose.encode(), "sha256").hexdigest()


def _make(path: Path) -> None:
    import secrets  # here, since reading the token is to be quick

    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(file, "w") as stream:
            stream.write(secrets.token_urlsafe(32) + "\n")
        _link(draft, path)
    finally:
        draft.unlink()


def _link(draft: Path, path: Path) -> None:
    # A hard link is refused where the name exists: of two processes that start at once one token wins.
    try:
        os.link(draft, path)
    except FileExistsError:
        return
