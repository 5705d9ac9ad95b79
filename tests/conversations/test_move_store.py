from __future__ import annotations

from conversations import move_store
from core.message import ChatKind
from tests.conversations.stage import DEV, OLGA, Stage


async def test_a_move_is_noted_once_and_in_one_direction(stage: Stage) -> None:
    now = stage.clock.now()

    async def note(former: str, key: str) -> bool:
        return await stage.database.write("note", lambda connection: move_store.note(connection, former, key, now))

    assert await note("-20", "-1005")
    assert not await note("-20", "-1005")
    assert not await note("-20", "-1006")
    assert not await note("-21", "-1005")
    assert await stage.database.read(move_store.all_moves) == {"-1005": "-20"}
    assert await stage.database.read(lambda connection: move_store.destination_of(connection, "-20")) == "-1005"


async def test_a6_a_stopped_group_stays_stopped_as_a_supergroup(stage: Stage) -> None:
    await stage.say(DEV, OLGA, "hello")
    await stage.quiet()
    await stage.put("chats", stopped_reason="too many", stopped_at=stage.clock.now(), mark=7)
    for _ in range(2):  # also where the supergroup has been heard of already
        await stage.database.write("carry", lambda connection: move_store.carry_over(connection, "-20", "-1005"))
    carried = await stage.rows("chats", chat_id="-1005")
    assert [(row.kind, row.stopped_reason, row.mark) for row in carried] == [(ChatKind.GROUP, "too many", 0)]


async def test_a_running_turn_stays_where_the_supergroup_is_being_answered(stage: Stage) -> None:
    with stage.agent.holding():
        await stage.say(DEV, OLGA, "one")
        await stage.agent.next_begun()
        for chat in ("-1005", "-20"):
            await stage.database.write("carry", lambda connection: move_store.carry_over(connection, "-20", "-1005"))
            await stage.say(DEV, OLGA, f"two {chat}")
        assert {row.chat_id for row in await stage.rows("turns", status="running")} >= {"-1005"}
