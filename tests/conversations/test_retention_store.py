"""Forgetting what a chat said never makes it new again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Connection

from conversations import retention_store
from conversations.retention_store import Page
from tests.conversations.stage import DM, OLGA, Stage

WALKS: tuple[Callable[[Connection, Page], int | None], ...] = (
    retention_store.forget_deliveries,
    retention_store.forget_turns,
    retention_store.forget_messages,
)


async def forget(stage: Stage, days: int = 90) -> None:
    before = stage.clock.now() - timedelta(days=days)
    for step in WALKS:
        after: int | None = 0
        while after is not None:
            page = Page(after, before, 1)
            after = await stage.database.write(
                "forget", lambda connection, page=page, step=step: step(connection, page)
            )


async def test_p12_a_forgotten_message_is_not_answered_again(stage: Stage) -> None:
    message = await stage.say(DM, OLGA, "hello")
    await stage.reception.receive(message)
    await stage.quiet()
    stage.clock.advance(91 * 86_400)
    await forget(stage)
    assert await stage.rows("messages") == await stage.rows("turns") == await stage.rows("deliveries") == []
    await stage.reception.receive(message)
    await stage.quiet()
    assert len(stage.agent.asked) == 1
    assert len(stage.front.texts(DM.key)) == 1


async def test_p12_what_is_not_told_yet_is_not_forgotten(stage: Stage) -> None:
    message = await stage.say(DM, OLGA, "hello")
    await stage.reception.receive(message)
    await stage.quiet()
    await stage.put("deliveries", status="ready", not_before=stage.clock.now() + timedelta(days=999))
    stage.clock.advance(91 * 86_400)
    await forget(stage)
    assert [len(await stage.rows(table)) for table in ("messages", "turns", "deliveries")] == [1, 1, 1]
