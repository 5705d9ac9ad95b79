# pyright: basic
"""Each of Telegram's errors says who must act."""

from __future__ import annotations

import pytest
from telethon import errors
from telethon.tl.types import RpcError

from core.errors import AlreadySent, Closed, FloodWait, SessionError, SlowMode, Undeliverable, Unreachable, ValorError
from integrations.telegram.refusals import UNSAID_PATIENCE, name_of, translate


@pytest.mark.parametrize(
    ("name", "code", "kind", "called"),
    [
        ("RANDOM_ID_DUPLICATE", 500, AlreadySent, "RANDOM_ID_DUPLICATE"),
        ("FLOOD_WAIT_7", 420, FloodWait, "FLOOD_WAIT"),
        ("SLOWMODE_WAIT_9", 420, SlowMode, "SLOW_MODE_WAIT"),
        ("SOME_FLOOD", 420, FloodWait, "SOME_FLOOD"),
        ("AUTH_KEY_UNREGISTERED", 401, SessionError, "AUTH_KEY_UNREGISTERED"),
        ("AUTH_KEY_DUPLICATED", 406, SessionError, "AUTH_KEY_DUPLICATED"),
        ("CHANNEL_PRIVATE", 406, Closed, "CHANNEL_PRIVATE"),
        ("UNHEARD_OF", 406, Undeliverable, "UNHEARD_OF"),
        ("CHAT_WRITE_FORBIDDEN", 403, Closed, "CHAT_WRITE_FORBIDDEN"),
        ("INTERNAL", 500, Unreachable, "INTERNAL"),
        ("Timeout", -503, Unreachable, "TIMEOUT"),
    ],
)
def test_errors_by_name(name: str, code: int, kind: type[ValorError], called: str) -> None:
    error = errors.rpc_message_to_error(RpcError(code, name), None)
    said = translate(error)
    assert type(said) is kind
    assert str(said).endswith(".")
    assert name_of(error) == called


def test_patience_that_is_not_said_is_assumed() -> None:
    said = translate(errors.rpc_message_to_error(RpcError(420, "SOME_FLOOD"), None))
    assert isinstance(said, FloodWait)
    assert said.seconds == UNSAID_PATIENCE


def test_the_network_leaves_the_outcome_unknown() -> None:
    assert [type(translate(error)) for error in (TimeoutError(), ConnectionError("gone"))] == [Unreachable] * 2
    assert name_of(TimeoutError()) == "TimeoutError"
