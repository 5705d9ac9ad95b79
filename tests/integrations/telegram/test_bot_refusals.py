from __future__ import annotations

import httpx
import pytest
from telegram import Bot
from telegram.error import BadRequest, ChatMigrated, Conflict, Forbidden, InvalidToken, NetworkError, TimedOut

from core.errors import Closed, FloodWait, SessionError, Undeliverable, Unreachable, Unsent
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
        (Forbidden("Forbidden: bot was kicked from the supergroup chat"), Closed, "an admin there must add it"),
        (Forbidden("Forbidden: bot is not a member of the channel chat"), Closed, "an admin there must add it"),
        (Forbidden("Forbidden: bot was blocked by the user"), Closed, "only they can unblock it"),
        (Forbidden("Forbidden: bot can't initiate conversation with a user"), Closed, "the person must write to it"),
        (Forbidden("Forbidden: user is deactivated"), Closed, "out of the configuration"),
        (Forbidden("Forbidden: the group chat was deleted"), Closed, "out of the configuration"),
        (BadRequest("Not enough rights to send text messages to the chat"), Closed, "an admin there must allow it"),
        (BadRequest("Have no rights to send a message"), Closed, "an admin there must allow it"),
        (BadRequest("Chat not found"), Closed, "somebody there must add the bot"),
        (BadRequest("CHAT_RESTRICTED"), Closed, "Telegram has restricted"),
        (BadRequest("Not enough rights to send photos to the chat"), Undeliverable, "must give it the right"),
        (Forbidden("Forbidden: something new"), Undeliverable, "refused it: Forbidden: something new"),
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


async def test_p3_what_is_sent_after_the_end_of_the_bots_client_has_never_left() -> None:
    with pytest.raises(NetworkError) as ended:
        await Bot("1:token").get_me()
    assert isinstance(translate(ended.value), Unsent)
