from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from conversations.self_ping import SelfPing
from conversations.status import StatusLine
from core.errors import Unreachable
from integrations.local import LocalFront
from integrations.memory import MemoryFront
from tests.conversations.stage import DM, OLGA, Stage


def self_ping(stage: Stage, deadline: float = 10) -> SelfPing:
    return SelfPing(stage.database, stage.clock, stage.events, stage.inbox, stage.reception, deadline)


@pytest.mark.parametrize("kind", ["account", "local"])
async def test_b9_the_nonce_goes_all_the_way_and_leaves_nothing(stage: Stage, kind: str) -> None:
    front = stage.front if kind == "account" else LocalFront()
    stage.attach(front)
    ping = self_ping(stage)
    assert await asyncio.gather(*(ping.ping(front) for _ in range(3))) == [0.0] * 3
    await stage.quiet()
    if isinstance(front, MemoryFront):
        assert [line for line in front.lines if line.chat == front.own_chat.key] == []
    for table in ("messages", "turns", "deliveries", "chats"):
        assert await stage.rows(table) == []
    assert stage.agent.asked == []


async def test_b9_a_nonce_that_does_not_come_back_is_an_error(stage: Stage) -> None:
    stage.outbox.detach(stage.front.name)
    with pytest.raises(Unreachable, match="did not come back"):
        await self_ping(stage, 0.2).ping(stage.front)


async def test_b9_the_status_names_uptime_version_queue_disk_and_memory(stage: Stage, tmp_path: Path) -> None:
    begun = stage.clock.boot()
    status = StatusLine(stage.database, stage.clock, "1.2", begun, tmp_path)
    with stage.agent.holding():
        await stage.say(DM, OLGA, "work")
        await stage.agent.next_begun()
        await stage.say(DM, OLGA, "more")
        for seconds, spelled in ((61, "1 min 1 s"), (3 * 3600, "3 h 1 min"), (50 * 3600, "2 d 5 h")):
            stage.clock.advance(seconds)
            assert f"up {spelled}, version 1.2, 0 turns and 0 deliveries open" in await status()
    line = await status()
    assert "GB of disk free" in line
    assert "MB of memory used" in line
