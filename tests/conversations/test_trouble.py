"""What keeps us from telling something is told to the owner, on a way that works."""

from __future__ import annotations

from conversations.delivery import Draft
from core.errors import Closed, SlowMode
from core.message import PAGE
from tests.conversations.stage import DEV, DM, OLGA, Stage
from tests.conversations.test_outbox import waiting

SHUT = Closed("The account may not write in this chat.")


async def told(stage: Stage) -> list[str]:
    return [row.text for row in await stage.rows("deliveries", chat_id=PAGE.key)]


async def test_a_closed_chat_is_told_to_the_owner_once_a_day_and_kept_as_dead_letters(stage: Stage) -> None:
    await stage.say(DM, OLGA, "hello")
    await stage.quiet()
    for hours in (0, 1, 24):
        stage.clock.advance(hours * 3600)
        stage.front.refuse("send", SHUT)
        await stage.owe(Draft(DEV, "notice", f"news of hour {hours}"))
        await stage.quiet()
        await stage.quiet()
    sentence = "I cannot write in chat -20: The account may not write in this chat. What I owe it stays a dead letter."
    assert stage.front.texts("1") == ["re: hello", sentence, sentence]
    assert [row.status for row in await stage.rows("deliveries", chat_id="-20")] == ["dead"] * 3


async def test_an_owner_who_has_blocked_us_reads_it_on_the_page(stage: Stage) -> None:
    await stage.say(DM, OLGA, "hello")
    await stage.quiet()
    stage.front.refuse("send", Closed("The person has blocked the account."))
    await stage.owe(Draft(DM, "notice", "news"))
    await stage.quiet()
    assert len(await told(stage)) == 1


async def test_slow_mode_is_waited_for_and_told_once(stage: Stage) -> None:
    stage.front.refuse("send", *[SlowMode(30)] * 3)
    await stage.owe(Draft(DEV, "notice", "news"))
    for _ in range(3):
        await waiting(stage, 30)
        stage.clock.advance(30)
    await stage.quiet()
    assert stage.front.texts("-20") == ["news"]
    assert [text.partition(",")[0] for text in await told(stage)] == ["Chat -20 is in slow mode"]
