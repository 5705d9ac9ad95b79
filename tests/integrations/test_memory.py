"""The test double behaves as Telegram does, or the tests that use it say nothing."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from core.clock import FakeClock
from core.errors import AlreadySent, FloodWait, Undeliverable, Unreachable
from core.message import Chat, ChatKind, Part, Person
from integrations.memory import OWN, MemoryFront

ANNA = Person(1, "anna", "Anna")
DM = Chat("account:100", "1")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def front(clock: FakeClock) -> MemoryFront:
    return MemoryFront(clock)


async def test_a_random_id_is_taken_once_until_it_is_forgotten(front: MemoryFront) -> None:
    part = Part(DM, "hi", reply_to=1, random_id=5)
    front.say("1", ANNA, "hello")
    assert await front.send(part) == 2
    with pytest.raises(AlreadySent):
        await front.send(part)
    front.forget_keys()
    assert await front.send(part) == 3
    assert front.texts("1") == ["hi", "hi"]


async def test_what_is_refused_did_not_happen_and_what_is_lost_did(front: MemoryFront) -> None:
    front.refuse("send", FloodWait(3), Unreachable("gone"))
    for error in (FloodWait, Unreachable):
        with pytest.raises(error):
            await front.send(Part(DM, "no"))
    front.lose_answers("send")
    with pytest.raises(Unreachable):
        await front.send(Part(DM, "yes"))
    front.refuse("send", FloodWait(3))
    front.lose_answers("send", 9)
    front.recover()
    await front.send(Part(DM, "again"))
    assert front.texts("1") == ["yes", "again"]


@pytest.mark.parametrize("text", ["", " \n", "x" * 4097, "😀" * 2049])
async def test_what_telegram_does_not_take_is_refused(front: MemoryFront, text: str) -> None:
    with pytest.raises(Undeliverable):
        await front.send(Part(DM, text))


async def test_edits_reactions_and_deletions(front: MemoryFront) -> None:
    number = await front.send(Part(DM, "hi"))
    await front.edit(DM, number, "ho", ())
    await front.react(DM, number, "👍")
    await front.mark_read(DM, number)
    await front.show_typing(DM)
    assert (front.line(DM, number).text, front.line(DM, number).reaction) == ("ho", "👍")
    await front.delete(DM, [number])
    with pytest.raises(Undeliverable):
        await front.edit(DM, number, "hu", ())
    assert await front.send(Part(DM, "next")) == number + 1


async def test_history_comes_in_pages_after_a_message_and_a_moment(front: MemoryFront, clock: FakeClock) -> None:
    front.page = 2
    begin = clock.now()
    for number in range(5):
        front.say("1", ANNA, f"{number}")
        clock.advance(10)
    pages = [[message.text for message in page] async for page in front.history(DM, 1, begin + timedelta(seconds=20))]
    assert pages == [["2", "3"], ["4"]]


async def test_the_look_sees_own_messages_only(front: MemoryFront) -> None:
    asked = front.say("1", ANNA, "hello")
    number = await front.send(Part(DM, "hi", reply_to=asked.id))
    seen = await front.sent_after(DM, 0)
    assert [(sent.id, sent.text, sent.reply_to) for sent in seen] == [(number, "hi", 1)]
    assert await front.sent_after(DM, number) == []


async def test_people_write_and_edit_and_dialogs_know_their_names(front: MemoryFront, clock: FakeClock) -> None:
    message = front.say("-5", ANNA, "@valor_ai hello")
    clock.advance(1)
    changed = front.change(message, "bye")
    front.meet("1", ChatKind.DM)
    front.say("1", ANNA, "hi")
    assert (message.kind, message.mentions, message.edited_at) == (ChatKind.GROUP, {"valor_ai"}, None)
    assert (changed.text, changed.edited_at) == ("bye", clock.now())
    assert [(one.chat.key, one.usernames, one.last_message) for one in await front.dialogs()] == [
        ("-5", (), 1),
        ("1", ("anna",), 2),
    ]


async def test_calls_can_be_held_and_waited_for(front: MemoryFront) -> None:
    release = front.hold("send")
    assert front.hold("send") is release
    sending = asyncio.create_task(front.send(Part(DM, "hi")))
    await front.until(lambda: front.calls == [("send", "hi")])
    assert front.texts("1") == []
    release.set()
    await sending
    with pytest.raises(TimeoutError):
        await front.until(lambda: False, 0.01)


async def test_the_service_outlives_the_process(clock: FakeClock, tmp_path: Path) -> None:
    path, points = tmp_path / "service", list[str]()
    first = MemoryFront(clock, path, points.append)
    asked = first.say("1", ANNA, "hello")
    first.change(asked, "hallo @x")
    await first.send(Part(DM, "hi", reply_to=1, random_id=7))
    second = MemoryFront(clock, path)
    assert second.lines == first.lines
    assert second.lines[1].sender == OWN
    with pytest.raises(AlreadySent):
        await second.send(Part(DM, "hi", random_id=7))
    assert points == ["front.send"]
