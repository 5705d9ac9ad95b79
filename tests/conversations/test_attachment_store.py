"""What messages carry: rows of their own, in the chat's past, and albums that belong together."""

from __future__ import annotations

from dataclasses import replace

from conversations import attachment_store
from conversations.attachment_store import Found
from conversations.inbox import ALBUM
from core.access import Reason
from core.attachment import Attachment, Kind
from integrations.memory import Carried
from tests.conversations.stage import DM, MAX, OLGA, TEAM, Stage

PHOTO = Attachment(Kind.PHOTO, "image/jpeg", 90_000, reference="photo/1/y")
VOICE = Attachment(Kind.VOICE, "audio/ogg", 9_000, seconds=3, reference="document/2/")
CONTRACT = Attachment(Kind.DOCUMENT, "application/pdf", 50_000, "contract.pdf", reference="document/3/")


def album(*carried: Attachment, number: int = 7) -> Carried:
    return Carried(carried, number)


async def test_b11_what_a_message_carries_is_committed_with_it(stage: Stage) -> None:
    await stage.say(DM, OLGA, "look", carried=Carried((PHOTO,)))
    (row,) = await stage.rows("attachments")
    assert (row.kind, row.mime, row.size, row.reference, row.state) == (
        "photo",
        "image/jpeg",
        90_000,
        "photo/1/y",
        "new",
    )


async def test_b11_the_past_of_a_chat_says_what_was_in_it(stage: Stage) -> None:
    await stage.say(TEAM, MAX, "", carried=Carried((VOICE,)))
    await stage.say(TEAM, MAX, "sign here", carried=Carried((CONTRACT,)))
    (voice, _) = await stage.rows("attachments")
    await stage.database.write("note", lambda c: attachment_store.note(c, voice.id, Found("Hello there")))
    await stage.say(TEAM, OLGA, "@valor_ai what was that?")
    await stage.quiet()
    assert stage.agent.asked[-1][1].startswith(
        "Earlier in this chat:\n> Max: [voice message, 0:03, 9 KB] Hello there\n"
        "> Max: [document contract.pdf, 50 KB] sign here\n"
    )
    assert [said.text for said in await stage.history.search(TEAM, "hello")] == [
        "[voice message, 0:03, 9 KB] Hello there"
    ]
    assert [said.message_id for said in await stage.history.search(TEAM, "contract sign")] == [2]


async def test_b11_an_edit_replaces_what_is_carried_only_when_it_is_another(stage: Stage) -> None:
    message = await stage.say(TEAM, MAX, "see", carried=Carried((PHOTO,)))
    (first,) = await stage.rows("attachments")
    await stage.edit(message, "see this")
    assert [row.id for row in await stage.rows("attachments")] == [first.id]
    other = replace(message, text="see that", edited_at=stage.clock.now(), attachments=(CONTRACT,))
    stage.clock.advance(1)
    await stage.reception.receive(replace(other, edited_at=stage.clock.now()))
    assert [row.name for row in await stage.rows("attachments")] == ["contract.pdf"]


async def test_b11_the_rest_of_an_album_belongs_to_the_message_that_mentions_us(stage: Stage) -> None:
    with stage.agent.holding() as release:
        first = await stage.say(TEAM, MAX, "", carried=album(PHOTO))
        asked = await stage.say(TEAM, MAX, "@valor_ai which is better?", carried=album(PHOTO))
        last = await stage.say(TEAM, MAX, "", carried=album(CONTRACT))
        other = await stage.say(TEAM, OLGA, "", carried=album(PHOTO, number=8))
        strange = await stage.say(TEAM, OLGA, "", carried=album(PHOTO))
        release.set()
        await stage.quiet()
    rows = {row.message_id: row for row in await stage.rows("messages")}
    assert [rows[one.id].reason for one in (first, asked, last, other, strange)] == [
        Reason.NO_MENTION,
        Reason.MENTION,
        ALBUM,
        Reason.NO_MENTION,
        Reason.NO_MENTION,
    ]
    turn = stage.agent.asked[-1][0]
    assert [one.message_id for one in turn.asked] == [asked.id, last.id]
    stored = await stage.database.read(lambda connection: attachment_store.of_turn(connection, turn))
    assert [one.message_id for one in stored][:3] == [first.id, asked.id, last.id]


async def test_b11_a_late_part_of_an_album_is_context(stage: Stage) -> None:
    await stage.say(TEAM, MAX, "@valor_ai which?", carried=album(PHOTO))
    await stage.quiet()
    late = await stage.say(TEAM, MAX, "", carried=album(PHOTO))
    await stage.quiet()
    assert ((await stage.row_of(late)).reason, len(stage.agent.asked)) == (Reason.NO_MENTION, 1)


async def test_p12_attachments_go_with_their_message(stage: Stage) -> None:
    await stage.say(TEAM, MAX, "", carried=album(PHOTO))
    assert await stage.database.read(lambda c: attachment_store.known_ids(c, [1, 2])) == {1}
    await stage.database.write("forget", lambda c: c.exec_driver_sql("DELETE FROM messages"))
    assert await stage.rows("attachments") == []
