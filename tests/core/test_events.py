from __future__ import annotations

import asyncio

from core.events import BACKLOG, Events, TurnEnded
from core.message import Chat

CHAT = Chat("local", "page")


async def test_whoever_watches_hears_and_who_has_left_does_not() -> None:
    events = Events()
    with events.watch() as first:
        with events.watch() as second:
            events.publish(TurnEnded(1, CHAT, "done"))
        events.publish(TurnEnded(2, CHAT, "done"))
        heard: list[int] = []
        async with asyncio.timeout(5):
            async for event in first:
                assert isinstance(event, TurnEnded)
                heard.append(event.turn_id)
                if len(heard) == 2:
                    break
    assert heard == [1, 2]
    assert second._events.qsize() == 1
    events.publish(TurnEnded(3, CHAT, "done"))


async def test_a_slow_watcher_misses_the_oldest_and_grows_no_further() -> None:
    events = Events()
    with events.watch() as watch:
        for number in range(BACKLOG + 10):
            events.publish(TurnEnded(number, CHAT, "done"))
        assert watch._events.qsize() == BACKLOG
        async for event in watch:
            assert isinstance(event, TurnEnded)
            assert event.turn_id == 10
            break
