"""The account's chats, asked for by a command line while no server holds the session."""

from __future__ import annotations

from core.clock import SystemClock
from core.errors import SessionError
from core.protocols import Dialog
from integrations.telegram.budget import Budget
from integrations.telegram.line import Line
from integrations.telegram.pages import read_dialogs
from integrations.telegram.session import SIGN_IN, SessionLock, TelegramAccess, has_key

SECONDS = 20.0


async def list_dialogs(access: TelegramAccess) -> list[Dialog]:
    """Every chat of the account. What was missed stays so: it is for the server to hear.

    Raises SessionError when the session is in use or not signed in, FrontError's children without an answer.
    """
    lock = SessionLock(access.session_path, "list_telegram_groups")
    lock.acquire()
    try:
        if not has_key(access.session_path):
            raise SessionError(f"The Telegram account is not signed in: run {SIGN_IN}.")
        line = Line(access, Budget(SystemClock()), SECONDS, lambda: None, lambda: False)
        try:
            await line.open(None, lambda update: None)
            return await read_dialogs(line)
        finally:
            await line.close()
    finally:
        lock.release()
