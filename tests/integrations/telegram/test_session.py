"""Who may open the session file, and what is told when it cannot be opened."""

from __future__ import annotations

import asyncio
import stat
import sys
from pathlib import Path

import pytest

from core.errors import SessionError
from core.settings import load_settings
from integrations.telegram.session import (
    SessionLock,
    TelegramAccess,
    build_client,
    has_key,
    open_session,
    stored_account,
)

HOLD = """
import sys
from pathlib import Path
from integrations.telegram.session import SessionLock
SessionLock(Path(sys.argv[1]), "the other one").acquire()
print("held", flush=True)
sys.stdin.read()
"""


async def test_s3_another_process_is_named_and_its_end_frees_the_session(tmp_path: Path) -> None:
    path = tmp_path / "a.session"
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLD, str(path), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout
    assert await child.stdout.readline() == b"held\n"
    with pytest.raises(SessionError, match=rf"a\.session is in use by the other one \(pid {child.pid}, since 20"):
        SessionLock(path, "valor server").acquire()
    child.kill()
    await child.communicate()
    SessionLock(path, "valor server").acquire()
    assert (tmp_path / "a.session.lock").exists()


def test_s3_an_unreadable_lock_file_still_holds(tmp_path: Path) -> None:
    first = SessionLock(tmp_path / "a.session", "first")
    first.acquire()
    first.path.write_text("garbage")
    with pytest.raises(SessionError, match="another process"):
        SessionLock(tmp_path / "a.session", "second").acquire()
    first.release()
    first.release()
    SessionLock(tmp_path / "a.session", "second").acquire()


def test_a_new_session_file_is_private_and_signed_in_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "data" / "a.session"
    assert not has_key(path)
    session = open_session(path)
    assert stored_account(session) is None
    session.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not has_key(path)


def test_a_file_that_is_no_session_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.session"
    path.write_text("this is no database at all, however long it may be " * 40)
    with pytest.raises(SessionError, match=r"a\.session cannot be opened"):
        open_session(path)


async def test_a_missing_server_key_is_told(tmp_path: Path) -> None:
    access = TelegramAccess(1, "h", tmp_path / "a.session", ("127.0.0.1", 1), tmp_path / "no.pem", 2)
    with pytest.raises(SessionError, match="TELEGRAM_SERVER_KEY"):
        build_client(access)


async def test_without_an_own_server_telegram_is_meant(tmp_path: Path) -> None:
    client = build_client(TelegramAccess(1, "h", tmp_path / "a.session"))
    assert client.store.server_address is None
    client.store.close()


def test_access_comes_from_settings(tmp_path: Path) -> None:
    assert TelegramAccess.of(load_settings(tmp_path)) is None
    (tmp_path / ".env").write_text("TELEGRAM_API_ID=7\nTELEGRAM_API_HASH=secret\nTELEGRAM_SERVER=h:1\n")
    settings = load_settings(tmp_path)
    access = TelegramAccess.of(settings)
    assert access == TelegramAccess(7, "secret", tmp_path / "data" / "telegram.session", ("h", 1))
    assert "secret" not in repr(access)
