"""Which rows the bot's messages belong to that it sent without ever hearing so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from conversations.typeset import REPEAT
from scripts.experiments.mind import ANSWERS
from tests.world.telegram import SentMessage


def match_originals(said: Sequence[SentMessage], rows: Sequence[Any]) -> Iterator[tuple[SentMessage, Any]]:
    """Pairs of such a message and its row.

    A row accounts for one message that was sent before its repeat; one of whose repeat nobody knows either, for both.
    """
    free = [row for row in rows if row["front"].startswith("bot:") and _is_doubtful(row)]
    left = {row["id"]: 2 if row["status"] == "ambiguous" else 1 for row in free}
    unmatched = list(said)
    for is_it in (_is_exactly_it, _is_perhaps_it):  # what can be told for sure takes nobody else's place
        for one in list(unmatched):
            row = next((row for row in free if left[row["id"]] and _is_there(one, row) and is_it(one, row)), None)
            if row is not None:
                left[row["id"]] -= 1
                unmatched.remove(one)
                yield one, row


def _is_doubtful(row: Any) -> bool:
    return row["status"] == "ambiguous" or row["text"].startswith(REPEAT)


def _is_there(said: SentMessage, row: Any) -> bool:
    """What was sent into a group that has moved since stands there still, wherever its row was sent in the end."""
    places = {int(key.partition("/")[0]) for key in (row["chat_id"], row["former_chat"]) if key}
    stands = {chat.peer_id(said.sender) for chat in (said.chat, said.chat.moved_to) if chat is not None}
    return not places.isdisjoint(stands)


def _is_exactly_it(said: SentMessage, row: Any) -> bool:
    return _unmarked(said.text) == _unmarked(row["text"])


def _unmarked(text: str) -> str:
    """What is told, whether it says that it may have been told before or not; of a file nothing else may be said."""
    return text.strip().removeprefix(REPEAT.strip()).strip()


def _is_perhaps_it(said: SentMessage, row: Any) -> bool:
    """What has grown or changed since has another text by now; what gives a nonce back is held to every letter."""
    replied = said.post.reply_to.id_for(said.sender) if said.post.reply_to else None
    return not ANSWERS.search(said.text) and replied == row["reply_to"]
