"""What was said, promised or paid for though nobody had asked for it: answers to service messages, above all."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from integrations.telegram.presses import number_of
from scripts.experiments.mind import Mind, follower, words_of
from scripts.experiments.people import People
from scripts.experiments.spoken import key_of
from scripts.experiments.stage import Cast, Key, Tables
from tests.world.telegram import SentMessage, TelegramWorld

TAKEN = """
    SELECT front, chat_id, message_id, sender_id, reply_to, text, reason, turn_id FROM messages
    WHERE turn_id IS NOT NULL AND front <> 'local' AND chat_id <> ?"""
PROMISED = "SELECT id, task_description AS task FROM promises"
# What the owner may be told of the product's own accord, in a direct chat.
ALERTS = re.compile(r"A group has become a supergroup, |For a while nothing could be written: ")


@dataclass(frozen=True)
class Wishes:
    """What people have wanted, by the world's own record."""

    world: TelegramWorld
    cast: Cast
    people: People
    mind: Mind
    tables: Tables

    def unasked(self, said: Mapping[Key, SentMessage], rows: Mapping[Key, sqlite3.Row]) -> Iterator[str]:
        """One line for each thing that nobody wanted. `rows` tell of what was `said`."""
        for row in self._taken:
            if not self._is_wanted(row):
                yield f"taken up unasked: {row['text'][:60]!r} in {row['chat_id']} ({row['reason']})"
        for row in self._promised:
            if not self._nonces_in(row["task"]):
                yield f"promised unasked: promise {row['id']} ({row['task'][:60]!r})"
        for key, one in said.items():
            if not (self._replies_to_a_wish(one) and self._is_told(one, rows.get(key))):
                yield f"said unasked: {one.text[:60]!r} in {key[1]}"
        for question in sorted(self.mind.questions):
            if not words_of(question) or any(word.nonce not in self._nonces for word in words_of(question)):
                yield f"paid unasked: {question[:60]!r}"

    # -- what people did

    @cached_property
    def _asked(self) -> dict[Key, int]:
        """The messages that are to be answered, with their numbers in the world."""
        wanted = (asked.message for asked in self.people.asked if asked.wanted)
        return {key_of(one, self.cast): one.number for one in wanted}

    @cached_property
    def _nonces(self) -> set[str]:
        own = {asked.nonce for asked in self.people.asked if asked.wanted and asked.nonce}
        return own | {follower(nonce) for nonce in own}

    @cached_property
    def _pressed(self) -> set[int]:
        return {number_of(one.query) for one in self.people.pressed}

    @cached_property
    def _thumbs(self) -> set[tuple[int, int]]:
        """Who reacted to which of the account's messages, by their numbers there."""
        deeds = (deed for deed in self.world.ledger.deeds if deed.kind == "reaction" and deed.number)
        posts = self.world.ledger.posts
        return {(deed.person.id, posts[deed.number or 0].id_for(self.cast.valor)) for deed in deeds}

    # -- what the tables made of it

    @cached_property
    def _taken(self) -> list[sqlite3.Row]:
        return self.tables.query(TAKEN, self.tables.own)

    @cached_property
    def _promised(self) -> list[sqlite3.Row]:
        return self.tables.query(PROMISED)

    @cached_property
    def _turns(self) -> set[int]:
        """Those that somebody has asked for."""
        return {row["turn_id"] for row in self._taken if self._is_wanted(row)}

    @cached_property
    def _promises(self) -> set[int]:
        return {row["id"] for row in self._promised if self._nonces_in(row["task"])}

    def _is_wanted(self, row: sqlite3.Row) -> bool:
        is_thumb = row["message_id"] < 0 and (row["sender_id"], row["reply_to"]) in self._thumbs
        key = (row["front"], row["chat_id"], row["message_id"])
        return key in self._asked or row["message_id"] in self._pressed or is_thumb

    def _nonces_in(self, task: str) -> bool:
        """Whether a promise holds what somebody asked for."""
        return any(word.nonce in self._nonces for word in words_of(task))

    # -- what was said

    def _replies_to_a_wish(self, said: SentMessage) -> bool:
        """What replies to nothing, or to one of ours, is judged by its row alone."""
        replied = said.post.reply_to
        return replied is None or replied.sender in self.cast.fronts or replied.number in self._numbers

    @cached_property
    def _numbers(self) -> set[int]:
        return set(self._asked.values())

    def _is_told(self, said: SentMessage, row: sqlite3.Row | None) -> bool:
        """Whether its row says for whom it was. What has none is a fault of its own."""
        if row is None:
            return True
        if row["turn_id"] is not None or row["promise_id"] is not None:
            return row["turn_id"] in self._turns or row["promise_id"] in self._promises
        is_owners = not said.chat.id and self.cast.owner in said.chat.members
        return row["kind"] == "notice" and is_owners and bool(ALERTS.match(said.text))
