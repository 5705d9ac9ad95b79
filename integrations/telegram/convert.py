# pyright: basic
"""Telethon's messages become ours. Pure: nothing is asked, nothing is kept; vendor objects stop here."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from telethon import utils
from telethon.tl import types as tl

from core.message import Chat, ChatKind, Message, Move, Person, Sent
from integrations.telegram.directory import Account, Directory
from integrations.telegram.entities import from_telethon
from integrations.telegram.media import attachments_of, file_of, words_of
from integrations.telegram.mentions import find_mentions

# One character for another, so that entities and mentions stay where they are.
CONTROL = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 127], " ")
_NEWS = (tl.UpdateNewMessage, tl.UpdateNewChannelMessage, tl.UpdateEditMessage, tl.UpdateEditChannelMessage)


GENERAL = 1  # the topic of every message in a forum that is in no other


def find_message(update: Any, own_id: int) -> Any | None:
    """The Telethon message that an update brings, None for every other kind of update."""
    if isinstance(update, _NEWS):
        return update.message
    if isinstance(update, tl.UpdateShortMessage):
        return _from_short(update, tl.PeerUser(update.user_id), own_id if update.out else update.user_id)
    if isinstance(update, tl.UpdateShortChatMessage):
        return _from_short(update, tl.PeerChat(update.chat_id), update.from_id)
    return None


def _from_short(update: Any, peer: Any, sender_id: int) -> Any:
    return tl.Message(
        update.id,
        peer,
        update.date,
        update.message,
        out=update.out,
        mentioned=update.mentioned,
        from_id=tl.PeerUser(sender_id),
        fwd_from=update.fwd_from,
        reply_to=update.reply_to,
        entities=update.entities,
    )


def to_message(raw: Any, directory: Directory) -> Message | None:
    """Our message from a Telethon one; None for the place of a message that is gone."""
    if isinstance(raw, tl.MessageEmpty) or raw.peer_id is None:
        return None
    service = _service_kind(raw)
    text = (raw.message or "").translate(CONTROL)
    entities = from_telethon(raw.entities) if text else ()
    mentions = find_mentions(text, entities)
    sender, reply_to = _sender(raw, directory), _reply_to(raw.reply_to)
    chat_id = utils.get_peer_id(raw.peer_id)
    attachments = attachments_of(raw)
    return Message(
        chat=Chat(directory.own.front, key_of(chat_id, _topic(raw))),
        id=raw.id,
        kind=kind_of(chat_id, directory.own),
        sender=sender,
        sent_at=_aware(raw.date),
        text=text if text.strip() or attachments else _description(service),
        outgoing=bool(raw.out) or sender.id == directory.own.id,
        reply_to=reply_to,
        is_reply_to_us=bool(raw.mentioned) and reply_to is not None,
        quote=(getattr(raw.reply_to, "quote_text", None) or "").translate(CONTROL),
        forwarded_from=_forwarded_from(raw, directory),
        edited_at=_aware(raw.edit_date) if raw.edit_date and not raw.edit_hide else None,
        mentions=mentions.names,
        mention_spans=mentions.spans,
        unread_spans=mentions.unread,
        service=service,
        title=directory.person(chat_id).name,
        move=_move(raw, directory.own.front),
        attachments=attachments,
        album=getattr(raw, "grouped_id", None),
    )


def move_of(group: Any, front: str) -> Move | None:
    """What a basic group, as Telethon has it, has become; None for one that is what it was."""
    channel = getattr(group, "migrated_to", None)
    if not isinstance(group, tl.Chat) or not isinstance(channel, tl.InputChannel):
        return None
    return _moved(front, group.id, channel.channel_id)


def _move(raw: Any, front: str) -> Move | None:
    action = getattr(raw, "action", None)
    if isinstance(action, tl.MessageActionChatMigrateTo) and isinstance(raw.peer_id, tl.PeerChat):
        return _moved(front, raw.peer_id.chat_id, action.channel_id)
    if isinstance(action, tl.MessageActionChannelMigrateFrom) and isinstance(raw.peer_id, tl.PeerChannel):
        return _moved(front, action.chat_id, raw.peer_id.channel_id)
    return None


def _moved(front: str, chat_id: int, channel_id: int) -> Move:
    numbers = utils.get_peer_id(tl.PeerChat(chat_id)), utils.get_peer_id(tl.PeerChannel(channel_id))
    return Move(*(Chat(front, str(number)) for number in numbers))


def key_of(marked_id: int, topic: int) -> str:
    """A chat's key: a forum's topics are chats of their own, its general topic has the group's."""
    return str(marked_id) if topic in {0, GENERAL} else f"{marked_id}/{topic}"


def _topic(raw: Any) -> int:
    """The topic that a message is in; 0 outside of forums and in their general topic."""
    header = raw.reply_to
    if isinstance(header, tl.MessageReplyHeader) and header.forum_topic:
        return header.reply_to_top_id or header.reply_to_msg_id or 0
    return raw.id if isinstance(getattr(raw, "action", None), tl.MessageActionTopicCreate) else 0


def to_sent(raw: Any) -> Sent:
    """A message of ours for the look before a resend: its text exactly as the chat holds it."""
    return Sent(raw.id, raw.message or "", _reply_to(raw.reply_to), _aware(raw.date), file_of(raw))


def kind_of(marked_id: int, own: Account) -> ChatKind:
    if marked_id == own.id:
        return ChatKind.SELF
    return ChatKind.DM if marked_id > 0 else ChatKind.GROUP


def _sender(raw: Any, directory: Directory) -> Person:
    """Without a sender of its own a message is its chat's (channels, anonymous admins), in a DM one of the two."""
    if raw.from_id is not None:
        person = directory.person(utils.get_peer_id(raw.from_id))
        return replace(person, is_bot=True) if _is_copied(raw) else person
    in_dm = isinstance(raw.peer_id, tl.PeerUser)
    return directory.person(directory.own.id if in_dm and raw.out else utils.get_peer_id(raw.peer_id))


def _forwarded_from(raw: Any, directory: Directory) -> str | None:
    """Whose words they are, '' where nobody says; None for the sender's own, and for a post, which is its channel's."""
    origin = getattr(raw, "fwd_from", None)
    if origin is None or _is_copied(raw):
        return None
    known = directory.person(utils.get_peer_id(origin.from_id)).name if origin.from_id else ""
    return (known or origin.from_name or origin.post_author or "").translate(CONTROL)


def _is_copied(raw: Any) -> bool:
    """Whether Telegram copied a channel's post into its group: nobody's message there, as a bot's is."""
    origin = getattr(raw, "fwd_from", None)
    is_post = origin is not None and origin.channel_post and origin.saved_from_peer is not None
    return bool(is_post) and isinstance(raw.from_id, tl.PeerChannel)


def _reply_to(header: Any) -> int | None:
    """The message answered in this chat; the root of a forum topic and messages of other chats are not answered."""
    if not isinstance(header, tl.MessageReplyHeader) or header.reply_to_peer_id is not None:
        return None
    if header.forum_topic and header.reply_to_top_id is None:
        return None
    return header.reply_to_msg_id


def _aware(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def _service_kind(raw: Any) -> str | None:
    if not isinstance(raw, tl.MessageService):
        return None
    return words_of(type(raw.action).__name__.removeprefix("MessageAction")).replace(" ", "_")


def _description(service: str | None) -> str:
    """What a message that shows nothing is, in brackets."""
    return f"[{service.replace('_', ' ')}]" if service else "[empty message]"
