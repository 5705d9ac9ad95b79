"""Messages of one chat wait for one another, those of two chats do not."""

from __future__ import annotations

import asyncio

from integrations.telegram.intake import Intake


async def test_chats_do_not_wait_for_one_another() -> None:
    opened, other, done = asyncio.Event(), asyncio.Event(), asyncio.Event()
    taken: list[str] = []

    async def take(item: str) -> None:
        if item == "slow":
            await opened.wait()
        taken.append(item)
        if item == "other":
            other.set()
        if len(taken) == 3:
            done.set()

    intake = Intake(take)
    for chat, item in ((1, "slow"), (1, "after"), (2, "other")):
        intake.put(chat, item)
    async with asyncio.timeout(2):
        await other.wait()
    assert taken == ["other"]
    opened.set()
    async with asyncio.timeout(2):
        await done.wait()
    assert taken == ["other", "slow", "after"]


async def test_stopping_gives_up_what_waits() -> None:
    taken: list[int] = []
    began = asyncio.Event()

    async def take(item: int) -> None:
        taken.append(item)
        began.set()
        await asyncio.Event().wait()

    intake = Intake(take)
    intake.put(1, 1)
    intake.put(1, 2)
    async with asyncio.timeout(2):
        await began.wait()
    await intake.stop()
    assert taken == [1]
