from __future__ import annotations

from conversations.reception import Reception
from tests.conversations.stage import DM, OLGA, TEAM, Stage


async def test_b2_the_row_is_committed_before_anything_is_shown(stage: Stage) -> None:
    assert isinstance(stage.reception, Reception)
    release = stage.front.hold("react")
    message = await stage.say(DM, OLGA, "hello")
    await stage.front.until(lambda: ("react", f"{message.id}👀") in stage.front.calls)
    assert (await stage.row_of(message)).answer
    release.set()
    await stage.quiet()


async def test_b1_who_hands_a_message_in_learns_what_became_of_it(stage: Stage) -> None:
    receipt = await stage.reception.take(stage.front.say("-10", OLGA, "hello"))
    assert (receipt.is_new, receipt.turn_id, receipt.reason) == (False, None, "no mention")
    receipt = await stage.reception.take(stage.front.say(TEAM.key, OLGA, "@valor_ai hello"))
    assert (receipt.is_new, receipt.turn_id, receipt.reason) == (True, 1, "mention")
