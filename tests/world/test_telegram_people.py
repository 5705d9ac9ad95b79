# pyright: basic, reportArgumentType=false
"""The played Telegram keeps Telegram's rules: shown with real Telethon clients."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from telethon import TelegramClient, errors, events
from telethon.sessions import SQLiteSession
from telethon.tl import functions as fn
from telethon.tl import types as tl

from tests.world.telegram import Entity, Person, Player, RefusalError, TelegramWorld
from tests.world.telegram.client import trust


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


async def _settle(answered: asyncio.Future[Any], event: Any) -> None:
    answered.set_result(event)


@pytest.mark.parametrize("supergroup", [True, False])
async def test_groups_reach_all_members_and_nobody_else(
    world: TelegramWorld, anna: Person, ben: Person, *, supergroup: bool
) -> None:
    eve = world.person("Eve")
    world.say(ben, eve, "so that numbers differ")
    group = world.group("Dev", [anna, ben], supergroup=supergroup)
    async with world.player(anna) as a, world.player(ben) as b, world.player(eve) as e:
        asked = await a.say(group, "who is @benny?")
        heard = await b.hear_text("who is @benny?")
        assert heard.peer_id == group.peer_id(ben)
        assert heard.raw.mentioned
        await b.say(group, "me", reply_to=heard.message_id)
        assert (await a.hear_text("me")).reply_to == asked
        with pytest.raises(errors.RPCError):
            await e.say(group, "let me in")
        world.join(group, eve)
        await e.say(group, "thanks")
        await a.hear_text("thanks")
        assert (heard.message_id == asked) is supergroup


async def test_a_supergroup_has_a_difference_of_its_own(world: TelegramWorld, anna: Person, ben: Person) -> None:
    group = world.group("Dev", [anna, ben])
    async with world.player(anna) as a:
        first = world.say(ben, group, "one")
        await a.hear_text("one")
        world.faults.drop_updates(anna, 1)
        second = world.say(ben, group, "two")
        world.say(ben, group, "three")
        await a.hear_text("two")
        await a.hear_text("three")
        world.edit(first, "one!")
        world.delete(second)
        await a.hear(lambda heard: heard.kind == "delete")
        channel = tl.InputChannel(group.id, anna.secret_of(group))
        request = fn.updates.GetChannelDifferenceRequest(channel, tl.ChannelMessagesFilterEmpty(), 1, 3)
        diff: Any = await a.client(request)
        assert [message.id for message in diff.new_messages] == [1, first.id_for(anna)]
        assert not diff.final
        world.faults.difference_too_long(anna, channel=True)
        assert isinstance(await a.client(request), tl.updates.ChannelDifferenceTooLong)
        since: Any = await a.client(fn.updates.GetDifferenceRequest(anna.box.pts, group.created, 0))
        assert isinstance(since.other_updates[0], tl.UpdateChannelTooLong)


async def test_a_message_brings_three_reactions_and_the_list_all(
    world: TelegramWorld, anna: Person, ben: Person
) -> None:
    message = world.say(anna, ben, "look")
    for person in (ben, *(world.person(f"P{number}") for number in range(3))):
        world.react(person, message, "👍")
    async with world.player(anna) as a:
        shown: Any = await a.client.get_messages(a.peer(ben), ids=1)
        assert (shown.reactions.results[0].count, len(shown.reactions.recent_reactions)) == (4, 3)
        request = fn.messages.GetMessageReactionsListRequest(a.peer(ben), 1, 3)
        first: Any = await a.client(request)
        request.offset = first.next_offset
        rest: Any = await a.client(request)
        assert (first.count, [one.peer_id.user_id for one in rest.reactions], rest.next_offset) == (4, [ben.id], None)


async def test_reactions_are_checked_kept_and_pushed(world: TelegramWorld, anna: Person, ben: Person) -> None:
    message = world.say(anna, ben, "look")
    async with world.player(anna) as a, world.player(ben) as b:
        number = message.id_for(ben)
        await b.react(anna, number, "👀")
        assert (await a.hear(lambda heard: heard.kind == "reaction")).text == "👀"
        assert not b.heard  # who reacts is not told of it again
        with pytest.raises(errors.ReactionInvalidError):
            await b.react(anna, number, "✅")
        with pytest.raises(errors.MessageNotModifiedError):
            await b.react(anna, number, "👀")
        with pytest.raises(errors.MessageIdInvalidError):
            await b.react(anna, 999, "👀")
        await b.react(anna, number, "👍")
        listed: Any = await a.client(fn.messages.GetMessageReactionsListRequest(a.peer(ben), 1, 10))
        assert [one.reaction.emoticon for one in listed.reactions] == ["👍"]
        shown: Any = await a.client.get_messages(a.peer(ben), ids=1)
        assert shown.reactions.results[0].reaction.emoticon == "👍"
        world.refuse_reactions()
        with pytest.raises(errors.ReactionInvalidError):
            await b.react(anna, number, "🔥")
        world.refuse_reactions(refuse=False)
        await b.react(anna, number, "")
    assert world.ledger.reactions_to(message.number) == ["👀", "👍", ""]
    assert world.ledger.message(message.number).emojis == []


async def test_edits_and_deletions_reach_the_others(world: TelegramWorld, anna: Person, ben: Person) -> None:
    message = world.say(anna, ben, "first")
    async with world.player(anna) as a, world.player(ben) as b:
        number = message.id_for(anna)
        await a.client.edit_message(a.peer(ben), number, "second")
        assert (await b.hear_text("second")).kind == "edit"
        with pytest.raises(errors.MessageNotModifiedError):
            await a.client.edit_message(a.peer(ben), number, "second")
        with pytest.raises(errors.MessageAuthorRequiredError):
            await b.client.edit_message(b.peer(anna), message.id_for(ben), "not mine")
        another = world.say(anna, ben, "third")
        pts = anna.box.pts
        request = fn.messages.DeleteMessagesRequest([number, another.id_for(anna)], revoke=True)
        affected: Any = await a.client(request)
        assert (affected.pts, affected.pts_count, anna.box.pts) == (pts + 2, 2, pts + 2)
        await b.hear(lambda heard: heard.kind == "delete")
        assert [one async for one in b.client.iter_messages(b.peer(anna))] == []
    now = world.ledger.message(message.number)
    assert (now.first_text, now.text, now.deleted) == ("first", "second", True)


async def test_read_marks_and_typing_are_told(world: TelegramWorld, anna: Person, ben: Person) -> None:
    group = world.group("Dev", [anna, ben])
    async with world.player(anna) as a, world.player(ben) as b:
        for chat in (world.dm(anna, ben), group):
            await a.say(chat, "read this")
            await b.hear_text("read this")
            a.heard.clear()
            await b.client.send_read_acknowledge(b.peer(chat))
            await a.hear(lambda heard: heard.kind == "read")
            await b.client(fn.messages.SetTypingRequest(b.peer(chat), tl.SendMessageTypingAction()))
            assert (await a.hear(lambda heard: heard.kind == "typing")).sender_id == ben.id
            b.heard.clear()
    assert len(world.ledger.did("read", ben)) == 2
    assert next(deed.detail for deed in world.ledger.did("typing", chat=group)) == "typing"


async def test_a_cut_connection_comes_back_with_the_same_key(world: TelegramWorld, anna: Person, ben: Person) -> None:
    async with world.player(anna) as a:
        keys = set(world.server.authorizations)
        world.drop_connections(anna)
        await world.until(lambda: not world.connected(anna))
        missed = world.say(ben, anna, "while away")
        await world.until(lambda: world.connected(anna))
        world.say(ben, anna, "back")
        await a.hear_text("back")
        assert (await a.hear_text("while away")).message_id == missed.id_for(anna)
        await world.go_down()
        waiting = sent_once(a, sending(a.peer(ben), "sent into the dark", 5))
        world.say(ben, anna, "nobody hears")
        await world.come_back()
        await waiting
        await a.hear_text("nobody hears")
        assert set(world.server.authorizations) == keys


async def test_keys_can_be_revoked(world: TelegramWorld, anna: Person) -> None:
    async with world.player(anna) as a:
        world.revoke(anna)
        with pytest.raises(errors.AuthKeyUnregisteredError):
            await a.client(fn.updates.GetStateRequest())
        assert not world.connected(anna)


async def test_access_hashes_belong_to_an_account(world: TelegramWorld, anna: Person, ben: Person) -> None:
    eve = world.person("Eve", "eve_w")
    group = world.group("Dev", [anna, ben])
    async with world.player(anna) as a:
        foreign = tl.InputPeerUser(eve.id, ben.secret_of(eve))
        with pytest.raises(errors.PeerIdInvalidError):
            await a.client(sending(foreign, "hi", 1))
        with pytest.raises(errors.ChannelInvalidError):
            await a.client(history(tl.InputPeerChannel(group.id, 1)))
        await a.client.send_message("eve_w", "hi **there**")
        with pytest.raises(ValueError, match="No user"):
            await a.client.send_message("nobody_w", "hi")
        people: Any = await a.client.get_participants(a.peer(group))
        assert {person.id for person in people} == {anna.id, ben.id}
        whole: Any = await a.client(fn.channels.GetFullChannelRequest(a.peer(group)))
        assert whole.full_chat.participants_count == 2


async def test_a_partial_person_is_known_by_a_message_alone(world: TelegramWorld, anna: Person, ben: Person) -> None:
    group, eve = world.group("Dev", [anna, ben]), world.person("Eve", "eve_1")
    world.join(group, eve)
    async with world.player(anna) as a:
        eve.is_partial = True
        said = world.say(eve, group, "hello")
        pushed: Any = (await a.hear_text("hello")).raw
        assert pushed.sender.min
        assert pushed.sender.username is None
        with pytest.raises(errors.RPCError):
            await a.client(fn.users.GetUsersRequest([tl.InputUser(eve.id, pushed.sender.access_hash)]))
        asked = tl.InputUserFromMessage(a.peer(group), said.id_for(anna), eve.id)
        (told,) = await a.client(fn.users.GetUsersRequest([asked]))
        assert (told.username, told.access_hash) == ("eve_1", anna.secret_of(eve))
        other = tl.InputUserFromMessage(a.peer(group), said.id_for(anna), ben.id)
        with pytest.raises(errors.RPCError):
            await a.client(fn.users.GetUsersRequest([other]))


async def test_unknown_methods_are_refused_and_recorded(world: TelegramWorld, anna: Person) -> None:
    async with world.player(anna) as a:
        with pytest.raises(errors.RPCError, match="METHOD_UNKNOWN"):
            await a.client(fn.stories.GetAllStoriesRequest())
        await a.client.get_me()
    assert world.ledger.unknown == ["stories.getAllStories"]


async def test_texts_are_measured_trimmed_and_searched_for_entities(
    world: TelegramWorld, anna: Person, ben: Person
) -> None:
    world.say(anna, ben, "😀" * 2048)
    with pytest.raises(RefusalError, match="MESSAGE_TOO_LONG"):
        world.say(anna, ben, "😀" * 2048 + "x")
    with pytest.raises(RefusalError, match="MESSAGE_EMPTY"):
        world.say(anna, ben, " \n\r ")
    message = world.say(anna, ben, "  😀bold\x00 /ping @anna https://a.example/@anna", entities=[Entity("bold", 4, 4)])
    assert message.text == "😀bold  /ping @anna https://a.example/@anna"
    assert [(entity.kind, entity.offset, entity.length) for entity in message.entities] == [
        ("bold", 2, 4),
        ("bot_command", 8, 5),
        ("mention", 14, 5),
        ("url", 20, 23),
    ]
    async with world.player(ben) as b:
        shown: Any = await b.client.get_messages(b.peer(anna), limit=1)
        kinds = [type(entity).__name__.removeprefix("MessageEntity") for entity in shown[0].entities]
        assert kinds == ["Bold", "BotCommand", "Mention", "Url"]


async def test_files_are_accepted_and_can_be_fetched(world: TelegramWorld, anna: Person, ben: Person) -> None:
    async with world.player(anna) as a, world.player(ben) as b:
        upload: Any = await a.client.upload_file(b"x" * 200_000, file_name="notes.txt")
        await a.client.send_file(a.peer(ben), upload, caption="here", force_document=True)
        heard = await b.hear_text("here")
        assert heard.raw.file.name == "notes.txt"
        assert await b.client.download_media(heard.raw, bytes) == b"x" * 200_000
    media = world.messages()[0].media
    assert media
    assert (media.name, len(media.content)) == ("notes.txt", 200_000)


async def test_the_world_by_hand_prints_what_a_product_needs(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.world", "--folder", str(tmp_path)),
        cwd=Path(__file__).parents[2],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    try:
        async with asyncio.timeout(20):
            settings = {}
            while (line := (await process.stdout.readline()).decode()).startswith("export "):
                name, _, value = line.removeprefix("export ").strip().partition("=")
                settings[name] = value
            trust(Path(settings["TELEGRAM_SERVER_KEY"]).read_text())
            session = SQLiteSession(str(tmp_path / "home/data/telegram.session"))
            client: Any = TelegramClient(session, int(settings["TELEGRAM_API_ID"]), settings["TELEGRAM_API_HASH"])
            answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            client.add_event_handler(lambda event: _settle(answered, event), events.NewMessage(incoming=True))
            await client.connect()
            process.stdin.write(b"dev: hello there\n")
            event = await answered
            await event.reply("general")
            seen = ""
            while "[Valor in Dev: message #4 → #3] general\n" not in seen:
                seen += (await process.stdout.readline()).decode()
            assert "[Olivia in Dev: message #3] hello there\n" in seen
            await client.disconnect()
            process.stdin.write(b"quit\n")
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
