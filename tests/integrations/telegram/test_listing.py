from __future__ import annotations

import pytest

from core.errors import SessionError
from integrations.telegram.listing import list_dialogs
from integrations.telegram.session import SessionLock
from tests.integrations.telegram.desk import Home


async def test_s3_the_chats_are_listed_under_the_session_s_lock(home: Home) -> None:
    group = home.world.group("Dev", [home.anna, home.valor])
    assert home.chat(group) in {dialog.chat for dialog in await list_dialogs(home.access)}
    lock = SessionLock(home.access.session_path, "valor server")
    lock.acquire()
    with pytest.raises(SessionError, match="valor server"):
        await list_dialogs(home.access)
    lock.release()
    home.world.revoke(home.valor)
    with pytest.raises(SessionError, match="not signed in"):
        await list_dialogs(home.access)
