"""Reactions that answer a question, and that nobody heard or understood when they came."""

from __future__ import annotations

import asyncio

import pytest

from core.errors import FloodWait, Unreachable
from tests.conversations.stage import DEV, OLGA, Stage
from tests.conversations.test_buttons import Asked, reacted


@pytest.mark.parametrize("parked", [False, True])
async def test_p11_a_reaction_counts_that_came_before_anybody_knew_of_the_message(stage: Stage, parked: bool) -> None:
    """The question is in the chat, and the process that sent it died before it heard so."""
    watching = asyncio.create_task(stage.reception.decisions.run(stage.reception.press))
    number = await Asked(stage).put(DEV, parked=parked)
    await stage.put("deliveries", message_id=None, status="ready", attempts=1)
    early = reacted(stage, DEV, OLGA, "/approve", number)
    stage.front.decided = [early]
    await stage.reception.press(early)
    assert await stage.rows("messages") == []
    stage.outbox.wake()
    await stage.front.until(lambda: any("goes on" in text for text in stage.front.texts("-20")))
    watching.cancel()
    assert [row.text for row in await stage.rows("messages")] == ["/approve 1?1"]


async def read_so_often(stage: Stage, times: int) -> None:
    await stage.front.until(lambda: [name for name, _ in stage.front.calls].count("decisions") == times)


@pytest.mark.parametrize("refusal", [Unreachable("gone"), FloodWait(4.0)])
async def test_p11_reactions_that_cannot_be_read_now_are_read_later_and_stop_nothing(
    stage: Stage, refusal: Exception
) -> None:
    watching = asyncio.create_task(stage.reception.decisions.run(stage.reception.press))
    stage.front.refuse("decisions", refusal)
    number = await Asked(stage).put(DEV)
    await read_so_often(stage, 1)
    stage.front.decided = [reacted(stage, DEV, OLGA, "/approve", number)]
    await Asked(stage).put(DEV)
    await read_so_often(stage, 2)
    await stage.clock.until_asleep()
    stage.clock.advance(5)
    await stage.front.until(lambda: any("goes on" in text for text in stage.front.texts("-20")))
    watching.cancel()
    assert [row.text for row in await stage.rows("messages")] == ["/approve 1?1"]


async def test_p11_reactions_refused_for_the_moment_at_a_catch_up_are_read_later(stage: Stage) -> None:
    number = await Asked(stage).put(DEV)
    watching = asyncio.create_task(stage.reception.decisions.run(stage.reception.press))
    stage.front.refuse("decisions", FloodWait(4.0), FloodWait(4.0))
    stage.front.decided = [reacted(stage, DEV, OLGA, "/approve", number)]
    await stage.reception.catch_up(stage.front.name)
    await read_so_often(stage, 2)
    await stage.clock.until_asleep()
    stage.clock.advance(5)
    await stage.front.until(lambda: any("goes on" in text for text in stage.front.texts("-20")))
    watching.cancel()
    assert [row.text for row in await stage.rows("messages")] == ["/approve 1?1"]
