from __future__ import annotations

from datetime import UTC, datetime

from core.message import Chat, Part
from integrations.local import LocalFront

PAGE = Chat("local", "page")
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


async def test_s6_numbers_grow_and_never_repeat() -> None:
    front = LocalFront()
    numbers = [await front.send(Part(PAGE, "hi")) for _ in range(100)]
    assert numbers == sorted(set(numbers))
    assert LocalFront().next_number() > 1_700_000_000_000_000


async def test_s6_what_is_sent_is_in_the_ledger_already() -> None:
    front = LocalFront()
    number = await front.send(Part(PAGE, "hi"))
    await front.edit(PAGE, number, "ho", ())
    await front.react(PAGE, number, "👍")
    await front.mark_read(PAGE, number)
    await front.show_typing(PAGE)
    assert await front.sent_after(PAGE, 0) == await front.dialogs() == []
    assert [page async for page in front.history(PAGE, 0, LONG_AGO)] == []


async def test_b9_the_own_chat_returns_what_was_sent_to_it() -> None:
    front = LocalFront()
    number = await front.send(Part(front.own_chat, "nonce"))
    pages = [page async for page in front.history(front.own_chat, number - 1, LONG_AGO)]
    assert [(message.id, message.text, message.outgoing) for page in pages for message in page] == [
        (number, "nonce", True)
    ]
    assert [page async for page in front.history(front.own_chat, number, LONG_AGO)] == []
    await front.delete(front.own_chat, [number])
    assert [page async for page in front.history(front.own_chat, 0, LONG_AGO)] == []
