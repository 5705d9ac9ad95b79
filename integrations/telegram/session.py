# pyright: basic
"""The account's session file: who may open it, and the client that does."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from telethon import utils
from telethon.sessions import SQLiteSession

from core.clock import Clock, SystemClock
from core.edges import Edge, no_edge
from core.errors import SessionError
from core.settings import Settings
from integrations.telegram.client import AccountClient, trust_only
from integrations.telegram.directory import Account

SIGN_IN = "scripts/telegram_login.sh"
DEFAULT_DC = 2


@dataclass(frozen=True, slots=True)
class TelegramAccess:
    """What it takes to reach Telegram as an account. `server` (host, port), its public key file and its data centre's
    number are set for a server other than Telegram's own."""

    api_id: int
    api_hash: str = field(repr=False)
    session_path: Path
    server: tuple[str, int] | None = None
    server_key: Path | None = None
    dc_id: int | None = None
    edge: Edge = field(default=no_edge, repr=False)
    calls_per_second: float = 60.0

    @classmethod
    def of(cls, settings: Settings) -> TelegramAccess | None:
        """The access that the settings describe, None without API id and hash."""
        if settings.telegram_api_id is None or settings.telegram_api_hash is None:
            return None
        return cls(
            settings.telegram_api_id,
            settings.telegram_api_hash.get_secret_value(),
            settings.data_dir / "telegram.session",
            settings.telegram_server,
            settings.telegram_server_key,
            settings.telegram_dc_id,
            settings.edge,
            settings.telegram_calls_per_second,
        )


class SessionLock:
    """The right to open a session file: a lock file beside it, held while the holder lives, that names the holder.

    The file stays when the lock is given back; what it says counts only while somebody holds the lock.
    """

    def __init__(self, session_path: Path, process: str, clock: Clock | None = None) -> None:
        self.path = session_path.with_name(session_path.name + ".lock")
        self._holder = {"pid": os.getpid(), "process": process, "since": (clock or SystemClock()).now().isoformat()}
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises SessionError naming who holds it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise SessionError(self._sentence()) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(self._holder).encode())
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _sentence(self) -> str:
        try:
            holder = json.loads(self.path.read_text())
            who = f"{holder['process']} (pid {holder['pid']}, since {holder['since']})"
        except (ValueError, KeyError, TypeError):
            who = "another process"
        return f"The Telegram session {self.path.name.removesuffix('.lock')} is in use by {who}: stop that one first."


class SessionChange:
    """Tells when somebody has used a session file since this was made, and has let go of it: signed it in, perhaps."""

    def __init__(self, session_path: Path) -> None:
        self._path = session_path
        self._before = self._stamp()

    def has_come(self) -> bool:
        """Looks at the disk."""
        if self._stamp() == self._before:
            return False
        lock = SessionLock(self._path, "valor server")
        try:
            lock.acquire()
        except SessionError:
            return False
        lock.release()
        return True

    def _stamp(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_ino


def open_session(path: Path) -> SQLiteSession:
    """The session file, made with mode 0600 when there is none. Raises SessionError when it cannot be used."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        return SQLiteSession(str(path))
    except (OSError, sqlite3.Error) as error:
        raise SessionError(f"The Telegram session {path.name} cannot be opened: {error}.") from error


def has_key(path: Path) -> bool:
    """Tell without network whether a sign-in has been begun in this session file."""
    if not path.exists():
        return False
    session = open_session(path)
    try:
        return bool(session.auth_key and session.auth_key.key)
    finally:
        session.close()


def stored_account(session: SQLiteSession) -> Account | None:
    """The account that the session file was last used by, None when it does not say."""
    try:
        myself: Any = session.get_input_entity(0)
    except ValueError:
        return None
    return Account(myself.access_hash)


def forget_key(access: TelegramAccess) -> None:
    """Empty a session of a key that Telegram does not take any more; the file stays."""
    session = open_session(access.session_path)
    session.auth_key = None
    session.close()


def build_client(
    access: TelegramAccess,
    on_too_long: Callable[[], None] = lambda: None,
    is_settled: Callable[[], bool] = lambda: True,
    *,
    hears: bool = True,
) -> AccountClient:
    """A client for one connection, not connected; one that does not hear is told nothing. Raises SessionError."""
    if access.server_key is not None:
        try:
            trust_only(access.server_key)
        except OSError as error:
            raise SessionError(f"TELEGRAM_SERVER_KEY {access.server_key} cannot be read: {error.strerror}.") from error
    session = open_session(access.session_path)
    if access.server is not None:
        session.set_dc(access.dc_id or session.dc_id or DEFAULT_DC, *access.server)
    return AccountClient(session, (access.api_id, access.api_hash), on_too_long, is_settled, hears=hears)


def marked_peer(marked_id: int) -> Any:
    """Telethon's peer of a marked id."""
    bare, kind = utils.resolve_id(marked_id)
    return kind(bare)
