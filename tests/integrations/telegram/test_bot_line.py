from __future__ import annotations

import json
from datetime import timedelta

import httpx
import pytest

from core.clock import FakeClock
from core.errors import Unreachable
from integrations.telegram.bot_access import BotAccess
from integrations.telegram.bot_line import BotLine, ServerClock, _patience_of
from tests.integrations.telegram.bot_stage import BotHome


async def test_telegrams_clock_runs_on_whatever_ours_is_set_to() -> None:
    clock = FakeClock()
    server = ServerClock(clock)
    assert server.now() == clock.now()
    await server.learn(httpx.Response(200))
    assert server.now() == clock.now()
    await server.learn(httpx.Response(200, headers={"date": "Fri, 20 Nov 2026 14:00:00 GMT"}))
    told = server.now()
    clock.jump(3600)
    assert server.now() == told
    clock.advance(5)
    assert server.now() == told + timedelta(seconds=5)


@pytest.mark.parametrize("payload", [b"no json", b"[]", b"{}", json.dumps({"parameters": {}}).encode()])
def test_a_wait_of_unsaid_length_is_long_enough(payload: bytes) -> None:
    assert _patience_of(payload) == 30


async def test_each_call_passes_an_edge_by_its_name(bot_home: BotHome) -> None:
    points: list[str] = []
    access = BotAccess(bot_home.access.token, bot_home.access.api, edge=points.append)
    line = BotLine(access, 2, FakeClock())
    await line.open()
    await line.call(line.api.get_me())
    assert await line.updates(0, 0, ("message",)) == []
    await line.close()
    assert points == ["bot.getMe:before", "bot.getMe:after", "bot.getUpdates:before", "bot.getUpdates:after"]


async def test_bad_input_an_answer_that_is_no_list_is_no_update(bot_home: BotHome) -> None:
    line = BotLine(bot_home.access, 2, FakeClock())
    await line.open()
    bot_home.api.answers["getUpdates"] = {"odd": True}
    with pytest.raises(Unreachable, match="no list"):
        await line.updates(0, 0, ())
    await line.close()
