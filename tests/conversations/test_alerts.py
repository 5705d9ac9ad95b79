from __future__ import annotations

import asyncio

import pytest

from conversations.alert_store import NOTICE, hand_on
from conversations.delivery import Draft
from conversations.delivery_store import begin_send, bury, owed_in, postpone
from core.errors import FloodWait
from core.message import PAGE
from integrations.memory import MemoryFront
from tests.conversations.bot import become_bot
from tests.conversations.stage import DEV, DM, OLGA, Stage
from tests.conversations.test_outbox import waiting

LOST = "Telegram has ended the session."


async def test_a6_the_owner_is_told_in_his_own_chat_and_not_twice_in_a_minute(stage: Stage) -> None:
    await stage.alerts.tell_owner("Nobody hears this.")
    await stage.say(DM, OLGA, "hello")
    await stage.quiet()
    for seconds in (0, 30, 31):
        stage.clock.advance(seconds)
        await stage.alerts.tell_owner("The disk is full.")
    await stage.quiet()
    assert stage.front.texts("1") == ["re: hello", "The disk is full.", "The disk is full."]


async def test_b12_a_lost_front_is_told_on_the_page_where_the_owner_has_no_other(stage: Stage) -> None:
    await stage.say(DM, OLGA, "hello")
    await stage.quiet()
    await stage.alerts.front_lost("account", LOST)
    await stage.quiet()
    assert LOST not in stage.front.texts("1")
    assert [row.text for row in await stage.rows("deliveries", chat_id=PAGE.key)] == [LOST]


class TestBoth:
    """The owner has written to the bot, and then to the account."""

    @pytest.fixture
    async def bot(self, stage: Stage) -> MemoryFront:
        bot = MemoryFront(stage.clock)
        become_bot(bot)
        stage.attach(bot)
        for front in (bot, stage.front):
            await stage.reception.receive(front.say("1", OLGA, "hello"))
            await stage.quiet()
        return bot

    async def test_b12_while_a_front_is_lost_the_owner_is_told_everything_by_the_other(
        self, stage: Stage, bot: MemoryFront
    ) -> None:
        await stage.alerts.front_lost("account", LOST)
        await stage.alerts.tell_owner("The disk is full.")
        await stage.quiet()
        assert bot.texts("1")[1:] == [LOST, "The disk is full."]
        stage.alerts.front_works("account")
        await stage.alerts.tell_owner("It has room again.")
        await stage.quiet()
        assert stage.front.texts("1")[1:] == ["It has room again."]
        assert len(bot.texts("1")) == 3

    async def test_b12_what_the_owner_was_to_be_told_by_a_lost_front_goes_to_the_other(
        self, stage: Stage, bot: MemoryFront
    ) -> None:
        """It is told once, though its sender was at it; what people are owed waits for its own chat."""
        stage.front.refuse("send", FloodWait(30))
        await stage.alerts.tell_owner("The disk is full.")
        await waiting(stage, 30)
        stage.front.refuse("send", FloodWait(60))
        await stage.owe(Draft(DEV, "notice", "news"))
        await waiting(stage, 60)
        await stage.alerts.front_lost("account", LOST)
        await bot.until(lambda: len(bot.texts("1")) == 3)
        assert bot.texts("1")[1:] == ["The disk is full.", LOST]
        stage.clock.advance(60)
        await stage.quiet()
        assert (stage.front.texts("1"), stage.front.texts("-20")) == (["re: hello"], ["news"])

    async def lose_the_account_that_sends(self, stage: Stage, bot: MemoryFront) -> asyncio.Event:
        """Its send goes on when the event is set; the bot, which is handed the alert, has to wait for half a minute."""
        bot.refuse("send", FloodWait(30))
        release = stage.front.hold("send")
        await stage.alerts.tell_owner("The disk is full.")
        await stage.front.until(lambda: ("send", "The disk is full.") in stage.front.calls)
        await stage.alerts.front_lost("account", LOST)
        await waiting(stage, 30)
        return release

    async def test_b12_what_arrives_while_its_front_is_lost_is_told_once(self, stage: Stage, bot: MemoryFront) -> None:
        """A person's direct chat has the same key on either front, and its messages may have the same numbers."""
        release = await self.lose_the_account_that_sends(stage, bot)
        release.set()
        await asyncio.wait([stage.outbox._senders[DM]])
        stage.clock.advance(30)
        await stage.quiet()
        assert (stage.front.texts("1")[1:], bot.texts("1")[1:]) == (["The disk is full."], [LOST])
        assert {row.status for row in await stage.rows("deliveries")} == {"sent"}

    async def test_b12_what_a_lost_front_is_to_wait_for_keeps_the_other_from_nothing(
        self, stage: Stage, bot: MemoryFront
    ) -> None:
        release = await self.lose_the_account_that_sends(stage, bot)
        stage.front.refuse("send", FloodWait(500))
        release.set()
        await asyncio.wait([stage.outbox._senders[DM]])
        stage.clock.advance(30)
        await bot.until(lambda: len(bot.texts("1")) == 3)
        assert bot.texts("1")[1:] == ["The disk is full.", LOST]

    async def test_b12_a_sender_changes_nothing_of_what_another_front_is_to_tell(
        self, stage: Stage, bot: MemoryFront
    ) -> None:
        stage.front.refuse("send", FloodWait(30))
        await stage.owe(Draft(DM, NOTICE, "The disk is full."))
        await waiting(stage, 30)
        (owed,) = await stage.database.read(lambda connection: owed_in(connection, DM))
        stage.silence.begin("account")
        await stage.database.write("hand-on", lambda connection: hand_on(connection, stage.moves.config))
        handed_on = await stage.rows("deliveries", status="ready")
        assert await stage.database.write("begin", lambda connection: begin_send(connection, owed)) is None
        await stage.database.write("postpone", lambda connection: postpone(connection, owed, None, "later"))
        await stage.database.write("bury", lambda connection: bury(connection, owed, "gone"))
        assert await stage.rows("deliveries", status="ready") == handed_on
        assert [row.front for row in handed_on] == [bot.name]
