"""Telethon's messages become ours."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from telethon.tl import types as tl

from core.attachment import Attachment, Kind
from core.clock import FakeClock
from core.message import ChatKind, Person
from integrations.telegram.convert import find_message, to_message, to_sent
from integrations.telegram.directory import FRESH_SECONDS, Account, Directory, to_account, usernames_of

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OWN, ANNA, GROUP = 1, 5, 7
ME, ANNAS, DM = tl.PeerUser(OWN), tl.PeerUser(ANNA), tl.PeerUser(ANNA)


@pytest.fixture
def directory() -> Directory:
    known = Directory(Account(OWN, ("valor",)))
    photo = tl.ChatPhotoEmpty()
    known.learn(
        [tl.User(ANNA, first_name="Anna", last_name="B", username="Anna_B"), tl.User(6, first_name="R2", bot=True)],
        [tl.Chat(GROUP, "Basic", photo, 2, WHEN, 1), tl.Channel(GROUP, "Super", photo, WHEN, username="super")],
    )
    return known


def message(peer: Any, text: str = "hi", **more: Any) -> tl.Message:
    return tl.Message(3, peer, WHEN, text, **more)


def convert(raw: Any, directory: Directory) -> Any:
    made = to_message(raw, directory)
    assert made
    return made


@pytest.mark.parametrize(
    ("peer", "key", "kind", "title"),
    [
        (DM, "5", ChatKind.DM, "Anna B"),
        (ME, "1", ChatKind.SELF, ""),
        (tl.PeerChat(GROUP), "-7", ChatKind.GROUP, "Basic"),
        (tl.PeerChannel(GROUP), "-1000000000007", ChatKind.GROUP, "Super"),
    ],
)
def test_each_kind_of_chat(directory: Directory, peer: Any, key: str, kind: ChatKind, title: str) -> None:
    made = convert(message(peer, from_id=ANNAS), directory)
    assert (made.chat, made.kind, made.title) == (("account:1", key), kind, title)
    assert made.sender == Person(ANNA, "Anna_B", "Anna B")
    assert made.sent_at == WHEN


def test_a4_a_channels_post_that_telegram_copied_into_its_group_is_nobodys_message(directory: Directory) -> None:
    news, place = tl.PeerChannel(99), tl.PeerChannel(GROUP)
    copied = tl.MessageFwdHeader(WHEN, from_id=news, channel_post=4, saved_from_peer=news, saved_from_msg_id=4)
    assert convert(message(place, from_id=news, fwd_from=copied), directory).sender.is_bot
    assert not convert(message(place, from_id=news), directory).sender.is_bot  # somebody who writes as their channel
    assert not convert(message(place, from_id=ANNAS, fwd_from=copied), directory).sender.is_bot


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ({"from_id": tl.PeerUser(6)}, "R2"),
        ({"from_id": tl.PeerChannel(GROUP), "channel_post": 4, "post_author": "Bo"}, "Super"),
        ({"from_name": "Some\0body"}, "Some body"),
        ({"from_id": tl.PeerUser(404), "post_author": "Bo"}, "Bo"),
        ({"from_id": tl.PeerUser(404)}, ""),
    ],
)
def test_b7_what_is_forwarded_tells_whose_words_it_is(directory: Directory, origin: dict[str, Any], name: str) -> None:
    header = tl.MessageFwdHeader(WHEN, **origin)
    assert convert(message(DM, fwd_from=header), directory).forwarded_from == name
    short = tl.UpdateShortMessage(3, ANNA, "hi", 1, 1, WHEN, fwd_from=header)
    assert convert(find_message(short, OWN), directory).forwarded_from == name


def test_a4_telegram_itself_tells_of_a_reply_to_us(directory: Directory) -> None:
    """Also to what was said before there was a ledger."""
    reply = tl.MessageReplyHeader(reply_to_msg_id=2)
    place = tl.PeerChannel(GROUP)
    assert convert(message(place, mentioned=True, reply_to=reply), directory).is_reply_to_us
    assert not convert(message(place, mentioned=True), directory).is_reply_to_us
    assert not convert(message(place, reply_to=reply), directory).is_reply_to_us
    short = tl.UpdateShortChatMessage(3, ANNA, GROUP, "hi", 1, 1, WHEN, mentioned=True, reply_to=reply)
    assert convert(find_message(short, OWN), directory).is_reply_to_us


def test_b7_ones_own_words_and_a_copied_post_are_not_forwarded(directory: Directory) -> None:
    news = tl.PeerChannel(99)
    copied = tl.MessageFwdHeader(WHEN, from_id=news, channel_post=4, saved_from_peer=news, saved_from_msg_id=4)
    assert convert(message(DM), directory).forwarded_from is None
    assert convert(message(tl.PeerChannel(GROUP), from_id=news, fwd_from=copied), directory).forwarded_from is None


def test_without_a_sender_it_is_the_chats(directory: Directory) -> None:
    assert convert(message(DM), directory).sender.id == ANNA
    assert convert(message(DM, out=True), directory).sender.id == OWN
    anonymous = convert(message(tl.PeerChannel(GROUP)), directory).sender
    assert anonymous == Person(-1000000000007, "super", "Super")
    assert convert(message(tl.PeerChannel(GROUP), from_id=tl.PeerChannel(GROUP)), directory).sender == anonymous


def test_own_messages_are_outgoing(directory: Directory) -> None:
    assert convert(message(DM, out=True), directory).outgoing
    assert convert(message(ME, from_id=ME), directory).outgoing
    assert not convert(message(DM), directory).outgoing


def test_bots_and_strangers(directory: Directory) -> None:
    assert convert(message(tl.PeerChat(GROUP), from_id=tl.PeerUser(6)), directory).sender.is_bot
    assert convert(message(tl.PeerChat(GROUP), from_id=tl.PeerUser(99)), directory).sender == Person(99)


def test_edits_show_unless_they_are_hidden(directory: Directory) -> None:
    assert convert(message(DM, edit_date=WHEN), directory).edited_at == WHEN
    assert convert(message(DM, edit_date=WHEN, edit_hide=True), directory).edited_at is None


@pytest.mark.parametrize(
    ("header", "answered"),
    [
        (None, None),
        (tl.MessageReplyHeader(reply_to_msg_id=2), 2),
        (tl.MessageReplyHeader(reply_to_msg_id=2, forum_topic=True), None),
        (tl.MessageReplyHeader(reply_to_msg_id=2, forum_topic=True, reply_to_top_id=1), 2),
        (tl.MessageReplyHeader(reply_to_msg_id=2, reply_to_peer_id=tl.PeerUser(9)), None),
        (tl.MessageReplyStoryHeader(tl.PeerUser(9), 2), None),
    ],
)
def test_replies(directory: Directory, header: Any, answered: int | None) -> None:
    assert convert(message(DM, reply_to=header), directory).reply_to == answered
    assert to_sent(message(DM, reply_to=header)).reply_to == answered


def test_b11_a_caption_is_the_text_and_its_mentions_count(directory: Directory) -> None:
    media = tl.MessageMediaPhoto()
    captioned = convert(message(DM, "caption @valor", media=media, grouped_id=77), directory)
    assert (captioned.text, captioned.mentions, captioned.album) == ("caption @valor", {"valor"}, 77)
    bare = convert(message(DM, "", media=media), directory)
    assert (bare.text, bare.attachments, bare.album) == ("", (Attachment(Kind.PHOTO),), None)
    assert convert(message(DM, ""), directory).text == "[empty message]"


def test_b11_a_sent_file_is_known_by_its_name() -> None:
    named: list[Any] = [tl.DocumentAttributeFilename("a.csv")]
    document = tl.MessageMediaDocument(document=tl.Document(1, 1, b"", WHEN, "text/csv", 1, 2, named))
    assert to_sent(message(DM, "", media=document)).file == "a.csv"
    assert to_sent(message(DM, "", media=tl.MessageMediaPhoto())).file == "photo"
    assert to_sent(message(DM)).file is None


def test_a6_service_messages_say_their_kind(directory: Directory) -> None:
    raw = tl.MessageService(3, tl.PeerChat(GROUP), WHEN, action=tl.MessageActionChatAddUser([1]), from_id=ANNAS)
    made = convert(raw, directory)
    assert (made.service, made.text) == ("chat_add_user", "[chat add user]")


def test_what_is_gone_is_nothing(directory: Directory) -> None:
    assert to_message(tl.MessageEmpty(3, None), directory) is None


def test_a_quote_has_no_control_characters_either(directory: Directory) -> None:
    header = tl.MessageReplyHeader(reply_to_msg_id=2, quote_text="\x00so\x01")
    assert convert(message(DM, reply_to=header), directory).quote == " so "


def test_control_characters_leave_places_alone(directory: Directory) -> None:
    raw = message(DM, "\x00😀\x01@valor", entities=[tl.MessageEntityMention(4, 6)])
    made = convert(raw, directory)
    assert made.text == " 😀 @valor"
    assert made.mention_spans == ((3, 6),)


def test_a4_code_names_nobody(directory: Directory) -> None:
    made = convert(message(DM, "😀 @valor", entities=[tl.MessageEntityCode(3, 6)]), directory)
    assert (made.mentions, made.unread_spans) == (frozenset(), ((2, 6),))


def test_short_updates_are_messages(directory: Directory) -> None:
    incoming = tl.UpdateShortMessage(3, ANNA, "hi", 1, 1, WHEN)
    outgoing = tl.UpdateShortMessage(3, ANNA, "hi", 1, 1, WHEN, out=True)
    in_group = tl.UpdateShortChatMessage(3, ANNA, GROUP, "hi", 1, 1, WHEN)
    made = [convert(find_message(update, OWN), directory) for update in (incoming, outgoing, in_group)]
    assert [(one.chat.key, one.sender.id) for one in made] == [("5", ANNA), ("5", OWN), ("-7", ANNA)]
    assert find_message(tl.UpdateConfig(), OWN) is None


def test_usernames_are_the_main_one_and_the_active_ones() -> None:
    extra = [tl.Username("second", active=True), tl.Username("old")]
    assert usernames_of(tl.User(1, username="main", usernames=extra)) == ("main", "second")
    assert usernames_of(tl.User(1, usernames=extra)) == ("second",)
    assert to_account(tl.User(1, first_name="V", usernames=extra)) == Account(1, ("second",), "V")
    assert Account(1).front == "account:1"


def test_a_partial_person_takes_nothing_from_a_full_one(directory: Directory) -> None:
    directory.learn([tl.User(ANNA, first_name="Anna C", min=True), tl.User(8, first_name="Eve", min=True)])
    assert directory.person(ANNA) == Person(ANNA, "Anna_B", "Anna C")
    assert (directory.knows(ANNA), directory.knows(8), directory.knows(9)) == (True, False, False)
    directory.learn([tl.User(8, first_name="Eve", username="eve")])
    assert directory.knows(8)


def test_a2_all_of_somebodys_usernames_are_taken_up_and_their_changes(directory: Directory) -> None:
    extra = [tl.Username("second", active=True), tl.Username("old")]
    directory.learn([tl.User(8, first_name="Eve", username="eve", usernames=extra)])
    assert directory.person(8) == Person(8, "eve", "Eve", more_usernames=("second",))
    renamed = tl.UpdateUserName(8, "Eve", "", [tl.Username("third", active=True), tl.Username("eve")])
    assert not directory.rename(renamed)
    assert directory.person(8).usernames == ("third",)
    assert not directory.rename(tl.UpdateUserName(8, "Eve", "", []))
    assert directory.person(8) == Person(8, None, "Eve")
    assert not directory.rename(tl.UpdateUserName(9, "Max", "", extra))
    assert directory.person(9) == Person(9)
    assert directory.rename(tl.UpdateUserName(OWN, "Valor", "", extra))
    assert directory.own.usernames == ("second",)


def test_a2_a_name_that_somebody_else_has_taken_is_lost(directory: Directory) -> None:
    directory.learn([tl.User(8, first_name="Eve", username="ANNA_b")])
    assert directory.person(8).username == "ANNA_b"
    assert directory.person(ANNA).usernames == ()
    assert not directory.knows(ANNA)


def test_a2_a_new_name_of_a_partial_person_counts_and_is_asked_for(directory: Directory) -> None:
    directory.learn([tl.User(ANNA, first_name="Anna", username="other", min=True)])
    assert (directory.person(ANNA).usernames, directory.knows(ANNA)) == (("other",), False)


def test_a2_what_was_told_long_ago_is_to_be_asked_again() -> None:
    clock = FakeClock()
    directory = Directory(Account(OWN), clock.boot)
    directory.learn([tl.User(ANNA, username="Anna_B")])
    clock.advance(FRESH_SECONDS - 1)
    assert directory.knows(ANNA)
    clock.advance(1)
    assert not directory.knows(ANNA)
