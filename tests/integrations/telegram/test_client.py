# pyright: basic
from __future__ import annotations

from pathlib import Path

import pytest
from telethon import TelegramClient
from telethon.tl import functions as fn

from integrations.telegram.client import AccountClient, trust_only
from integrations.telegram.session import open_session
from tests.integrations.telegram.desk import Home


async def test_a_client_answers_who_it_is_once_and_counts_what_it_has_seen(home: Home) -> None:
    session = open_session(home.access.session_path)
    assert home.access.server is not None
    session.set_dc(home.access.dc_id, *home.access.server)
    client = AccountClient(session, (home.access.api_id, home.access.api_hash), lambda: None)
    assert isinstance(client, TelegramClient)
    await client.connect()
    state = await client.ask(fn.updates.GetStateRequest())
    assert state.pts >= 1
    assert client.updates_error is None
    await client.close()


def test_a_key_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"none\.pem"):
        trust_only(tmp_path / "none.pem")
