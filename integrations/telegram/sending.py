# pyright: basic
"""What a send and a change come to: the request for each kind of part, and the number that Telegram gave it."""

from __future__ import annotations

from typing import Any

from telethon import errors
from telethon.tl import functions as fn
from telethon.tl import types as tl

from core.attachment import File
from core.errors import Undeliverable, Unreachable
from integrations.telegram.line import Line
from integrations.telegram.refusals import name_of
from integrations.telegram.transfers import NO_PHOTO, is_photo, media_of, upload


def reply_of(message_id: int | None, topic: int) -> Any:
    """What a message answers; in a topic at least the topic."""
    if topic:
        return tl.InputReplyToMessage(message_id or topic, top_msg_id=topic if message_id else None)
    return tl.InputReplyToMessage(message_id) if message_id else None


def channel_of(peer: tl.InputPeerChannel) -> tl.InputChannel:
    return tl.InputChannel(peer.channel_id, peer.access_hash)


async def unless_done(line: Line, request: Any) -> None:
    """Ask for a change; that nothing was left to change is success."""
    try:
        await line.call(request)
    except Undeliverable as refusal:
        if not isinstance(refusal.__cause__, errors.MessageNotModifiedError):
            raise


async def send_file(line: Line, peer: Any, file: File, said: dict[str, Any]) -> Any:
    """A picture as a photo; as a file where Telegram will not show it, and everything else."""
    uploaded = await upload(line, file)
    if is_photo(file):
        try:
            photo = media_of(uploaded, file, as_photo=True)
            return await line.call(fn.messages.SendMediaRequest(peer, photo, **said))
        except Undeliverable as refusal:
            if name_of(refusal.__cause__ or refusal) not in NO_PHOTO:
                raise
        # Nothing was accepted, so the same random_id still counts once.
        uploaded = await upload(line, file)
    return await line.call(fn.messages.SendMediaRequest(peer, media_of(uploaded, file, as_photo=False), **said))


def sent_id(result: Any, random_id: int) -> int:
    """The number that a message got, from the answer to its sending."""
    if isinstance(result, tl.UpdateShortSentMessage):
        return result.id
    for update in getattr(result, "updates", ()):
        if isinstance(update, tl.UpdateMessageID) and update.random_id == random_id:
            return update.id
    raise Unreachable("Telegram took the message without saying its number.")
