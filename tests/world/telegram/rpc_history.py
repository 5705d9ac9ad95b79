# pyright: basic, reportArgumentType=false
"""History, search and single messages, with Telegram's paging (offset_id, add_offset, limit, max_id, min_id)."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from telethon.tl import functions as fn
from telethon.tl import types as tl

from tests.world.telegram import render
from tests.world.telegram.model import Box, Chat, Post, RefusalError
from tests.world.telegram.rpc import Answer, Call, moment

PAGE = 100


@dataclass(frozen=True)
class Window:
    """Which part of a list, newest first: below offset_id or offset_date, moved by add_offset, min_id < id < max_id."""

    offset_id: int
    offset_date: datetime | None
    add_offset: int
    limit: int
    max_id: int
    min_id: int


def cut(box: Box, ids: Sequence[int], window: Window) -> list[int]:
    """The page of an ascending id list, newest first.

    What would lie above the newest message is cut off, not shifted; max_id and min_id then take away from the page,
    so a low max_id alone finds nothing (as clients have learnt of the real server).
    """
    end = len(ids)
    if window.offset_id:
        end = bisect.bisect_left(ids, window.offset_id)
    elif window.offset_date:
        end = sum(1 for number in ids if box.posts[number].at < window.offset_date)
    newest = end - window.add_offset
    oldest = newest - min(max(window.limit, 0), PAGE)
    page = ids[max(oldest, 0) : max(min(newest, len(ids)), 0)]
    return [number for number in reversed(page) if number > window.min_id and number < (window.max_id or number + 1)]


def get_history(call: Call):
    request = call.request
    chat = call.chat(request.peer)
    box = chat.box_of(call.me)
    date = moment(request.offset_date)
    window = Window(request.offset_id, date, request.add_offset, request.limit, request.max_id, request.min_id)
    ids = box.thread(chat)
    return answer(call, [box.posts[number] for number in cut(box, ids, window)], len(ids), chat)


def get_replies(call: Call):
    """A topic's history."""
    request = call.request
    chat = call.chat(request.peer)
    if request.msg_id not in chat.topics:
        raise RefusalError("TOPIC_ID_INVALID")
    box = chat.box_of(call.me)
    date = moment(request.offset_date)
    window = Window(request.offset_id, date, request.add_offset, request.limit, request.max_id, request.min_id)
    ids = [number for number in box.thread(chat) if box.posts[number].topic == request.msg_id]
    return answer(call, [box.posts[number] for number in cut(box, ids, window)], len(ids), chat)


def search(call: Call):
    request = call.request
    chat = call.chat(request.peer)
    box = chat.box_of(call.me)
    ids = [number for number in box.thread(chat) if _found(call, box.posts[number])]
    window = Window(request.offset_id, None, request.add_offset, request.limit, request.max_id, request.min_id)
    return answer(call, [box.posts[number] for number in cut(box, ids, window)], len(ids), chat)


def _found(call: Call, post: Post) -> bool:
    request = call.request
    if post.action or request.q.lower() not in post.text.lower():
        return False
    if request.from_id and call.person(request.from_id) is not post.sender:
        return False
    if request.top_msg_id and post.topic != request.top_msg_id:
        return False
    oldest, newest = moment(request.min_date), moment(request.max_date)
    after = oldest is None or post.at > oldest
    before = newest is None or post.at < newest
    return after and before and _filtered(request.filter, post, call)


def _filtered(wanted, post: Post, call: Call) -> bool:
    if isinstance(wanted, tl.InputMessagesFilterMyMentions):
        return call.me.id in post.mentions
    if isinstance(wanted, tl.InputMessagesFilterDocument):
        return post.media is not None and post.media.kind == "document"
    if isinstance(wanted, tl.InputMessagesFilterPhotos):
        return post.media is not None and post.media.kind == "photo"
    return True


def answer(call: Call, posts: list[Post], total: int, chat: Chat):
    """Messages with the people they name; a slice where there are more."""
    messages = [render.message(post, call.me) for post in posts]
    chats, people = render.company_of(posts)
    users, groups = render.company(chats | {chat}, people, call.me)
    if chat.box:
        return tl.messages.ChannelMessages(chat.box.pts, total, messages, [], groups, users)
    if total > len(messages):
        return tl.messages.MessagesSlice(total, messages, [], groups, users)
    return tl.messages.Messages(messages, [], groups, users)


def _number(given) -> int:
    return given if isinstance(given, int) else getattr(given, "id", 0)


def get_messages(call: Call):
    box = call.me.box
    return _picked(call, box, [_number(given) for given in call.request.id])


def get_channel_messages(call: Call):
    chat = call.channel(call.request.channel)
    assert chat.box
    found = _picked(call, chat.box, [_number(given) for given in call.request.id])
    users, groups = render.company([chat], [], call.me)
    known = {one.id for one in found.users}
    users = found.users + [one for one in users if one.id not in known]
    return tl.messages.ChannelMessages(chat.box.pts, len(found.messages), found.messages, [], groups, users)


def _picked(call: Call, box: Box, numbers: list[int]) -> tl.messages.Messages:
    posts = [box.posts[number] for number in numbers if number in box.posts]
    chats, people = render.company_of(posts)
    users, groups = render.company(chats, people, call.me)
    messages = [
        render.message(box.posts[number], call.me) if number in box.posts else tl.MessageEmpty(number, None)
        for number in numbers
    ]
    return tl.messages.Messages(messages, [], groups, users)


ANSWERS: dict[type, Answer] = {
    fn.messages.GetHistoryRequest: get_history,
    fn.messages.GetRepliesRequest: get_replies,
    fn.messages.SearchRequest: search,
    fn.messages.GetMessagesRequest: get_messages,
    fn.channels.GetMessagesRequest: get_channel_messages,
}
