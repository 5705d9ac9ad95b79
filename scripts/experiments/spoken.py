"""What our two accounts said in the chats, and how the tables name a message."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from conversations.typeset import REPEAT
from scripts.experiments.stage import Cast, Key, front_name
from tests.world.telegram import Chat, SentMessage, TelegramWorld, Topic


def said_by_us(world: TelegramWorld, cast: Cast) -> Iterator[SentMessage]:
    """What stands in the chats with others."""
    for front in cast.fronts:
        own = world.dm(front, front)
        yield from (one for one in world.messages(sender=front) if one.chat is not own and not one.deleted)


def key_of(message: SentMessage, cast: Cast) -> Key:
    """The message as the tables have it: by what the front that answers there sees."""
    front = cast.front_in(message.chat)
    chat = str(message.chat.peer_id(front))
    return front_name(front), f"{chat}/{message.topic}" if message.topic else chat, message.id_for(front)


def files_by_content(said: Iterable[SentMessage]) -> dict[str, list[SentMessage]]:
    """What was sent as files, by what these hold."""
    found: defaultdict[str, list[SentMessage]] = defaultdict(list)
    for one in said:
        if one.media:
            found[one.media.content.decode(errors="replace").strip()].append(one)
    return found


def where(said: SentMessage) -> Chat | Topic:
    """The place of a message, as it is now: in a forum its topic, of a group that has become another that one."""
    return said.chat.topics.get(said.topic, said.chat.moved_to or said.chat)


def is_repeat(said: SentMessage) -> bool:
    """Whether it says of itself that it may have been said before, as only the bot does; a file's caption holds
    nothing else."""
    return said.sender.is_bot and said.text.startswith(REPEAT.strip())


def stand_once(said: list[SentMessage]) -> bool:
    """Whether something was said once, as far as anybody can know: a possible repeat says that it is one."""
    repeats = sum(is_repeat(one) for one in said)
    return len(said) - repeats <= 1 and repeats <= 1 and bool(said)
