# pyright: basic, reportArgumentType=false
"""Sending, editing, deleting, reacting, reading, typing: messages.* and their channels.* twins."""

from __future__ import annotations

from telethon.tl import functions as fn
from telethon.tl import types as tl

from tests.world.telegram import render
from tests.world.telegram.model import Chat, ChatKind, Draft, Event, Post, RefusalError
from tests.world.telegram.rpc import Answer, Call


def draft(call: Call, chat: Chat, *, media=None) -> Draft:
    request = call.request
    if not request.random_id:
        raise RefusalError("RANDOM_ID_EMPTY")
    return Draft(
        chat,
        call.me,
        request.message,
        render.entities_from(request.entities),
        _replied(call, chat),
        request.random_id,
        media,
        topic=_topic(call, chat),
    )


def _topic(call: Call, chat: Chat) -> int:
    """The topic that a send is for: named, or that of the message it replies to."""
    given = call.request.reply_to
    if not chat.forum or not isinstance(given, tl.InputReplyToMessage):
        return 0
    if given.top_msg_id or given.reply_to_msg_id in chat.topics:
        return given.top_msg_id or given.reply_to_msg_id
    return call.post(chat, given.reply_to_msg_id).topic


def _replied(call: Call, chat: Chat) -> Post | None:
    given = call.request.reply_to
    if not isinstance(given, tl.InputReplyToMessage) or not given.reply_to_msg_id:
        return None
    if given.reply_to_msg_id in chat.topics:
        return None
    try:
        return call.post(chat, given.reply_to_msg_id)
    except RefusalError:
        raise RefusalError("REPLY_MESSAGE_ID_INVALID") from None


def send_message(call: Call):
    chat = call.chat(call.request.peer)
    post = call.society.send(draft(call, chat), call.link)
    return sent(call, post)


def sent(call: Call, post: Post):
    """The result of a send: short in a DM, whole elsewhere, as Telegram answers."""
    event = post.chat.box_of(call.me).events[-1]
    if post.chat.kind is ChatKind.DM and not post.media:
        entities = [render.entity(item) for item in post.entities] or None
        return tl.UpdateShortSentMessage(post.id_for(call.me), event.pts, 1, post.at, out=True, entities=entities)
    result = render.push(event, call.me)
    result.updates.insert(0, tl.UpdateMessageID(post.id_for(call.me), post.random_id or 0))
    return result


def edit_message(call: Call):
    request = call.request
    chat = call.chat(request.peer)
    post = call.post(chat, request.id)
    call.society.edit(call.act, post, request.message or "", render.entities_from(request.entities))
    return render.push(chat.box_of(call.me).events[-1], call.me)


def delete_messages(call: Call):
    box, count = call.me.box, 0
    by_chat: dict[Chat, list[Post]] = {}
    for number in call.request.id:
        post = box.posts.get(number)
        if post:
            by_chat.setdefault(post.chat, []).append(post)
            count += 1
    for chat, posts in by_chat.items():
        call.society.delete(call.act, chat, posts, revoke=bool(call.request.revoke))
    return tl.messages.AffectedMessages(box.pts, count)


def delete_channel_messages(call: Call):
    chat = call.channel(call.request.channel)
    assert chat.box
    posts = [chat.box.posts[number] for number in call.request.id if number in chat.box.posts]
    if any(post.sender is not call.me and chat.creator is not call.me for post in posts):
        raise RefusalError("MESSAGE_DELETE_FORBIDDEN", 403)
    call.society.delete(call.act, chat, posts)
    return tl.messages.AffectedMessages(chat.box.pts, len(posts))


def send_reaction(call: Call):
    request = call.request
    post = call.post(call.chat(request.peer), request.msg_id)
    given = [item for item in request.reaction or () if not isinstance(item, tl.ReactionEmpty)]
    if any(not isinstance(item, tl.ReactionEmoji) for item in given):
        raise RefusalError("REACTION_INVALID")
    call.society.react(call.act, post, [item.emoticon for item in given])
    return _reactions(call, [post])


def _reactions(call: Call, posts: list[Post]) -> tl.Updates:
    updates: list = [
        tl.UpdateMessageReactions(
            render.peer(post.chat, call.me), post.id_for(call.me), render.reactions(post, call.me)
        )
        for post in posts
    ]
    people = [person for post in posts for person in post.reactions]
    users, chats = render.company({post.chat for post in posts}, people, call.me)
    return tl.Updates(updates, users, chats, call.society.clock(), 0)


def get_reactions(call: Call):
    chat = call.chat(call.request.peer)
    return _reactions(call, [call.post(chat, number) for number in call.request.id])


def list_reactions(call: Call):
    request = call.request
    post = call.post(call.chat(request.peer), request.id)
    wanted = getattr(request.reaction, "emoticon", None)
    found = [one for one in render.latest_reactions(post) if wanted in (None, one.emoji)]
    start = int(request.offset or 0)
    page = found[start : start + request.limit]
    users, chats = render.company([post.chat], [one.person for one in page], call.me)
    listed = [render.peer_reaction(one, call.me) for one in page]
    after = start + len(page)
    more = str(after) if after < len(found) else None
    return tl.messages.MessageReactionsList(len(found), listed, chats, users, more)


def _read(call: Call, chat: Chat) -> Event | None:
    return call.society.read(call.act, chat, call.request.max_id)


def read_history(call: Call):
    event = _read(call, call.chat(call.request.peer))
    return tl.messages.AffectedMessages(event.pts if event else call.me.box.pts, event.count if event else 0)


def read_discussion(call: Call) -> bool:
    chat = call.chat(call.request.peer)
    if call.request.msg_id not in chat.topics:
        raise RefusalError("TOPIC_ID_INVALID")
    call.society.read(call.act, chat, call.request.read_max_id)
    return True


def read_channel(call: Call) -> bool:
    _read(call, call.channel(call.request.channel))
    return True


def set_typing(call: Call) -> bool:
    kinds = {maker: name for name, maker in render.ACTIONS.items()}
    action = kinds.get(type(call.request.action), type(call.request.action).__name__)
    call.society.type(call.act, call.chat(call.request.peer), action, call.request.top_msg_id or 0)
    return True


def nothing_more(call: Call):
    """Mentions, reactions and contents marked as read: accepted, nothing moves."""
    box = call.me.box
    if isinstance(call.request, fn.channels.ReadMessageContentsRequest):
        return True
    if isinstance(call.request, fn.messages.ReadMessageContentsRequest):
        return tl.messages.AffectedMessages(box.pts, 0)
    return tl.messages.AffectedHistory(box.pts, 0, 0)


ANSWERS: dict[type, Answer] = {
    fn.messages.SendMessageRequest: send_message,
    fn.messages.EditMessageRequest: edit_message,
    fn.messages.DeleteMessagesRequest: delete_messages,
    fn.channels.DeleteMessagesRequest: delete_channel_messages,
    fn.messages.SendReactionRequest: send_reaction,
    fn.messages.GetMessagesReactionsRequest: get_reactions,
    fn.messages.GetMessageReactionsListRequest: list_reactions,
    fn.messages.ReadHistoryRequest: read_history,
    fn.channels.ReadHistoryRequest: read_channel,
    fn.messages.ReadDiscussionRequest: read_discussion,
    fn.messages.SetTypingRequest: set_typing,
    fn.messages.ReadMentionsRequest: nothing_more,
    fn.messages.ReadReactionsRequest: nothing_more,
    fn.messages.ReadMessageContentsRequest: nothing_more,
    fn.channels.ReadMessageContentsRequest: nothing_more,
}
