"""Files to and from the Bot API."""

from __future__ import annotations

from typing import Any

from telegram import InputFile, Message

from core.attachment import File, tell_size
from core.errors import SessionError, Undeliverable
from integrations.telegram.bot_line import FILE_SECONDS, BotLine
from integrations.telegram.bot_refusals import words_of
from integrations.telegram.transfers import NO_PHOTO, is_photo

# How the Bot API says that it will not show a picture as a photo: it can still go as a file.
NO_PHOTO_WORDS = (*(name.lower() for name in NO_PHOTO), "rights to send photos")


async def download(line: BotLine, reference: str, limit: int) -> bytes:
    """The file with that id. Raises Undeliverable when it is gone, or larger than `limit` or what bots may fetch."""
    found = await line.call(line.api.get_file(reference))
    if (found.file_size or 0) > limit:
        raise Undeliverable(f"The file is larger than {tell_size(limit)}.")
    address = found.file_path or ""
    if not address.startswith("http"):
        raise Undeliverable("The Bot API server keeps its files to itself: run it without --local.")
    try:
        content = await line.download(address)
    except SessionError as error:  # what is found nowhere; the token was good a moment ago
        raise Undeliverable("The file is not there any more.") from error
    if len(content) > limit:
        raise Undeliverable(f"The file is larger than {tell_size(limit)}.")
    return content


async def send_file(line: BotLine, chat: int, file: File, said: dict[str, Any]) -> Message:
    """A picture as a photo; as a file where Telegram will not show it, and everything else."""
    api, said = line.api, {**said, "read_timeout": FILE_SECONDS, "write_timeout": FILE_SECONDS}
    if is_photo(file):
        try:
            return await line.call(api.send_photo(chat, _content(file), **said), FILE_SECONDS)
        except Undeliverable as refusal:
            if not any(words in words_of(refusal) for words in NO_PHOTO_WORDS):
                raise
        # Nothing was accepted, so nothing is sent twice.
    sending = api.send_document(chat, _content(file), disable_content_type_detection=True, **said)
    return await line.call(sending, FILE_SECONDS)


def _content(file: File) -> InputFile:
    return InputFile(file.content, file.name)
