"""Messages of one chat wait for one another, those of two chats do not."""

from __future__ import annotations

import asyncio

from integrations.telegram.intake import Intake


async def test_chats_do_not_wait_for_one_another() -> None:
    opened, done = asyncio.Event(), asyncio.Event()
    taken: list[str] = []

    async def take(item: str) -> None:
        if item == "slow":
            await opened.wait()
        taken.append(item)
        if len(taken) == 3:
            done.set()

    intake = Intake(take)
    for chat, item in ((1, "slow"), (1, "after"), (2, "other")):
        intake.put(chat, item)
    await asyncio.sleep(0)
    assert taken == ["other"]
    opened.set()
    async with asyncio.timeout(2):
        await done.wait()
    assert taken == ["other", "slow", "after"]


async def test_stopping_gives_up_what_waits() -> None:
    taken: list[int] = []

    async def take(item: int) -> None:
        taken.append(item)
        await asyncio.Event().wait()

    intake = Intake(take)
    intake.put(1, 1)
    intake.put(1, 2)
    await asyncio.sleep(0)
    await intake.stop()
    assert taken == [1]
