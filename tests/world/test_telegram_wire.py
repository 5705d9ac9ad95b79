# pyright: basic, reportArgumentType=false
"""The played Telegram keeps Telegram's rules: shown with real Telethon clients."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from telethon import errors, events
from telethon.sessions import MemorySession, SQLiteSession
from telethon.tl import functions as fn
from telethon.tl import types as tl

from tests.world.telegram import Person, Player, TelegramWorld
from tests.world.telegram.client import connect_client


@pytest.fixture
def ben(world: TelegramWorld) -> Person:
    return world.person("Ben", "benny")


def history(peer: Any, **wanted: Any) -> fn.messages.GetHistoryRequest:
    window = {"offset_id": 0, "offset_date": None, "add_offset": 0, "limit": 100, "max_id": 0, "min_id": 0, "hash": 0}
    return fn.messages.GetHistoryRequest(peer, **window | wanted)


def sent_once(player: Player, request: Any) -> asyncio.Future[Any]:
    """Send a request without Telethon's own repeats."""
    sender: Any = player.client._sender
    return sender.send(request)


def sending(peer: Any, text: str, random_id: int, **more: Any) -> fn.messages.SendMessageRequest:
    return fn.messages.SendMessageRequest(peer, text, random_id=random_id, **more)


async def test_sign_in_with_phone_and_code(world: TelegramWorld, anna: Person) -> None:
    client: Any = connect_client(MemorySession(), world.server)
    await client.connect()
    assert not await client.is_user_authorized()
    await client.send_code_request("+" + anna.phone)
    with pytest.raises(errors.PhoneCodeInvalidError):
        await client.sign_in(anna.phone, "99999" if anna.code != "99999" else "11111")
    me: Any = await client.sign_in(anna.phone, anna.code)
    assert (me.id, me.username) == (anna.id, "anna")
    assert world.connected(anna)
    await client.log_out()
    assert not world.connected(anna)


async def test_a_minted_session_file_is_signed_in_and_survives_restarts(
    world: TelegramWorld, anna: Person, tmp_path: Path
) -> None:
    path = world.mint_session(anna, tmp_path / "anna")
    for _ in range(2):
        client: Any = connect_client(SQLiteSession(str(path)), world.server)
        await client.connect()
        me: Any = await client.get_me()
        assert me.id == anna.id
        await client.disconnect()
    assert path.name == "anna.session"


async def test_messages_go_both_ways_live_each_in_its_own_numbering(
    world: TelegramWorld, anna: Person, ben: Person
) -> None:
    world.say(ben, ben, "a note to myself")
    async with world.player(anna) as a, world.player(ben) as b:
        asked = await a.say(ben, "  hello\r\n")
        heard = await b.hear_text("hello")
        assert (asked, heard.message_id, heard.peer_id, heard.sender_id) == (1, 2, anna.id, anna.id)
        await b.say(anna, "yes?", reply_to=heard.message_id)
        answer = await a.hear_text("yes?")
        assert answer.reply_to == asked
        world.say(ben, anna, "without a client")
        assert (await a.hear_text("without a client")).message_id == 3
    first, second, *_ = world.messages(world.dm(anna, ben))
    assert second.reply_to == first.number
    assert world.answers_to(first) == [second]


async def test_the_other_connections_of_an_account_get_its_own_messages_pushed(
    world: TelegramWorld, anna: Person, ben: Person
) -> None:
    seen: list[str] = []
    async with world.player(anna) as phone, world.player(anna) as desk:
        desk.client.add_event_handler(lambda event: _note(seen, event), events.NewMessage(outgoing=True))
        await phone.say(ben, "from the phone")
        await phone.say(anna, "saved")
        await world.until(lambda: len(world.messages()) == 2)
        world.say(ben, anna, "end")
        await desk.hear_text("end")
    assert seen == ["from the phone", "saved"]


async def _note(seen: list[str], event: Any) -> None:
    seen.append(event.raw_text)


async def test_a_gap_is_closed_by_the_difference(world: TelegramWorld, anna: Person, ben: Person) -> None:
    async with world.player(anna) as a:
        world.say(ben, anna, "one")
        await a.hear_text("one")
        world.faults.drop_updates(anna, 2)
        for text in ("two", "three", "four"):
            world.say(ben, anna, text)
        await a.hear_text("four")
        assert [heard.text for heard in a.heard if heard.kind == "message"] == ["one", "two", "three", "four"]
        assert len(world.ledger.calls("updates.getDifference", anna)) == 2  # at sign-in, and for the gap


async def test_a_later_update_arrives_while_earlier_ones_are_held(
    world: TelegramWorld, anna: Person, ben: Person
) -> None:
    async with world.player(anna) as a:
        world.faults.hold_updates(anna, 1)
        world.say(ben, anna, "early")
        world.say(ben, anna, "late")
        world.faults.release_updates(anna)
        world.faults.double_updates(anna)
        world.say(ben, anna, "twice")
        await a.hear_text("twice")
        assert len(world.ledger.calls("updates.getDifference", anna)) == 1  # at sign-in: no gap was left
        world.faults.double_updates(anna)
        event = anna.box.events[-1]
        assert [world.faults.updates_due(anna, event), world.faults.updates_due(anna, event)] == [[event] * 2, [event]]
        assert sorted(heard.text for heard in a.heard if heard.kind == "message") == ["early", "late", "twice"]


async def test_what_happened_offline_is_in_the_difference(world: TelegramWorld, anna: Person, ben: Person) -> None:
    kept = world.say(ben, anna, "kept")
    gone = world.say(ben, anna, "gone")
    pts = anna.box.pts
    missed = world.say(ben, anna, "missed")
    world.edit(kept, "kept and changed")
    world.delete(gone)
    async with world.player(anna) as a:
        state: Any = await a.client(fn.updates.GetStateRequest())
        diff: Any = await a.client(fn.updates.GetDifferenceRequest(pts, state.date, 0))
        assert [message.id for message in diff.new_messages] == [missed.id_for(anna)]
        assert [type(update) for update in diff.other_updates] == [tl.UpdateEditMessage, tl.UpdateDeleteMessages]
        assert diff.other_updates[0].message.message == "kept and changed"
        assert diff.other_updates[1].messages == [gone.id_for(anna)]
        assert diff.state.pts == state.pts == pts + 3
        done: Any = await a.client(fn.updates.GetDifferenceRequest(state.pts, state.date, 0))
        assert isinstance(done, tl.updates.DifferenceEmpty)
        world.faults.difference_too_long(anna)
        assert isinstance(
            await a.client(fn.updates.GetDifferenceRequest(pts, state.date, 0)), tl.updates.DifferenceTooLong
        )


async def test_a_long_difference_comes_in_slices(world: TelegramWorld, anna: Person, ben: Person) -> None:
    for number in range(150):
        world.say(ben, anna, f"{number}")
    async with world.player(anna) as a:
        now = world.society.clock()
        first: Any = await a.client(fn.updates.GetDifferenceRequest(1, now, 0))
        part: Any = first.intermediate_state
        rest: Any = await a.client(fn.updates.GetDifferenceRequest(part.pts, now, 0))
        assert not hasattr(rest, "intermediate_state")
        texts = [message.message for message in first.new_messages + rest.new_messages]
        assert texts == [str(number) for number in range(150)]


@pytest.mark.parametrize("supergroup", [True, False])
async def test_history_is_paged_as_telegram_pages(
    world: TelegramWorld, anna: Person, ben: Person, *, supergroup: bool
) -> None:
    group = world.group("Long", [anna, ben], supergroup=supergroup)
    sent = [world.say(ben, group, f"message {number}") for number in range(249)]
    ids = [message.id_for(anna) for message in sent]
    async with world.player(anna) as a:
        peer = a.peer(group)
        page: Any = await a.client(history(peer, limit=500))
        assert [message.id for message in page.messages] == ids[:-101:-1]
        assert page.count == 250
        page = await a.client(history(peer, offset_id=ids[100], limit=10))
        assert [message.id for message in page.messages] == ids[99:89:-1]
        page = await a.client(history(peer, offset_id=ids[100], add_offset=-5, limit=10))
        assert [message.id for message in page.messages] == ids[104:94:-1]
        page = await a.client(history(peer, min_id=ids[240], max_id=ids[245]))
        assert [message.id for message in page.messages] == ids[244:240:-1]
        page = await a.client(history(peer, offset_id=ids[-3] + 1, add_offset=-100))
        assert [message.id for message in page.messages] == ids[:-3:-1]
        everything = [message.id async for message in a.client.iter_messages(peer, wait_time=0)]
        assert everything == [*reversed(ids), ids[0] - 1]
        assert [
            message.id async for message in a.client.iter_messages(peer, reverse=True, min_id=ids[9], wait_time=0)
        ] == ids[10:]
        assert [one.id async for one in a.client.iter_messages(peer, search="message 24", wait_time=0)] == [
            *ids[248:239:-1],
            ids[24],
        ]
        by_id: Any = await a.client.get_messages(peer, ids=[ids[3], 9999])
        assert [one and one.id for one in by_id] == [ids[3], None]


async def test_dialogs_come_newest_first_in_pages(world: TelegramWorld, anna: Person) -> None:
    for number in range(105):
        world.say(world.person(f"P{number}"), anna, "hi")
    group = world.group("Dev", [anna])
    async with world.player(anna) as a:
        dialogs = await a.client.get_dialogs()
        assert len(dialogs) == 106
        assert len({dialog.id for dialog in dialogs}) == 106
        assert dialogs[0].id == group.peer_id(anna)
        assert dialogs[1].unread_count == 1
        one: Any = await a.client(fn.messages.GetPeerDialogsRequest([tl.InputDialogPeer(a.peer(group))]))
        assert one.dialogs[0].pts == 2


async def test_a_random_id_is_accepted_once_while_it_is_remembered(
    world: TelegramWorld, anna: Person, ben: Person
) -> None:
    async with world.player(anna) as a, world.player(ben) as b:
        await a.client(sending(a.peer(ben), "once", 42))
        repeat = sent_once(a, sending(a.peer(ben), "once", 42))
        with pytest.raises(errors.RandomIdDuplicateError):
            await repeat
        await b.client(sending(b.peer(anna), "another sender's", 42))
        world.forget_random_ids()
        await a.client(sending(a.peer(ben), "once", 42))
    assert [message.text for message in world.messages(sender=anna)] == ["once", "once"]


async def test_a_lost_answer_leaves_one_message_and_a_duplicate_error(
    world: TelegramWorld, anna: Person, ben: Person
) -> None:
    world.faults.lose_answer(anna, "messages.sendMessage")
    async with world.player(anna) as a, world.player(ben) as b:
        again = sent_once(a, sending(a.peer(ben), "did it arrive?", 7))
        assert (await b.hear_text("did it arrive?")).sender_id == anna.id
        with pytest.raises(errors.RandomIdDuplicateError):
            await again
        assert [call.outcome for call in world.ledger.calls("messages.sendMessage")] == ["lost", "RANDOM_ID_DUPLICATE"]
        world.faults.cut_before(anna, "messages.sendMessage")
        await a.say(ben, "after the cut")
    assert [message.text for message in world.messages()] == ["did it arrive?", "after the cut"]


async def test_an_answer_may_be_late_or_never_come(world: TelegramWorld, anna: Person, ben: Person) -> None:
    world.faults.slow(0.2, anna, "messages.sendMessage")
    world.faults.lose_answer(anna, "messages.setTyping", cut=False)
    async with world.player(anna) as a, world.player(ben) as b:
        silent = sent_once(a, fn.messages.SetTypingRequest(a.peer(ben), tl.SendMessageTypingAction()))
        assert (await b.hear(lambda heard: heard.kind == "typing")).sender_id == anna.id
        slow = sent_once(a, sending(a.peer(ben), "slow", 9))
        await b.hear_text("slow")
        assert not slow.done()
        await slow
        assert not silent.done()


async def test_flood_waits_and_errors_come_as_planned(world: TelegramWorld, anna: Person, ben: Person) -> None:
    world.faults.flood_wait(77, anna, "messages.sendMessage", times=1)
    async with world.player(anna) as a, world.player(ben) as b:
        await b.say(anna, "not for me")
        with pytest.raises(errors.FloodWaitError) as caught:
            await sent_once(a, sending(a.peer(ben), "too fast", 1))
        assert caught.value.seconds == 77
        await a.say(ben, "now")
        world.faults.error("AUTH_KEY_DUPLICATED", 406, person=anna)
        with pytest.raises(errors.AuthKeyDuplicatedError):
            await a.client(fn.updates.GetStateRequest())
        forever = world.faults.error("INTERNAL", 500, person=ben, times=None)
        for _ in range(2):
            with pytest.raises(errors.ServerError):
                await sent_once(b, fn.updates.GetStateRequest())
        forever.clear()
        await b.client(fn.updates.GetStateRequest())


async def _settle(answered: asyncio.Future[Any], event: Any) -> None:
    answered.set_result(event)
