from __future__ import annotations

import httpx
import pytest
from telegram.error import BadRequest, ChatMigrated, Conflict, Forbidden, InvalidToken, NetworkError, TimedOut

from core.errors import FloodWait, SessionError, Undeliverable, Unreachable, Unsent
from integrations.telegram.bot_refusals import Patience, SecondPoller, translate


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (Patience(7), FloodWait, "wait 7 s"),
        (InvalidToken(), SessionError, "TELEGRAM_BOT_TOKEN"),
        (Conflict("terminated by other getUpdates request"), SecondPoller, "409 Conflict"),
        (ChatMigrated(-1005), Undeliverable, "-1005"),
        (BadRequest("Message is too long"), Undeliverable, "longer than Telegram takes"),
        (Forbidden("Forbidden: bot was kicked from the group chat"), Undeliverable, "no longer a member"),
        (BadRequest("Odd"), Undeliverable, "refused it: Odd"),
        (TimedOut(), Unreachable, "Timed out"),
        (NetworkError("Bad Gateway"), Unreachable, "Bad Gateway"),
        (TimeoutError(), Unreachable, "TimeoutError"),
        (caused(TimedOut(), httpx.ReadTimeout("")), Unreachable, "Timed out"),
        (caused(NetworkError("httpx.ConnectError: "), httpx.ConnectError("")), Unsent, "ConnectError"),
        (caused(TimedOut(), httpx.ConnectTimeout("")), Unsent, "Timed out"),
        (caused(TimedOut(), httpx.PoolTimeout("")), Unsent, "Timed out"),
    ],
)
def test_each_error_says_who_must_act(error: Exception, kind: type[Exception], words: str) -> None:
    said = translate(error)
    assert type(said) is kind
    assert words in str(said)
