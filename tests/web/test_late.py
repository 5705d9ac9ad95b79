from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from core.checks import Board
from core.clock import FakeClock
from core.errors import OwnerError, Unknown
from tests.web.stage import (
    PlayedAudit,
    PlayedChat,
    PlayedFeed,
    PlayedGroups,
    PlayedLetters,
    PlayedPinger,
    PlayedPromises,
    PlayedRuns,
    PlayedWebhook,
    PlayedWhy,
    promise,
)
from web import late
from web.doors import Change, Question, WebDoors, WebRules
from web.late import LateDoors, Opened


def opened() -> Opened:
    return Opened(
        chat=PlayedChat(),
        promises=PlayedPromises(),
        letters=PlayedLetters(),
        runs=PlayedRuns(),
        why=PlayedWhy(),
        groups=PlayedGroups(),
        feed=PlayedFeed(),
        pinger=PlayedPinger(),
        webhook=PlayedWebhook(),
        audit=PlayedAudit(),
    )


def doors_of(start: LateDoors) -> WebDoors:
    clock = FakeClock()
    return start.doors(Board(clock).snapshot, clock, WebRules("token", 9000))


async def first(changes: AsyncIterator[Change]) -> Change:
    async for change in changes:
        return change
    raise AssertionError("nothing came")


async def test_s4_requests_wait_for_the_start_and_then_go_through() -> None:
    doors, behind = LateDoors(), opened()
    asking = asyncio.create_task(doors_of(doors).chat.ask(Question("hello"), lambda _: None))
    doors.refuse("127.0.0.1", "no token")
    await asyncio.wait({asking}, timeout=0.05)
    assert not asking.done()
    doors.open(behind)
    assert (await asking).reply == "HELLO"
    doors.refuse("127.0.0.1", "wrong token")
    assert isinstance(behind.audit, PlayedAudit)
    assert behind.audit.refused == [("127.0.0.1", "no token"), ("127.0.0.1", "wrong token")]


async def test_s4_every_door_opens() -> None:
    start, behind = LateDoors(), opened()
    start.open(behind)
    doors = doors_of(start)
    assert list(await doors.chat.workspaces()) == ["PsyOPTIMAL", "FlexTrip"]
    assert await doors.chat.lines("page", 5) == []
    assert [view.id for view in await doors.promises.list(5)] == [7]
    assert (await doors.promises.show(7)).promise.id == 7
    assert (await doors.groups.groups()).absent == ("-7",)
    assert (await doors.promises.cancel(7)).status == "cancelled"
    assert (await doors.promises.retry(7)).status == "pending"
    assert len(await doors.promises.agenda(5)) == 1
    assert [one.id for one in await doors.letters.list(5)] == [3]
    assert (await doors.letters.retry(3)).status == "ready"
    with pytest.raises(Unknown):
        await doors.letters.drop(3)
    assert (await doors.runs.trace("7")).run.id == "run_7"
    assert len(await doors.why.why("1", 5)) == 1
    assert (await doors.pinger.ping()).is_back
    await doors.webhook.take_update({"update_id": 1})
    assert isinstance(behind.webhook, PlayedWebhook)
    assert behind.webhook.taken == [{"update_id": 1}]
    assert isinstance(behind.feed, PlayedFeed)
    behind.feed.changes.put_nowait(promise())
    assert await first(doors.feed.watch()) == promise()


async def test_s4_a_start_that_takes_too_long_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late, "PATIENCE", 0.0)
    with pytest.raises(OwnerError, match="still starting"):
        await LateDoors().ping()
