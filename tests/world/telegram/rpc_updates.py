# pyright: basic, reportArgumentType=false
"""updates.*: where a client stands, and what it missed."""

from __future__ import annotations

from collections.abc import Sequence

from telethon.tl import functions as fn
from telethon.tl import types as tl

from tests.world.telegram import render
from tests.world.telegram.model import Box, Chat, Event, EventKind, Person, Post, RefusalError
from tests.world.telegram.rpc import Answer, Call
from tests.world.telegram.rpc_chats import dialog, state

SLICE = 100


def get_difference(call: Call):
    """Everything of the account after `pts`, in slices; supergroups that moved since `date` are named only."""
    request, box = call.request, call.me.box
    if call.too_long:
        return tl.updates.DifferenceTooLong(box.pts)
    events = box.after(request.pts)
    part = events[: min(request.pts_limit or SLICE, SLICE)]
    others = [tl.UpdateChannelTooLong(chat.id, chat.box.pts) for chat in _moved(call) if chat.box]
    if not part and not others:
        return tl.updates.DifferenceEmpty(call.society.clock(), 1)
    posts = _new(part, box)
    updates = others + [render.update(event, call.me) for event in _rest(part, box)]
    users, chats = _company(part, call.me, _moved(call))
    messages = [render.message(post, call.me) for post in posts]
    if len(part) < len(events):
        return tl.updates.DifferenceSlice(messages, [], updates, chats, users, state(call, part[-1].pts))
    return tl.updates.Difference(messages, [], updates, chats, users, state(call))


def _moved(call: Call) -> list[Chat]:
    since = call.request.date
    return [
        chat
        for chat in call.society.chats.values()
        if chat.box and call.me in chat.members and any((event.at or since) >= since for event in chat.box.events[-1:])
    ]


def _new(events: Sequence[Event], box: Box) -> list[Post]:
    """Messages that came, as they are now; those deleted meanwhile are left out."""
    return [
        event.post
        for event in events
        if event.kind is EventKind.NEW and event.post and event.post.ids.get(box) in box.posts
    ]


def _rest(events: Sequence[Event], box: Box) -> list[Event]:
    """What happened to messages that are still there, and deletions. Their pts stay in the updates, as documented."""
    return [
        event
        for event in events
        if event.kind is not EventKind.NEW and (event.post is None or event.post.ids.get(box) in box.posts)
    ]


def _company(events: Sequence[Event], me: Person, chats: Sequence[Chat]) -> tuple[list, list]:
    places, people = render.company_of(event.post for event in events if event.post)
    people |= {event.who for event in events if event.who}
    return render.company(places | {event.chat for event in events if event.chat} | set(chats), people, me)


def get_channel_difference(call: Call):
    request = call.request
    chat = call.channel(request.channel)
    box = chat.box
    assert box
    if request.pts <= 0:
        raise RefusalError("PERSISTENT_TIMESTAMP_EMPTY")
    if call.too_long:
        return _channel_too_long(call, chat, box)
    events = box.after(request.pts)
    if not events:
        return tl.updates.ChannelDifferenceEmpty(box.pts, final=True, timeout=30)
    part = events[: max(min(request.limit, SLICE), 1)]
    posts = _new(part, box)
    users, chats = _company(part, call.me, [chat])
    return tl.updates.ChannelDifference(
        part[-1].pts,
        [render.message(post, call.me) for post in posts],
        [render.update(event, call.me) for event in _rest(part, box)],
        chats,
        users,
        final=len(part) == len(events) or None,
        timeout=30,
    )


def _channel_too_long(call: Call, chat: Chat, box: Box):
    last = [box.posts[number] for number in box.thread(chat)[-1:]]
    users, chats = render.company([chat], {post.sender for post in last}, call.me)
    messages = [render.message(post, call.me) for post in last]
    return tl.updates.ChannelDifferenceTooLong(dialog(call, chat), messages, chats, users, final=True, timeout=30)


ANSWERS: dict[type, Answer] = {
    fn.updates.GetStateRequest: state,
    fn.updates.GetDifferenceRequest: get_difference,
    fn.updates.GetChannelDifferenceRequest: get_channel_difference,
}
