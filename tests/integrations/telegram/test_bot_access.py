from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import SessionError
from core.settings import load_settings
from integrations.telegram.bot_access import API, BotAccess

TOKEN = "1234567:AAF-the-tests-own-of-no-worth"  # the tests' own


def access_in(home: Path, *lines: str) -> BotAccess | None:
    (home / ".env").write_text("\n".join(lines))
    return BotAccess.of(load_settings(home))


def test_s6_without_a_token_there_is_no_bot(tmp_path: Path) -> None:
    assert access_in(tmp_path) is None


def test_a_token_is_enough_and_begins_with_the_bots_number(tmp_path: Path) -> None:
    access = access_in(tmp_path, f"TELEGRAM_BOT_TOKEN={TOKEN}")
    assert access
    assert (access.api, access.number, access.webhook) == (API, 1234567, None)
    assert TOKEN not in repr(access)


def test_another_bot_api_server_may_be_named(tmp_path: Path) -> None:
    access = access_in(tmp_path, f"TELEGRAM_BOT_TOKEN={TOKEN}", "TELEGRAM_BOT_API_URL=http://127.0.0.1:8081/")
    assert access
    assert access.api == "http://127.0.0.1:8081"


@pytest.mark.parametrize("token", ["x", "1234567", "abc:def", "1234567:bad token"])
def test_bad_input_what_is_no_token_is_named(token: str) -> None:
    with pytest.raises(SessionError, match="@BotFather"):
        assert BotAccess(token).number
