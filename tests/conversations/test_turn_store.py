from __future__ import annotations

from sqlalchemy import Connection

from conversations import turn_store
from conversations.turn import Ending, Turn
from core.database import Work
from tests.conversations.stage import DEV, DM, GUS, MAX, OLGA, Stage


async def test_b5_of_two_who_claim_one_begins_and_the_epoch_fences_the_other(stage: Stage) -> None:
    await stage.inbox.receive(stage.front.say("1", OLGA, "hello"))
    now = stage.clock.now()
    first = await stage.database.write("a", lambda connection: turn_store.claim(connection, DM, "a", now))
    assert first is not None
    assert await stage.database.write("b", lambda connection: turn_store.claim(connection, DM, "b", now)) is None
    assert await stage.database.read(turn_store.count_unfinished) == {"running": 1}
    assert [one.id for one in await stage.database.read(lambda c: turn_store.interrupted(c, "b"))] == [first.id]
    await stage.database.write("reopen", lambda connection: turn_store.reopen(connection, first))
    second = await stage.database.write("b", lambda connection: turn_store.claim(connection, DM, "b", now))
    assert second is not None
    ending = Ending("done", "late")
    late: list[Work[bool]] = [
        lambda c: turn_store.close(c, first, ending, now),
        lambda c: turn_store.seal(c, first),
        lambda c: turn_store.renew(c, first) is not None,
    ]
    for fenced in late:
        assert not await stage.database.write("fenced", fenced)
    assert not await stage.database.read(lambda c: turn_store.is_ended(c, second.id))
    assert await stage.database.write("end", lambda connection: turn_store.close(connection, second, ending, now))
    assert await stage.database.read(lambda c: turn_store.is_ended(c, second.id))
    assert await stage.database.write("b", lambda c: turn_store.renew(c, second)) is None
    await stage.database.write("b", lambda c: turn_store.run_again(c, DM, is_death=False))
    assert [row.status for row in await stage.rows("turns")] == ["done"]


async def test_b5_a_chat_has_one_turn_at_a_time_the_oldest_first(stage: Stage) -> None:
    for sender in (OLGA, MAX, GUS):
        await stage.inbox.receive(stage.front.say(DEV.key, sender, "hello"))
    now = stage.clock.now()

    def claim_two(connection: Connection) -> tuple[Turn | None, Turn | None]:
        return turn_store.claim(connection, DEV, "a", now), turn_store.claim(connection, DEV, "a", now)

    first, second = await stage.database.write("claim", claim_two)
    assert first is not None
    assert first == await stage.database.read(lambda connection: turn_store.find(connection, 1))
    assert (first.epoch, first.attempts, second) == (1, 1, None)
    assert [row.status for row in await stage.rows("turns")] == ["running", "open", "open"]
    assert await stage.database.read(lambda connection: turn_store.has_next(connection, DEV))
    assert not await stage.database.read(lambda connection: turn_store.has_next(connection, DM))
