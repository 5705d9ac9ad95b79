# pyright: basic, reportArgumentType=false
"""Dialogs, groups and their members."""

from __future__ import annotations

from telethon.tl import functions as fn
from telethon.tl import types as tl

from tests.world.telegram import render
from tests.world.telegram.model import Chat, ChatKind, Post, RefusalError
from tests.world.telegram.rpc import Answer, Call, moment


def state(call: Call, pts: int | None = None) -> tl.updates.State:
    me = call.me
    unread = sum(call.society.unread(me, chat) for chat in call.society.chats_of(me))
    return tl.updates.State(pts or me.box.pts, 0, call.society.clock(), 1, unread)


def last_post(call: Call, chat: Chat) -> Post | None:
    box = chat.box_of(call.me)
    thread = box.thread(chat)
    return box.posts[thread[-1]] if thread else None


def dialog(call: Call, chat: Chat) -> tl.Dialog:
    me, last = call.me, last_post(call, chat)
    mark = me.read_in.get(chat, 0)
    box = chat.box_of(me)
    mentions = sum(1 for number in box.thread(chat) if number > mark and me.id in box.posts[number].mentions)
    return tl.Dialog(
        render.peer(chat, me),
        last.id_for(me) if last else 0,
        mark,
        me.read_out.get(chat, 0),
        call.society.unread(me, chat),
        mentions,
        0,
        0,
        tl.PeerNotifySettings(),
        pts=chat.box.pts if chat.box else None,
    )


def _ordered(call: Call) -> list[Chat]:
    """Dialogs with something in them, newest first."""
    listed = [(last, chat) for chat in call.society.chats_of(call.me) if (last := last_post(call, chat))]
    listed.sort(key=lambda pair: (pair[0].at, pair[0].number), reverse=True)
    return [chat for _, chat in listed]


def get_dialogs(call: Call):
    request = call.request
    chats = [] if request.folder_id else _ordered(call)
    total = len(chats)
    if not isinstance(request.offset_peer, tl.InputPeerEmpty):
        before = call.chat(request.offset_peer)
        chats = chats[chats.index(before) + 1 :] if before in chats else chats
    elif newest := moment(request.offset_date):
        chats = [chat for chat in chats if (last := last_post(call, chat)) and last.at <= newest]
    page = chats[: min(max(request.limit, 1), 100)]
    dialogs, messages, users, groups = _described(call, page)
    if total > len(page):
        return tl.messages.DialogsSlice(total, dialogs, messages, groups, users)
    return tl.messages.Dialogs(dialogs, messages, groups, users)


def _described(call: Call, page: list[Chat]) -> tuple[list, list, list, list]:
    posts = [last for chat in page if (last := last_post(call, chat))]
    users, groups = render.company(page, render.company_of(posts)[1], call.me)
    return [dialog(call, chat) for chat in page], [render.message(post, call.me) for post in posts], users, groups


def get_peer_dialogs(call: Call):
    page = [call.chat(given.peer) for given in call.request.peers if isinstance(given, tl.InputDialogPeer)]
    dialogs, messages, users, groups = _described(call, page)
    return tl.messages.PeerDialogs(dialogs, messages, groups, users, state(call))


def get_pinned_dialogs(call: Call):
    return tl.messages.PeerDialogs([], [], [], [], state(call))


def get_forum_topics(call: Call):
    """Topics, the one that moved last first; the general one is number 1."""
    request = call.request
    chat = call.chat(request.peer)
    if not chat.forum or not chat.box:
        raise RefusalError("CHANNEL_FORUM_MISSING")
    last: dict[int, Post] = {}
    for number in chat.box.thread(chat):
        post = chat.box.posts[number]
        last[post.topic or (number if post.action == "topic" else 1)] = post
    listed = sorted(last.items(), key=lambda item: item[1].number, reverse=True)
    if request.offset_topic:
        listed = listed[[number for number, _ in listed].index(request.offset_topic) + 1 :]
    page = listed[: min(request.limit, FORUM_PAGE)]
    topics = [_forum_topic(call, chat, number, post) for number, post in page]
    users, groups = render.company([chat], render.company_of(post for _, post in page)[1], call.me)
    messages = [render.message(post, call.me) for _, post in page]
    return tl.messages.ForumTopics(len(last), topics, messages, groups, users, chat.box.pts)


def _forum_topic(call: Call, chat: Chat, number: int, post: Post) -> tl.ForumTopic:
    known = chat.topics.get(number)
    return tl.ForumTopic(
        number,
        chat.created,
        render.peer(chat, call.me),
        known.title if known else "General",
        0,
        post.id_for(call.me),
        *(0,) * 6,
        from_id=tl.PeerUser(chat.members[0].id),
        notify_settings=tl.PeerNotifySettings(),
        closed=(known.closed if known else False) or None,
    )


def get_chats(call: Call):
    return tl.messages.Chats([render.chat(call.group(number), call.me) for number in call.request.id])


def get_channels(call: Call):
    return tl.messages.Chats([render.chat(call.channel(given), call.me) for given in call.request.id])


def get_full_chat(call: Call):
    chat = call.group(call.request.chat_id)
    people = [tl.ChatParticipant(person.id, chat.members[0].id, chat.created) for person in chat.members]
    full = tl.ChatFull(
        id=chat.id,
        about="",
        participants=tl.ChatParticipants(chat.id, people, 1),
        notify_settings=tl.PeerNotifySettings(),
    )
    users, groups = render.company([chat], chat.members, call.me)
    return tl.messages.ChatFull(full, groups, users)


def get_full_channel(call: Call):
    chat = call.channel(call.request.channel)
    assert chat.box
    full = tl.ChannelFull(
        id=chat.id,
        about="",
        read_inbox_max_id=call.me.read_in.get(chat, 0),
        read_outbox_max_id=call.me.read_out.get(chat, 0),
        unread_count=call.society.unread(call.me, chat),
        chat_photo=tl.PhotoEmpty(0),
        notify_settings=tl.PeerNotifySettings(),
        bot_info=[],
        pts=chat.box.pts,
        participants_count=len(chat.members),
    )
    users, groups = render.company([chat], [], call.me)
    return tl.messages.ChatFull(full, groups, users)


def get_participants(call: Call):
    chat, request = call.channel(call.request.channel), call.request
    page = chat.members[request.offset : request.offset + min(request.limit, 200)]
    users, groups = render.company([chat], page, call.me)
    listed = [tl.ChannelParticipant(person.id, chat.created) for person in page]
    return tl.channels.ChannelParticipants(len(chat.members), listed, groups, users)


def get_participant(call: Call):
    chat = call.channel(call.request.channel)
    person = call.person(call.request.participant)
    users, groups = render.company([chat], [person], call.me)
    participant = tl.ChannelParticipant(person.id, chat.created)
    return tl.channels.ChannelParticipant(participant, groups, users)


def get_common_chats(call: Call):
    person = call.person(call.request.user_id)
    shared = [chat for chat in call.society.chats.values() if {person, call.me} <= set(chat.members)]
    return tl.messages.Chats([render.chat(chat, call.me) for chat in shared if chat.kind is not ChatKind.DM])


FORUM_PAGE = 20  # small, so that tests see more than one
ANSWERS: dict[type, Answer] = {
    fn.messages.GetForumTopicsRequest: get_forum_topics,
    fn.messages.GetDialogsRequest: get_dialogs,
    fn.messages.GetPeerDialogsRequest: get_peer_dialogs,
    fn.messages.GetPinnedDialogsRequest: get_pinned_dialogs,
    fn.messages.GetChatsRequest: get_chats,
    fn.channels.GetChannelsRequest: get_channels,
    fn.messages.GetFullChatRequest: get_full_chat,
    fn.channels.GetFullChannelRequest: get_full_channel,
    fn.channels.GetParticipantsRequest: get_participants,
    fn.channels.GetParticipantRequest: get_participant,
    fn.messages.GetCommonChatsRequest: get_common_chats,
}
