"""The Bot API's messages become ours."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import telegram

from core.errors import Undeliverable
from core.message import Chat, ChatKind, Message, Person
from integrations.telegram.bot_convert import find_message, place_of, to_message

SIZE = {"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1}
WHEN = 1_767_323_045
OWN = 100
ANNA = {"id": 5, "is_bot": False, "first_name": "Anna", "last_name": "B", "username": "Anna_B"}
ANNAS = Person(5, "Anna_B", "Anna B")
DM = {"id": 5, "type": "private", "first_name": "Anna", "last_name": "B"}
GROUP: dict[str, Any] = {"id": -1000000000007, "type": "supergroup", "title": "Super", "username": "super"}


def convert(**fields: Any) -> Message:
    """From what the Bot API would tell; `sender` is its `from`."""
    sender = fields.pop("sender", ANNA)
    body = {"message_id": 3, "date": WHEN, "chat": DM, "text": "hi", **({"from": sender} if sender else {}), **fields}
    update = telegram.Update.de_json({"update_id": 1, "message": {k: v for k, v in body.items() if v is not None}})
    raw = find_message(update)
    assert raw
    return to_message(raw, OWN)


@pytest.mark.parametrize(
    ("chat", "kind", "title"),
    [
        (DM, ChatKind.DM, "Anna B"),
        ({"id": -7, "type": "group", "title": "Basic"}, ChatKind.GROUP, "Basic"),
        (GROUP, ChatKind.GROUP, "Super"),
        ({"id": -1000000000009, "type": "channel", "title": "News"}, ChatKind.GROUP, "News"),
    ],
)
def test_each_kind_of_chat(chat: dict[str, Any], kind: ChatKind, title: str) -> None:
    made = convert(chat=chat)
    assert (made.chat, made.kind, made.title) == (Chat("bot:100", str(chat["id"])), kind, title)
    assert (made.sender, made.id, made.text) == (ANNAS, 3, "hi")
    assert made.sent_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("kind", ["message", "edited_message", "channel_post", "edited_channel_post"])
def test_each_kind_of_update_that_brings_a_message(kind: str) -> None:
    body = {"message_id": 3, "date": WHEN, "chat": DM, "text": "hi"}
    assert find_message(telegram.Update.de_json({"update_id": 1, kind: body}))


def test_a_poll_is_no_message() -> None:
    assert find_message(telegram.Update(1)) is None


def test_anonymous_admins_and_channels_write_as_a_chat() -> None:
    anonymous = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
    assert convert(chat=GROUP, sender=anonymous, sender_chat=GROUP).sender == Person(GROUP["id"], "super", "Super")
    channel = {"id": -1000000000009, "type": "channel", "title": "News"}
    fake = {"id": 136817688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}
    assert convert(chat=GROUP, sender=fake, sender_chat=channel).sender == Person(-1000000000009, None, "News")
    assert convert(chat=channel, sender=None).sender == Person(-1000000000009, None, "News")


def test_people_without_a_username_and_bots() -> None:
    assert convert(sender={"id": 6, "is_bot": False, "first_name": "Max"}).sender == Person(6, None, "Max")
    assert convert(sender={"id": 7, "is_bot": True, "first_name": "R2"}).sender.is_bot
    assert convert(sender={"id": OWN, "is_bot": True, "first_name": "Us"}).outgoing
    assert not convert().outgoing


def test_edits_tell_when() -> None:
    assert convert(edit_date=WHEN).edited_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert convert().edited_at is None


def reply(**fields: Any) -> dict[str, Any]:
    return {
        "message_id": 2,
        "date": WHEN,
        "chat": GROUP,
        "from": {"id": 9, "is_bot": False, "first_name": "X"},
        **fields,
    }


def test_a4_a_channels_post_that_telegram_copied_into_its_group_is_nobodys_message() -> None:
    channel = {"id": -1009, "type": "channel", "title": "News"}
    assert convert(chat=GROUP, sender_chat=channel, is_automatic_forward=True).sender.is_bot
    assert not convert(chat=GROUP, sender_chat=channel).sender.is_bot


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ({"type": "user", "sender_user": {"id": 6, "is_bot": True, "first_name": "R", "last_name": "2"}}, "R 2"),
        ({"type": "hidden_user", "sender_user_name": "Some\0body"}, "Some body"),
        ({"type": "chat", "sender_chat": GROUP}, "Super"),
        ({"type": "channel", "chat": {"id": -9, "type": "channel", "title": "News"}, "message_id": 4}, "News"),
        ({"type": "of tomorrow"}, ""),
    ],
)
def test_b7_what_is_forwarded_tells_whose_words_it_is(origin: dict[str, Any], name: str) -> None:
    assert convert(forward_origin={**origin, "date": WHEN}).forwarded_from == name


def test_b7_ones_own_words_and_a_copied_post_are_not_forwarded() -> None:
    origin = {"type": "channel", "chat": {"id": -9, "type": "channel", "title": "News"}, "message_id": 4, "date": WHEN}
    assert convert().forwarded_from is None
    assert convert(chat=GROUP, is_automatic_forward=True, forward_origin=origin).forwarded_from is None


def test_a6_both_sides_of_a_move_are_service_messages() -> None:
    assert convert(text=None, chat=GROUP, migrate_from_chat_id=-7).service == "migrate_from_chat_id"
    assert convert(text=None, chat=GROUP, migrate_to_chat_id=-1007).service == "migrate_to_chat_id"


def test_replies_tell_whom_they_answer() -> None:
    made = convert(chat=GROUP, reply_to_message=reply(text="before"))
    assert (made.reply_to, made.replied and made.replied.sender.id) == (2, 9)
    said = convert(chat=GROUP, reply_to_message=reply(text="x", sender_chat=GROUP), quote={"text": "x", "position": 0})
    assert said.replied
    assert (said.replied.sender.id, said.replied.text, said.quote) == (GROUP["id"], "x", "x")
    elsewhere = {"origin": {"type": "hidden_user", "sender_user_name": "X", "date": WHEN}}
    assert convert(chat=GROUP, external_reply=elsewhere).reply_to is None


def test_a_topic_is_a_chat_of_its_own_and_its_root_is_no_reply() -> None:
    root = reply(forum_topic_created={"name": "Ideas", "icon_color": 1})
    made = convert(chat=GROUP, is_topic_message=True, message_thread_id=2, reply_to_message=root)
    assert (made.chat.key, made.reply_to, made.replied) == ("-1000000000007/2", None, None)
    other = convert(chat=GROUP, is_topic_message=True, message_thread_id=1, reply_to_message=reply(text="x"))
    assert other.replied
    assert (other.chat.key, other.reply_to, other.replied.chat) == ("-1000000000007/1", 2, other.chat)
    assert convert(chat=GROUP, message_thread_id=2).chat.key == "-1000000000007"  # a thread of replies, no topic
    assert convert(is_topic_message=True, message_thread_id=2).chat.key == "5"
    assert place_of(made.chat) == (-1000000000007, 2)
    assert place_of(convert().chat) == (5, None)


@pytest.mark.parametrize("key", ["page", "", "5/x", "-"])
def test_what_is_no_chat_of_telegram_is_named(key: str) -> None:
    with pytest.raises(Undeliverable, match="no chat of Telegram"):
        place_of(Chat("bot:100", key))


def test_b11_media_needs_no_words() -> None:
    made = convert(text=None, photo=[SIZE], media_group_id="77")
    assert (made.text, made.service, made.attachments[0].reference, made.album) == ("", None, "f", 77)
    assert convert(text=None).text == "[empty message]"


def test_a4_captions_and_their_mentions_count() -> None:
    entities = [{"type": "mention", "offset": 5, "length": 6}]
    made = convert(text=None, photo=[SIZE], caption="look @valor", caption_entities=entities)
    assert (made.text, made.mentions, made.mention_spans) == ("look @valor", {"valor"}, ((5, 6),))


def test_a4_mentions_by_entity_by_name_and_of_people_without_one() -> None:
    entities: list[dict[str, Any]] = [
        {"type": "text_mention", "offset": 3, "length": 2, "user": {"id": OWN, "is_bot": True, "first_name": "Us"}},
        {"type": "code", "offset": 6, "length": 5},
    ]
    made = convert(text="😀 us @code @Valor", entities=entities)
    assert made.mentions == {"100", "valor"}
    assert (made.mention_spans, made.unread_spans) == (((2, 2), (11, 6)), ((5, 5),))


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"new_chat_members": [ANNA]}, "new_chat_members"),
        ({"left_chat_member": ANNA}, "left_chat_member"),
        ({"group_chat_created": True}, "group_chat_created"),
        ({"migrate_to_chat_id": -1007}, "migrate_to_chat_id"),
        ({"pinned_message": {"message_id": 1, "date": WHEN, "chat": DM}}, "pinned_message"),
        ({"forum_topic_closed": {}}, "forum_topic_closed"),
        ({"a_kind_of_next_year": {"x": 1}}, "a_kind_of_next_year"),
    ],
)
def test_a6_service_messages_say_their_kind(fields: dict[str, Any], kind: str) -> None:
    made = convert(text=None, **fields)
    assert (made.service, made.text) == (kind, f"[{kind.replace('_', ' ')}]")


def test_a_text_with_marks_is_no_service_message() -> None:
    assert convert(effect_id="5", a_mark_of_next_year=1).service is None


def test_a_quote_has_no_control_characters_either() -> None:
    made = convert(reply_to_message=reply(text="so"), quote={"text": "\x00so\x01", "position": 0})
    assert made.quote == " so "


def test_control_characters_leave_places_alone() -> None:
    made = convert(text="\x00😀\x01@valor", entities=[{"type": "mention", "offset": 4, "length": 6}])
    assert (made.text, made.mention_spans) == (" 😀 @valor", ((3, 6),))
