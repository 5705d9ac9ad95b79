from __future__ import annotations

from conversations.alerts import Alerts
from tests.conversations.stage import DM, OLGA, Stage


async def test_a6_the_owner_is_told_in_his_own_chat_and_not_twice_in_a_minute(stage: Stage) -> None:
    alerts = Alerts(stage.database, stage.clock, stage.outbox, lambda: stage.config)
    await alerts.tell_owner("Nobody hears this.")
    await stage.say(DM, OLGA, "hello")
    await stage.quiet()
    for seconds in (0, 30, 31):
        stage.clock.advance(seconds)
        await alerts.tell_owner("The disk is full.")
    await stage.quiet()
    assert stage.front.texts("1") == ["re: hello", "The disk is full.", "The disk is full."]
