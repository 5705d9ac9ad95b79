# pyright: basic, reportArgumentType=false
"""The client's side of the played Telegram: unpatched Telethon, pointed at our server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telethon import TelegramClient
from telethon.crypto import AuthKey, rsa
from telethon.sessions import MemorySession, SQLiteSession
from telethon.sessions.abstract import Session

from tests.world.telegram.keys import Authorization
from tests.world.telegram.model import Person

if TYPE_CHECKING:
    from tests.world.telegram.server import Server

API_ID = 12345
API_HASH = "0123456789abcdef0123456789abcdef"


def trust(pem: str) -> None:
    """Make Telethon in this process accept one server key and no other."""
    rsa._server_keys.clear()
    rsa.add_key(pem, old=False)


def connect_client(session: Session | None, server: Server, **options: Any) -> TelegramClient:
    """A Telethon client (not yet connected) whose session lives on our server. `session` None: in memory."""
    trust(server.key.pem)
    session = session or MemorySession()
    session.set_dc(server.dc_id, server.host, server.port)
    defaults: dict[str, Any] = {"retry_delay": 0, "connection_retries": 50, "request_retries": 1, "timeout": 5}
    return TelegramClient(session, API_ID, API_HASH, **defaults | options)


def mint(server: Server, person: Person, session: Session) -> None:
    """Authorise a session for a person without sign-in."""
    authorization = Authorization(os.urandom(256), person)
    server.admit(authorization)
    session.set_dc(server.dc_id, server.host, server.port)
    session.auth_key = AuthKey(authorization.key)
    session.save()


def mint_file(server: Server, person: Person, path: Path) -> Path:
    """An authorised Telethon session file for a person; `.session` is added when it lacks. Returns the file's path."""
    session = SQLiteSession(str(path))
    mint(server, person, session)
    session.close()
    return path if path.suffix == ".session" else path.with_name(path.name + ".session")


def mint_memory(server: Server, person: Person) -> Session:
    session = MemorySession()
    mint(server, person, session)
    return session
