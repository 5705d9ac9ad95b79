"""What must be true when everything is quiet, by the world's own record, the directories and the tables."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from scripts.experiments.mind import ANSWERS, PROMISED, Mind, words_of
from scripts.experiments.order import Span, find_disorder
from scripts.experiments.people import Asked, People, where
from scripts.experiments.stage import Cast, Tables, directories
from scripts.experiments.writers import count_lines, find_overlaps
from tests.world.telegram import SentMessage, TelegramWorld

MESSAGES = """
    SELECT m.chat_id, m.message_id, m.answer, m.reason, m.turn_id, t.status, t.kind, t.error
    FROM messages m LEFT JOIN turns t ON t.id = m.turn_id"""
DELIVERIES = "SELECT * FROM deliveries WHERE front <> 'local' AND chat_id <> ? ORDER BY id"
PROMISES = "SELECT id, task_description, status, error_message FROM promises"
TWICE = 'SELECT run_id, "key", COUNT(*) FROM steps GROUP BY run_id, "key" HAVING COUNT(*) > 1'
SETTLED = ("completed", "failed", "cancelled")
Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that the checker looks at."""

    world: TelegramWorld
    cast: Cast
    home: Path
    tables: Tables
    people: People
    mind: Mind


class Checker:
    """One look at a quiet scene. The turns and promises that are excused may have failed."""

    def __init__(self, scene: Scene, turns: Collection[int] = (), promises: Collection[int] = ()) -> None:
        self._scene = scene
        self._excused = turns, promises
        self._rows = {(row["chat_id"], row["message_id"]): row for row in scene.tables.query(MESSAGES)}
        self._written = scene.tables.query(DELIVERIES, scene.tables.own)  # a self-ping may be under way
        self._deliveries = [row for row in self._written if row["status"] != "dropped"]
        self._promises = {word.nonce: row for row in scene.tables.query(PROMISES) for word in words_of(row[1])}
        self.counts: Counter[str] = Counter()

    def violations(self) -> list[str]:
        """One line each, the rule first."""
        parts = (
            *(self._of_message(asked) for asked in self._scene.people.asked),
            self._of_promises(),
            self._of_tables(),
            find_disorder(self._written, {key: self._spans[one.number] for key, one in self._said.items()}),
            self._of_directories(),
            (f"paid twice: {what}" for what in self._scene.mind.paid_twice),
        )
        return [line for part in parts for line in part]

    # -- what the world shows

    @cached_property
    def _said(self) -> dict[Key, SentMessage]:
        """What Valor said and did not take back, by chat and its number."""
        return {key_of(one, self._scene.cast): one for one in said_by_valor(self._scene)}

    @cached_property
    def _spans(self) -> dict[int, Span]:
        """When each message was accepted, and last changed, by its number in the world."""
        spans: dict[int, Span] = {}
        for moment, deed in enumerate(self._scene.world.ledger.deeds):
            if deed.number and deed.kind in {"message", "edit"}:
                spans[deed.number] = spans.get(deed.number, (moment, moment))[0], moment
        return spans

    @cached_property
    def _given_back(self) -> dict[str, list[SentMessage]]:
        """Each nonce with its mark, and the messages that hold it."""
        found: defaultdict[str, list[SentMessage]] = defaultdict(list)
        for one in self._said.values():
            for mark, nonce in ANSWERS.findall(one.text):
                found[f"{mark}:{nonce}"].append(one)
        return found

    @cached_property
    def _replies(self) -> dict[int, list[SentMessage]]:
        """What Valor replied to each message (by its number in the world), what it says of promises left out."""
        others = {(row["chat_id"], row["message_id"]) for row in self._deliveries if row["kind"] != "answer"}
        found: defaultdict[int, list[SentMessage]] = defaultdict(list)
        for key, one in self._said.items():
            if one.reply_to is not None and key not in others:
                found[one.reply_to].append(one)
        return found

    @cached_property
    def _asking(self) -> dict[int | None, set[int]]:
        """The messages of each turn. What has grown replies to the newest of those there were when it began to."""
        found: defaultdict[int | None, set[int]] = defaultdict(set)
        for asked in self._scene.people.asked:
            found[self._turn_of(asked.message)].add(asked.message.number)
        return found

    # -- messages

    def _of_message(self, asked: Asked) -> Iterator[str]:
        row = self._rows.get(key_of(asked.message, self._scene.cast))
        what = f"{asked.kind} {asked.nonce or asked.message.number}"
        answers = self._given_back.get(f"re:{asked.nonce}", []) if asked.nonce else []
        if not asked.wanted:
            if answers:
                yield f"answered unasked: {what}"
            return
        if row is None:
            yield f"lost: {what} has no row"
        elif row["turn_id"] is None:
            yield f"lost: {what} was not to be answered ({row['reason']})"
        elif row["status"] == "done" and asked.nonce:
            yield from self._of_answer(asked, answers, what)
        else:
            yield from self._of_other_end(asked, row, what)

    def _of_answer(self, asked: Asked, answers: list[SentMessage], what: str) -> Iterator[str]:
        self.counts["answered"] += 1
        if len(answers) != 1:
            yield f"answered {len(answers)} times: {what}"
        for answer in answers:
            replied = answer.reply_to and self._scene.world.ledger.message(answer.reply_to)
            if where(answer) is not where(asked.message):
                yield f"answered elsewhere: {what}"
            elif replied and self._turn_of(replied) != self._turn_of(asked.message):
                yield f"answered to another message: {what} replies to {replied.text!r}"
        if asked.kind in PROMISED and asked.nonce not in self._promises:
            yield f"lost: {what} is no promise"

    def _turn_of(self, message: SentMessage) -> int | None:
        row = self._rows.get(key_of(message, self._scene.cast))
        return None if row is None else row["turn_id"]

    def _of_other_end(self, asked: Asked, row: sqlite3.Row, what: str) -> Iterator[str]:
        """A command, or a turn that was stopped or failed: one reply, and no nonce."""
        self.counts[row["status"] if row["kind"] == "agent" else "commands"] += 1
        if asked.nonce and self._given_back.get(f"re:{asked.nonce}"):
            yield f"answered and {row['status']}: {what}"
        is_excused = row["turn_id"] in self._excused[0] or not asked.nonce
        if row["status"] == "aside" or (row["status"] == "failed" and not is_excused):
            yield f"{row['status']}: {what} ({row['error']})"
        replies = sum(len(self._replies.get(number, [])) for number in self._asking[row["turn_id"]])
        if replies != 1:
            yield f"answered {replies} times: {what} ({row['status']})"

    # -- promises

    def _of_promises(self) -> Iterator[str]:
        told = Counter(row["promise_id"] for row in self._deliveries if _is_end(row))
        for nonce, row in self._promises.items():
            what, kept = f"promise {row['id']} ({nonce})", self._given_back.get(f"kept:{nonce}", [])
            self.counts[f"promises {row['status']}"] += 1
            if row["status"] not in SETTLED:
                yield f"never settled: {what} is {row['status']}"
                continue
            if told[row["id"]] != 1:
                yield f"told {told[row['id']]} times: {what} in the tables"
            if len(kept) != (row["status"] == "completed"):
                yield f"told {len(kept)} times: {what} is {row['status']}"
            if row["status"] == "failed" and row["id"] not in self._excused[1]:
                yield f"failed: {what}: {row['error_message']}"

    # -- tables against the world

    def _of_tables(self) -> Iterator[str]:
        told = {(row["chat_id"], row["message_id"]): row for row in self._deliveries}
        for key in told.keys() - self._said.keys():
            yield f"not in the chat: delivery {told[key]['id']} ({told[key]['status']})"
        for key in self._said.keys() - told.keys():
            yield f"not in the table: {self._said[key].text[:60]!r}"
        for key in self._said.keys() & told.keys():
            if self._said[key].text.strip() != told[key]["text"].strip():
                yield f"another text in the chat: delivery {told[key]['id']}"
        for row in self._deliveries:
            if row["status"] != "sent":
                yield f"never delivered: {row['kind']} {row['id']} is {row['status']} ({row['error']})"
        for row in self._scene.tables.query(TWICE):
            yield f"a step twice: {tuple(row)}"

    # -- directories

    def _of_directories(self) -> Iterator[str]:
        places = set(directories(self._scene.home, self._scene.cast).values())
        lines = count_lines(places)
        for asked in self._scene.people.asked:
            if asked.kind in {"keep", "work", "doze"}:
                yield from self._of_line(asked, lines[asked.nonce])
        yield from find_overlaps(places)

    def _of_line(self, asked: Asked, count: int) -> Iterator[str]:
        """Not more than one line; one when the work was done, none being told as not done."""
        row = self._promises.get(asked.nonce)
        answers = self._given_back.get(f"{'kept' if asked.kind in PROMISED else 're'}:{asked.nonce}", [])
        is_done = any("Not done" not in one.text for one in answers)
        if asked.kind in PROMISED:
            is_done = is_done and row is not None and row["status"] == "completed"
        if count > 1 or (is_done and count != 1):
            yield f"{count} lines: {asked.kind} {asked.nonce}"
        self.counts["lines"] += count


def said_by_valor(scene: Scene) -> list[SentMessage]:
    """What stands in the chats with others."""
    valor = scene.cast.valor
    own = scene.world.dm(valor, valor)
    return [one for one in scene.world.messages(sender=valor) if one.chat is not own and not one.deleted]


def key_of(message: SentMessage, cast: Cast) -> Key:
    """Chat and number of a message as the product's tables have them."""
    chat = str(message.chat.peer_id(cast.valor))
    return f"{chat}/{message.topic}" if message.topic else chat, message.id_for(cast.valor)


def _is_end(row: sqlite3.Row) -> bool:
    return row["kind"] in {"result", "notice"} and row["part"] == 0 and row["promise_id"] is not None
