"""The Bot API's messages become ours. Pure: nothing is asked, nothing is kept; vendor objects stop here."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import telegram
from telegram.constants import ChatType, MessageType

from core.errors import Undeliverable
from core.message import Chat, ChatKind, Message, Move, Person
from integrations.telegram.bot_media import CONTENTS, album_of, attachments_of
from integrations.telegram.convert import CONTROL
from integrations.telegram.entities import from_bot_api
from integrations.telegram.mentions import find_mentions

# What a message may bear besides, and still be one that somebody wrote.
MARKS = frozenset({"text", "effect_id", "business_connection_id", "reply_to_story", "suggested_post_info"}) | {
    *("sender_boost_count", "sender_business_bot")
}
SERVICES = (
    *(kind.value for kind in MessageType if kind not in MARKS and kind not in CONTENTS),
    "migrate_from_chat_id",  # of which the library has no kind
)


def find_message(update: telegram.Update) -> telegram.Message | None:
    """The message that an update brings, new or changed; None for every other kind of update."""
    return update.message or update.edited_message or update.channel_post or update.edited_channel_post


def to_message(raw: telegram.Message, own: int) -> Message:
    """Our message from one that the bot with the id `own` was told."""
    chat, service = Chat(f"bot:{own}", key_of(raw)), _service_kind(raw)
    text = (raw.text or raw.caption or "").translate(CONTROL)
    entities = from_bot_api(entity.to_dict() for entity in (raw.entities or raw.caption_entities))
    mentions = find_mentions(text, entities)
    sender = _author(raw)
    replied, attachments = _replied(raw), attachments_of(raw)
    return Message(
        chat=chat,
        id=raw.message_id,
        kind=ChatKind.DM if raw.chat.type == ChatType.PRIVATE else ChatKind.GROUP,
        sender=sender,
        sent_at=_aware(raw.date),
        text=text if text.strip() or attachments else _description(service),
        outgoing=sender.id == own,
        reply_to=replied.message_id if replied else None,
        edited_at=_aware(raw.edit_date) if raw.edit_date else None,
        mentions=mentions.names,
        mention_spans=mentions.spans,
        unread_spans=mentions.unread,
        service=service,
        title=_title(raw.chat),
        replied=replace(to_message(replied, own), chat=chat) if replied else None,
        quote=raw.quote.text.translate(CONTROL) if raw.quote else "",
        forwarded_from=_forwarded_from(raw),
        move=_move(raw, own),
        attachments=attachments,
        album=album_of(raw),
    )


def _move(raw: telegram.Message, own: int) -> Move | None:
    """What a service message on either side tells of a group that became a supergroup."""
    here, front = Chat(f"bot:{own}", str(raw.chat.id)), f"bot:{own}"
    if raw.migrate_to_chat_id:
        return Move(here, Chat(front, str(raw.migrate_to_chat_id)))
    return Move(Chat(front, str(raw.migrate_from_chat_id)), here) if raw.migrate_from_chat_id else None


def key_of(raw: telegram.Message) -> str:
    """A forum's topic is a chat of its own."""
    is_in_topic = raw.is_topic_message and raw.message_thread_id and raw.chat.type != ChatType.PRIVATE
    return f"{raw.chat.id}/{raw.message_thread_id}" if is_in_topic else str(raw.chat.id)


def place_of(chat: Chat) -> tuple[int, int | None]:
    """Chat and topic of a key. Raises Undeliverable for one that is none of Telegram's."""
    number, _, topic = chat.key.partition("/")
    if not number.removeprefix("-").isdecimal() or not (topic.isdecimal() or not topic):
        raise Undeliverable(f"{chat.key} is no chat of Telegram.")
    return int(number), int(topic) if topic else None


def to_person(user: telegram.User) -> Person:
    return Person(user.id, user.username, user.full_name.replace("\0", ""), user.is_bot)


def _author(raw: telegram.Message) -> Person:
    """Anonymous administrators and channels write as a chat; a post without any author is its channel's. What Telegram
    copies from a channel into its group is nobody's message there, as a bot's is."""
    chat = raw.sender_chat
    if chat is None and raw.from_user is not None:
        return to_person(raw.from_user)
    chat = chat or raw.chat
    return Person(chat.id, chat.username, _title(chat), is_bot=bool(raw.is_automatic_forward))


def _forwarded_from(raw: telegram.Message) -> str | None:
    """Whose words they are; None for the sender's own, and for a post that Telegram copied, which is its channel's."""
    match None if raw.is_automatic_forward else raw.forward_origin:
        case telegram.MessageOriginUser(sender_user=user):
            return to_person(user).name
        case telegram.MessageOriginHiddenUser(sender_user_name=name):
            return name.translate(CONTROL)
        case telegram.MessageOriginChat(sender_chat=chat) | telegram.MessageOriginChannel(chat=chat):
            return _title(chat)
        case None:
            return None
        case _:  # a kind that the library does not know yet
            return ""


def _title(chat: telegram.Chat) -> str:
    return (chat.effective_name or "").replace("\0", "")


def _replied(raw: telegram.Message) -> telegram.Message | None:
    """What is answered in this chat; the root of a topic is not."""
    replied = raw.reply_to_message
    is_root = raw.is_topic_message and replied is not None and replied.message_id == raw.message_thread_id
    return None if is_root else replied


def _aware(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def _service_kind(raw: telegram.Message) -> str | None:
    """The name of what happened, where nobody has said anything; new kinds count as that until they are known."""
    if raw.text or any(getattr(raw, name, None) for name in CONTENTS):
        return None
    return next(iter((*(name for name in SERVICES if getattr(raw, name, None)), *raw.api_kwargs)), None)


def _description(service: str | None) -> str:
    """What a message that shows nothing is, in brackets."""
    return f"[{service.replace('_', ' ')}]" if service else "[empty message]"
