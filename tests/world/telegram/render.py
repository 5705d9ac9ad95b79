# pyright: basic, reportArgumentType=false
"""From the world's nouns to Telethon's TL types, as one viewer sees them, and back for entities."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from telethon.tl import types as tl

from tests.world.telegram.model import Chat, ChatKind, Entity, Event, EventKind, Origin, Person, Post, Reaction
from tests.world.telegram.render_media import media

SIMPLE = {
    "bold": tl.MessageEntityBold,
    "italic": tl.MessageEntityItalic,
    "underline": tl.MessageEntityUnderline,
    "strikethrough": tl.MessageEntityStrike,
    "spoiler": tl.MessageEntitySpoiler,
    "code": tl.MessageEntityCode,
    "mention": tl.MessageEntityMention,
    "hashtag": tl.MessageEntityHashtag,
    "bot_command": tl.MessageEntityBotCommand,
    "url": tl.MessageEntityUrl,
    "email": tl.MessageEntityEmail,
}
KINDS = {constructor: kind for kind, constructor in SIMPLE.items()}
RECENT = 3
ACTIONS = {
    "typing": tl.SendMessageTypingAction,
    "cancel": tl.SendMessageCancelAction,
    "upload_document": tl.SendMessageUploadDocumentAction,
}


def entity_from(entity) -> Entity | None:
    """A TL entity as ours; None for kinds this world does not keep."""
    span = (entity.offset, entity.length)
    if isinstance(entity, tl.MessageEntityPre):
        return Entity("pre", *span, language=entity.language or "")
    if isinstance(entity, tl.MessageEntityTextUrl):
        return Entity("text_link", *span, url=entity.url)
    if isinstance(entity, tl.MessageEntityMentionName):
        return Entity("text_mention", *span, user_id=entity.user_id)
    if isinstance(entity, tl.InputMessageEntityMentionName):
        return Entity("text_mention", *span, user_id=getattr(entity.user_id, "user_id", 0))
    if isinstance(entity, tl.MessageEntityBlockquote):
        return Entity("expandable_blockquote" if entity.collapsed else "blockquote", *span)
    kind = KINDS.get(type(entity))
    return Entity(kind, *span) if kind else None


def entities_from(entities) -> tuple[Entity, ...]:
    return tuple(known for known in map(entity_from, entities or ()) if known)


def entity(item: Entity):
    span = (item.offset, item.length)
    if item.kind == "pre":
        return tl.MessageEntityPre(*span, item.language)
    if item.kind == "text_link":
        return tl.MessageEntityTextUrl(*span, item.url)
    if item.kind == "text_mention":
        return tl.MessageEntityMentionName(*span, item.user_id)
    if item.kind.endswith("blockquote"):
        return tl.MessageEntityBlockquote(*span, collapsed=item.kind.startswith("expandable") or None)
    return SIMPLE[item.kind](*span)


def user(person: Person, viewer: Person) -> tl.User:
    return tl.User(
        person.id,
        is_self=person is viewer or None,
        bot=person.is_bot or None,
        bot_info_version=1 if person.is_bot else None,
        access_hash=viewer.secret_of(person),
        first_name=person.first_name,
        last_name=person.last_name,
        username=person.username,
        phone=person.phone if person is viewer else None,
        status=tl.UserStatusRecently(),
    )


def chat(group: Chat, viewer: Person) -> tl.Chat | tl.Channel:
    creator = group.creator is viewer or None
    if group.kind is ChatKind.GROUP:
        return tl.Chat(
            group.id,
            group.title,
            tl.ChatPhotoEmpty(),
            len(group.members),
            group.created,
            1,
            creator=creator,
            left=(viewer not in group.members) or None,
            deactivated=group.moved_to is not None or None,
            migrated_to=_input_channel(group.moved_to, viewer),
        )
    return tl.Channel(
        group.id,
        group.title,
        tl.ChatPhotoEmpty(),
        group.created,
        creator=creator,
        left=(viewer not in group.members) or None,
        megagroup=group.kind is ChatKind.SUPERGROUP or None,
        broadcast=group.kind is ChatKind.CHANNEL or None,
        forum=group.forum or None,
        access_hash=viewer.secret_of(group),
        participants_count=len(group.members),
    )


def _input_channel(group: Chat | None, viewer: Person) -> tl.InputChannel | None:
    return None if group is None else tl.InputChannel(group.id, viewer.secret_of(group))


def peer(of: Chat, viewer: Person):
    if of.kind is ChatKind.GROUP:
        return tl.PeerChat(of.id)
    if of.box:
        return tl.PeerChannel(of.id)
    return tl.PeerUser(of.other(viewer).id)


def reactions(post: Post, viewer: Person) -> tl.MessageReactions:
    counts: dict[str, int] = {}
    for reaction in post.reactions.values():
        counts[reaction.emoji] = counts.get(reaction.emoji, 0) + 1
    mine = post.reactions.get(viewer)
    return tl.MessageReactions(
        [
            tl.ReactionCount(tl.ReactionEmoji(emoji), count, chosen_order=0 if mine and mine.emoji == emoji else None)
            for emoji, count in counts.items()
        ],
        can_see_list=True,
        recent_reactions=[peer_reaction(reaction, viewer) for reaction in latest_reactions(post)[:RECENT]],
    )


def latest_reactions(post: Post) -> list[Reaction]:
    """The latest first. A message itself brings but a few of them."""
    return list(reversed(post.reactions.values()))


def peer_reaction(reaction, viewer: Person) -> tl.MessagePeerReaction:
    who = reaction.person
    emoji = tl.ReactionEmoji(reaction.emoji)
    return tl.MessagePeerReaction(tl.PeerUser(who.id), reaction.at, emoji, my=who is viewer or None)


def message(post: Post, viewer: Person):
    """A message in the viewer's own numbering, flags as Telegram sets them (no from_id in a DM)."""
    if post.action:
        return _service(post, viewer)
    sender, kind = post.sender, post.chat.kind
    return tl.Message(
        post.id_for(viewer),
        peer(post.chat, viewer),
        post.at,
        post.text,
        out=(sender is viewer and kind is not ChatKind.SAVED) or None,
        mentioned=(viewer.id in post.mentions and sender is not viewer) or None,
        from_id=None if kind is ChatKind.DM else _author(post.guise or sender),
        fwd_from=_forward_header(post.origin),
        reply_to=_reply_header(post, viewer),
        media=media(post.media, post.at),
        grouped_id=post.album,
        entities=[entity(item) for item in post.entities] or None,
        edit_date=post.edited_at,
        reactions=reactions(post, viewer) if post.reactions else None,
    )


def _author(author: Person | Chat):
    return tl.PeerUser(author.id) if isinstance(author, Person) else tl.PeerChannel(author.id)


def _forward_header(origin: Origin | None) -> tl.MessageFwdHeader | None:
    if origin is None:
        return None
    author = _author(origin.author) if origin.author else None
    header = tl.MessageFwdHeader(origin.at, from_id=author, from_name=origin.name or None)
    header.channel_post = origin.number or None
    if origin.is_copied:
        header.saved_from_peer, header.saved_from_msg_id = author, origin.number
    return header


def _reply_header(post: Post, viewer: Person) -> tl.MessageReplyHeader | None:
    number = post.reply_to.id_for(viewer) if post.reply_to else 0
    if post.topic:
        top = post.topic if number else None
        return tl.MessageReplyHeader(forum_topic=True, reply_to_msg_id=number or post.topic, reply_to_top_id=top)
    quoted = {"quote": True, "quote_text": post.quote, "quote_offset": 0} if post.quote else {}
    return tl.MessageReplyHeader(reply_to_msg_id=number, **quoted) if number else None


def _service(post: Post, viewer: Person) -> tl.MessageService:
    ids = [person.id for person in post.chat.members]
    if post.action == "moved" and post.chat.moved_to:
        action = tl.MessageActionChatMigrateTo(post.chat.moved_to.id)
    elif post.action == "founded" and post.chat.moved_from:
        action = tl.MessageActionChannelMigrateFrom(post.chat.title, post.chat.moved_from.id)
    elif post.action == "topic":
        action = tl.MessageActionTopicCreate(post.text, 0)
    elif post.action == "joined":
        action = tl.MessageActionChatAddUser([post.sender.id])
    elif post.chat.kind is ChatKind.GROUP:
        action = tl.MessageActionChatCreate(post.chat.title, ids)
    else:
        action = tl.MessageActionChannelCreate(post.chat.title)
    return tl.MessageService(
        post.id_for(viewer),
        peer(post.chat, viewer),
        post.at,
        action=action,
        from_id=tl.PeerUser(post.sender.id),
        out=post.sender is viewer or None,
    )


def update(event: Event, viewer: Person):
    """The TL update for an event, as the viewer's sessions get it."""
    maker = COUNTED if event.chat and event.chat.box is None else CHANNEL
    return maker[event.kind](event, viewer)


def _typing(event: Event, viewer: Person):
    assert event.who
    assert event.chat
    action = ACTIONS.get(event.action, tl.SendMessageTypingAction)()
    who = tl.PeerUser(event.who.id)
    if event.chat.kind is ChatKind.SUPERGROUP:
        return tl.UpdateChannelUserTyping(event.chat.id, who, action, top_msg_id=event.topic or None)
    if event.chat.kind is ChatKind.GROUP:
        return tl.UpdateChatUserTyping(event.chat.id, who, action)
    return tl.UpdateUserTyping(event.who.id, action)


def _reaction(event: Event, viewer: Person):
    post = event.post
    assert post
    return tl.UpdateMessageReactions(peer(post.chat, viewer), post.id_for(viewer), reactions(post, viewer))


def _membership(event: Event, viewer: Person):
    assert event.chat
    is_supergroup = event.chat.kind is ChatKind.SUPERGROUP
    return tl.UpdateChannel(event.chat.id) if is_supergroup else tl.UpdateChat(event.chat.id)


COUNTED = {
    EventKind.NEW: lambda e, v: tl.UpdateNewMessage(message(e.post, v), e.pts, e.count),
    EventKind.EDIT: lambda e, v: tl.UpdateEditMessage(message(e.post, v), e.pts, e.count),
    EventKind.DELETE: lambda e, v: tl.UpdateDeleteMessages(list(e.ids), e.pts, e.count),
    EventKind.READ_IN: lambda e, v: tl.UpdateReadHistoryInbox(peer(e.chat, v), e.ids[0], e.unread, e.pts, e.count),
    EventKind.READ_OUT: lambda e, v: tl.UpdateReadHistoryOutbox(peer(e.chat, v), e.ids[0], e.pts, e.count),
    EventKind.REACTION: _reaction,
    EventKind.TYPING: _typing,
    EventKind.MEMBERSHIP: _membership,
}
CHANNEL = {
    EventKind.NEW: lambda e, v: tl.UpdateNewChannelMessage(message(e.post, v), e.pts, e.count),
    EventKind.EDIT: lambda e, v: tl.UpdateEditChannelMessage(message(e.post, v), e.pts, e.count),
    EventKind.DELETE: lambda e, v: tl.UpdateDeleteChannelMessages(e.chat.id, list(e.ids), e.pts, e.count),
    EventKind.READ_IN: lambda e, v: tl.UpdateReadChannelInbox(e.chat.id, e.ids[0], e.unread, e.pts),
    EventKind.READ_OUT: lambda e, v: tl.UpdateReadChannelOutbox(e.chat.id, e.ids[0]),
    EventKind.REACTION: _reaction,
    EventKind.TYPING: _typing,
    EventKind.MEMBERSHIP: _membership,
}


def company_of(posts: Iterable[Post]) -> tuple[set[Chat], set[Person]]:
    """Chats and persons that an answer holding these posts must introduce."""
    posts = list(posts)
    named = [post.guise or post.sender for post in posts] + [post.origin.author for post in posts if post.origin]
    chats = {post.chat for post in posts} | {one for one in named if isinstance(one, Chat)}
    return chats, {one for one in named if isinstance(one, Person)}


def company(chats: Iterable[Chat], persons: Iterable[Person], viewer: Person) -> tuple[list, list]:
    """The `users` and `chats` lists that go with an answer: each once."""
    groups = {group for group in chats if group.id}
    people = set(persons) | {one.other(viewer) for one in chats if not one.id}
    return [user(person, viewer) for person in people], [chat(group, viewer) for group in groups]


def _partial(full: tl.User) -> tl.User:
    """What Telegram tells of somebody whom it takes to be known, or not worth a word."""
    useless = 1
    return tl.User(full.id, min=True, access_hash=useless, first_name=full.first_name, status=full.status)


def push(event: Event, viewer: Person) -> tl.Updates:
    """What a session of the viewer is sent. `seq` 0: Telegram says so where order is by pts alone."""
    places, who = company_of([event.post] if event.post else [])
    who |= {event.who} if event.who else set()
    users, chats = company(places | ({event.chat} if event.chat else set()), who, viewer)
    if event.chat and event.chat.box:
        users = [
            _partial(one) if one.id in {person.id for person in who if person.is_partial} else one for one in users
        ]
    return tl.Updates([update(event, viewer)], users, chats, event.at or datetime.now(UTC), 0)
