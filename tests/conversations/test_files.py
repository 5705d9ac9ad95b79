"""Files that agents send: owed once, sent once, gone from here when their chat has them; attachments read on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conversations import attachment_store, file_store
from conversations.attachment_store import Found
from conversations.delivery import Draft
from conversations.delivery_store import owed_in
from conversations.enclosures import GONE
from core.attachment import Attachment, File, Kind
from core.errors import RequestError, Undeliverable, Unknown, Unreachable
from core.message import Chat, Part
from core.protocols import Asker, Call
from core.workspaces import Role
from integrations.local import LocalFront
from integrations.memory import Carried
from tests.conversations.stage import DM, FRONT, OLGA, TEAM, Stage
from tests.conversations.test_delivery import PARAGRAPHS
from tests.world.content import PNG

CHART = File("chart.png", "image/png", PNG)
ASKER = Asker(DM, 1, OLGA.id, OLGA.name, Role.OWNER, "Team")
CALL = Call("run_1", "call_1")


async def pass_by(stage: Stage) -> None:
    """A second goes by once somebody waits for it."""
    await stage.clock.until_asleep()
    stage.clock.advance(1)


def kept(stage: Stage) -> list[str]:
    folder = stage.folder / "media" / "out"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


async def test_b11_a_file_arrives_once_with_its_caption_and_leaves_no_copy(stage: Stage) -> None:
    message = await stage.say(DM, OLGA, "draw")
    await stage.quiet()
    for _ in range(2):  # the tool was interrupted, and is called again
        await stage.files.send(CHART, "The *chart*.", replace(ASKER, message_id=message.id), CALL)
    await stage.quiet()
    sent = stage.front.told("1")[-1]
    assert (sent.text, sent.file, sent.reply_to) == ("The chart.", "chart.png", message.id)
    assert stage.front.files == {sent.id: CHART}
    assert kept(stage) == []
    assert (await stage.rows("deliveries", kind="file"))[0].message_id == sent.id


async def test_b11_several_files_of_a_turn_arrive_in_order_and_count_for_its_sign(stage: Stage) -> None:
    async def script(turn: object, gate: object) -> str:
        for number in range(3):
            file = File(f"{number}.txt", "text/plain", b"x")
            await stage.files.send(file, "", ASKER, Call("run_1", f"call_{number}", turn_id=1))
        return "There they are."

    stage.agent.script = script
    message = await stage.say(DM, OLGA, "three files")
    await stage.quiet()
    assert [line.file or line.text for line in stage.front.told("1")] == ["0.txt", "1.txt", "2.txt", "There they are."]
    assert [row.part for row in await stage.rows("deliveries", kind="file")] == [0, 1, 2]
    assert stage.front.line(DM, message.id).reaction == "👍"


async def test_b11_a_send_whose_answer_is_lost_is_looked_for_by_name(stage: Stage) -> None:
    stage.front.lose_answers("send", 2)
    for name in ("a.txt", "b.txt"):
        await stage.files.send(File(name, "text/plain", b"x"), "", ASKER, Call("run_1", name))
    for _ in range(2):
        await pass_by(stage)
        await stage.front.until(lambda: len(stage.front.told("1")) == 2)
    await stage.quiet()
    assert [line.file for line in stage.front.told("1")] == ["a.txt", "b.txt"]
    assert {row.status for row in await stage.rows("deliveries")} == {"sent"}


async def test_b11_a_text_is_not_taken_for_a_file_nor_a_file_for_a_text(stage: Stage) -> None:
    """Each was sent by a process that died before it knew; the rows are looked for in the order of writing."""
    stage.front.refuse("send", Unreachable("down"))
    await stage.files.send(CHART, "same", ASKER, CALL)
    await stage.owe(Draft(DM, "notice", "same", reply_to=1))
    await stage.front.until(lambda: ("send", "same") in stage.front.calls)
    await stage.die()
    following = stage.again()
    file = await stage.front.send((await owed(following))[0])
    await following.open()
    await pass_by(following)
    await following.quiet()
    assert [(line.id, line.file) for line in stage.front.told("1")] == [(file, "chart.png"), (file + 1, None)]
    await following.close()


async def owed(stage: Stage) -> list[Part]:
    rows = await stage.database.read(lambda connection: owed_in(connection, DM))
    return [replace(row.part, file=await stage.outbox_doors.enclosures.load(row)) for row in rows]


async def test_b11_a_file_that_is_gone_is_a_dead_letter(stage: Stage) -> None:
    stage.front.refuse("send", Unreachable("down"))
    await stage.files.send(CHART, "", ASKER, CALL)
    await stage.front.until(lambda: ("send", "") in stage.front.calls)
    for name in kept(stage):
        (stage.folder / "media" / "out" / name).unlink()
    await pass_by(stage)
    await stage.quiet()
    (row,) = await stage.rows("deliveries")
    assert (row.status, row.error) == ("dead", GONE)


async def test_b4_a_long_answer_comes_as_its_beginning_and_a_file(stage: Stage) -> None:
    async def script(turn: object, gate: object) -> str:
        return PARAGRAPHS

    stage.agent.script = script
    message = await stage.say(DM, OLGA, "everything")
    await stage.quiet()
    beginning, file = stage.front.told("1")
    assert "the full text is in the file.]" in beginning.text
    assert stage.front.files[file.id] == File("answer.md", "text/markdown", PARAGRAPHS.encode())
    assert {line.reply_to for line in (beginning, file)} == {message.id}
    await stage.say(DM, OLGA, "and then?")
    await stage.quiet()
    assert "> Valor: [file answer.md]" in stage.agent.asked[-1][1]


async def test_b11_the_local_page_shows_a_files_name(stage: Stage) -> None:
    stage.attach(LocalFront())
    await stage.files.send(CHART, "", replace(ASKER, chat=Chat("local", "page")), CALL)
    await stage.quiet()
    assert [row.text for row in await stage.rows("deliveries")] == [f"[file chart.png, {len(PNG)} bytes]"]


async def test_p12_what_was_sent_is_forgotten_with_its_delivery(stage: Stage) -> None:
    stage.front.refuse("send", Undeliverable("Not allowed."))
    await stage.files.send(CHART, "", ASKER, CALL)
    await stage.quiet()
    needed = await stage.database.read(file_store.needed_keys)
    assert sorted(needed) == kept(stage)  # a dead letter can be tried again
    await stage.database.write("sent", lambda c: c.exec_driver_sql("UPDATE deliveries SET status = 'sent'"))
    assert await stage.database.read(file_store.needed_keys) == set()
    await stage.database.write("forget", lambda connection: file_store.forget(connection, [1]))
    assert await stage.rows("files") == []


async def test_b11_an_attachment_can_be_read_on_and_taken_out_where_it_was_sent(stage: Stage) -> None:
    stage.front.contents["document/1/"] = b"all of it"
    stage.senses.said[b"all of it"] = "all of it, read"
    carried = Carried((Attachment(Kind.DOCUMENT, "text/plain", 9, "a.txt", reference="document/1/"),))
    await stage.say(TEAM, OLGA, "@valor_ai read", carried=carried)
    await stage.quiet()
    here = replace(ASKER, chat=TEAM)
    assert await stage.files.read(1, here) == "all of it, read"
    assert await stage.files.open(1, here) == File("a.txt", "text/plain", b"all of it")
    for elsewhere in (replace(here, chat=Chat(FRONT, "-20")), replace(here, workspace="Dev")):
        with pytest.raises(Unknown, match="no attachment 1 in this chat"):
            await stage.files.read(1, elsewhere)
    (stage.folder / "media" / "in" / "1").unlink()
    with pytest.raises(RequestError, match="can be sent again"):
        await stage.files.open(1, here)
    await stage.database.write("note", lambda c: attachment_store.note(c, 1, Found(problem="It is damaged.")))
    with pytest.raises(RequestError, match="says nothing: It is damaged"):
        await stage.files.read(1, here)
