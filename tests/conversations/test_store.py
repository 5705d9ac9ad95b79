from __future__ import annotations

from sqlalchemy import Connection

from conversations import chat_store, store
from core.message import ChatKind
from tests.conversations.stage import DM, OLGA, TEAM, Stage


async def test_a8_why_is_told_by_each_front_that_stored_the_message(stage: Stage) -> None:
    message = await stage.say(TEAM, OLGA, "hello")
    found = await stage.database.read(lambda connection: store.why(connection, "-10", message.id))
    assert [(why.chat, why.sender, why.answer, why.reason, why.turn_status) for why in found] == [
        (TEAM, "Olga", False, "no mention", None)
    ]
    assert await stage.database.read(lambda connection: store.why(connection, "-10", 99)) == []


async def test_b8_a_mark_never_goes_back_and_an_admission_keeps_its_first_moment(stage: Stage) -> None:
    now = stage.clock.now()

    def work(connection: Connection) -> tuple[int, object, object]:
        for _ in range(2):
            chat_store.add_chat(connection, DM, ChatKind.DM, "", now)
        for mark in (5, 3):
            chat_store.set_mark(connection, DM, mark)
        chat_store.admit_since(connection, [], now)
        found = chat_store.find_chat(connection, DM)
        assert found is not None
        return (
            found.mark,
            chat_store.since_of(connection, ["user:olga"]),
            chat_store.since_of(connection, ["user:other"]),
        )

    stage.clock.advance(60)
    await stage.inbox.note_configuration()
    assert await stage.database.write("work", work) == (5, now, None)


async def test_b7_the_lines_of_a_chat_are_both_sides_in_order(stage: Stage) -> None:
    for text in ("one", "two"):
        await stage.say(DM, OLGA, text)
        await stage.quiet()
    said = await stage.database.read(lambda connection: store.recent(connection, DM, 1 << 62, 3))
    assert [(one.sender, one.text) for one in said] == [("Valor", "re: one"), ("Olga", "two"), ("Valor", "re: two")]
