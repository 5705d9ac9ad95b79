from __future__ import annotations

from pathlib import Path

import pytest

from core.audit import Audit
from core.clock import SystemClock
from core.errors import Unknown
from core.schema import audit
from tests.web.installation import open_server, settings_in
from web.doors import Grown, Question
from web.ledger import LedgerAudit, LedgerChat
from web.opened import open_doors
from web.services import Services


async def test_an_unknown_workspace_is_refused_before_anything_is_stored(tmp_path: Path) -> None:
    async with open_server(settings_in(tmp_path)) as (server, doors):
        assert isinstance(server.services, Services)
        with pytest.raises(Unknown, match="known are Garden"):
            await doors.chat.ask(Question("hello", workspace="nowhere"), lambda _: None)
        assert await doors.chat.lines("page", 10) == []


async def test_what_one_turn_writes_is_not_shown_to_another(tmp_path: Path) -> None:
    async with open_server(settings_in(tmp_path)) as (_, doors):
        heard: list[object] = []
        reply = await doors.chat.ask(Question("help", chat="a"), heard.append)
        await doors.chat.ask(Question("ping", chat="b"), heard.append)
    assert [event for event in heard if isinstance(event, Grown)][-1] == Grown(reply.reply)


async def test_s9_refused_requests_are_audited_as_the_web_s(tmp_path: Path) -> None:
    async with open_server(settings_in(tmp_path)) as (server, _):
        doors = open_doors(server)
        assert isinstance(doors.chat, LedgerChat)
        database = server.services.ground.database
        LedgerAudit(Audit(database, SystemClock())).refuse("10.0.0.9", "no token")
        while not (rows := await database.read(lambda connection: connection.execute(audit.select()).all())):
            pass
    assert (rows[0].kind, rows[0].chat_id, rows[0].reason) == ("web", "10.0.0.9", "no token")
