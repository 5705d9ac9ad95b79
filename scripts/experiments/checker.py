"""What must be true when everything is quiet, by the world's own record, the directories and the tables."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from integrations.telegram.presses import number_of
from scripts.experiments.links import SAVED, find_unsaved
from scripts.experiments.mind import ANSWERS, KEPT, PERMITTED, PROMISED, follower, permitted, shown, words_of
from scripts.experiments.order import Span, find_disorder
from scripts.experiments.people import Asked
from scripts.experiments.repeated import OCCURRENCES, find_uneven
from scripts.experiments.repeats import match_originals
from scripts.experiments.scene import Excuses, Scene
from scripts.experiments.spoken import files_by_content, is_repeat, key_of, said_by_us, stand_once, where
from scripts.experiments.stage import Key, directories
from scripts.experiments.unasked import Wishes
from scripts.experiments.wishes import CANCELLED, FOLLOWING, find_impatient, find_unstopped, may_have_failed
from scripts.experiments.writers import count_lines, count_ticks, find_overlaps, stamps_in
from tests.world.telegram import SentMessage

# `parked`: what became of the promise that a turn was made into, because it had to ask for consent.
MESSAGES = """
    SELECT m.front, m.chat_id, m.message_id, m.answer, m.reason, m.turn_id, t.status, t.kind, t.error,
           (SELECT p.status FROM consents c JOIN promises p ON p.id = c.promise_id WHERE c.run_id = t.run_id) AS parked
    FROM messages m LEFT JOIN turns t ON t.id = m.turn_id"""
DELIVERIES = "SELECT * FROM deliveries WHERE front <> 'local' AND chat_id <> ? ORDER BY id"
PROMISES = """
    SELECT id, task_description, status, waiting_for, error_message, every,
           EXISTS (SELECT 1 FROM deliveries d WHERE d.promise_id = p.id AND d.kind LIKE 'retry %') AS retried
    FROM promises p"""
TWICE = 'SELECT run_id, "key", COUNT(*) FROM steps GROUP BY run_id, "key" HAVING COUNT(*) > 1'
SETTLED = ("completed", "failed", "cancelled")
IN_DOUBT, REPEATS, INDEED = DOUBTS = (
    "sends of the bot's of which nobody knows",
    "possible repeats of the bot's",
    "of them repeats indeed",
)
REFUSED, UNALLOWED = " refused ", "Nobody allowed "


class Checker:
    """One look at a quiet scene."""

    def __init__(self, scene: Scene, excused: Excuses) -> None:
        self._scene = scene
        self._excused = excused
        self._rows = {_key_in(row): row for row in scene.tables.query(MESSAGES)}
        self._written = scene.tables.query(DELIVERIES, scene.tables.own)  # a self-ping may be under way
        self._deliveries = [row for row in self._written if row["status"] != "dropped"]
        self._promises = {
            word.nonce: row for row in scene.tables.query(PROMISES) for word in words_of(row[1]) if word.kind in KEPT
        }
        self._followers = scene.tables.query(FOLLOWING)
        self.counts: Counter[str] = Counter()

    def violations(self) -> list[str]:
        """One line each, the rule first."""
        parts = (
            *(self._of_message(asked) for asked in self._scene.people.asked),
            self._of_presses(),
            self._of_promises(),
            self._of_repeated(),
            self._of_links(),
            self._of_tables(),
            find_disorder(self._written, {key: self._spans[one.number] for key, one in self._said.items()}),
            self._of_directories(),
            self._of_wishes(),
            self._of_unasked(),
            (f"paid twice: {what}" for what in self._scene.mind.paid_twice),
        )
        return [line for part in parts for line in part]

    @cached_property
    def _places(self) -> set[Path]:
        return set(directories(self._scene.home, self._scene.cast).values())

    # -- what the world shows

    @cached_property
    def _said(self) -> dict[Key, SentMessage]:
        """What our accounts said and did not take back."""
        return {key_of(one, self._scene.cast): one for one in said_by_us(self._scene.world, self._scene.cast)}

    @cached_property
    def _told(self) -> dict[Key, sqlite3.Row]:
        return {_key_in(row): row for row in self._deliveries if row["status"] != "ambiguous"}

    @cached_property
    def _originals(self) -> dict[Key, sqlite3.Row]:
        """What the bot said without hearing that it had, and the rows whose text it said once more for that."""
        unknown = [one for key, one in self._said.items() if one.sender.is_bot and key not in self._told]
        return {key_of(one, self._scene.cast): row for one, row in match_originals(unknown, self._deliveries)}

    @cached_property
    def _doubtful(self) -> list[sqlite3.Row]:
        """What the bot said twice without ever hearing that it had: listed, and perhaps in the chat, perhaps not."""
        return [row for row in self._deliveries if _is_doubtful(row)]

    @cached_property
    def _perhaps_given(self) -> set[str]:
        return {f"{mark}:{nonce}" for row in self._doubtful for mark, nonce in ANSWERS.findall(row["text"])}

    @cached_property
    def _spans(self) -> dict[int, Span]:
        """When each message was accepted, and last changed or found to be as wanted, by its number in the world."""
        ledger, spans = self._scene.world.ledger, dict[int, Span]()
        for moment, deed in enumerate(ledger.deeds):
            if deed.number and deed.kind in {"message", "edit"}:
                spans[deed.number] = spans.get(deed.number, (moment, moment))[0], moment
        return {number: (at, max(last, ledger.unchanged.get(number, 0))) for number, (at, last) in spans.items()}

    @cached_property
    def _given_back(self) -> dict[str, list[SentMessage]]:
        """Each nonce with its mark, and the messages that hold it: in its text, or in the file that goes with it."""
        found: defaultdict[str, list[SentMessage]] = defaultdict(list)
        owners: set[tuple[str, object]] = set()
        for key, one in sorted(self._said.items(), key=lambda item: item[1].media is not None):
            carried = one.media.content.decode(errors="replace") if one.media else ""
            for mark, nonce in dict.fromkeys(ANSWERS.findall(f"{one.text}\n{carried}")):
                given, owner = f"{mark}:{nonce}", self._owner_of(key)
                if not one.media or (given, owner) not in owners:  # a file repeats the beginning that stands before it
                    found[given].append(one)
                    owners.add((given, owner))
        return found

    def _owner_of(self, key: Key) -> object:
        """The turn or promise that a message was told for; the message itself where no row tells."""
        row = self._told.get(key)
        if row is None:
            return key
        return ("turn", row["turn_id"]) if row["turn_id"] else ("promise", row["promise_id"])

    @cached_property
    def _replies(self) -> dict[int, list[SentMessage]]:
        """What was replied to each message (by its number in the world), what is said of promises left out."""
        rows = self._told | self._originals
        others = {key for key, row in rows.items() if row["kind"] != "answer"}
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
        answers = self._given_back.get(_given(asked), []) if asked.nonce else []
        if not asked.wanted:
            if answers:
                yield f"answered unasked: {what}"
            return
        if row is None:
            yield f"lost: {what} has no row"
        elif row["turn_id"] is None:
            yield f"lost: {what} was not to be answered ({row['reason']})"
        elif row["status"] != "done" or not asked.nonce:
            yield from self._of_other_end(asked, row, what)
        elif asked.kind == "permit" and row["parked"] is None:
            yield f"lost: {what} asked for no consent"
        elif row["parked"] in {None, "completed"}:
            yield from self._of_answer(asked, answers, what, parked=row["parked"])
        elif len(answers) > 1:
            yield f"answered {len(answers)} times: {what}, whose turn became a promise that is {row['parked']}"

    def _of_answer(self, asked: Asked, answers: list[SentMessage], what: str, parked: str | None) -> Iterator[str]:
        """`parked`: what became of the promise that its turn was made into, if it was; such a one promises nothing."""
        self.counts["answered"] += 1
        if not self._stands_once(answers, _given(asked)):
            yield f"answered {len(answers)} times: {what}"
        for answer in answers:
            replied = answer.reply_to and self._scene.world.ledger.message(answer.reply_to)
            if where(answer) is not where(asked.message):
                yield f"answered elsewhere: {what}"
            elif replied and self._turn_of(replied) != self._turn_of(asked.message):
                yield f"answered to another message: {what} replies to {replied.text!r}"
        if asked.kind in PROMISED and asked.nonce not in self._promises and not parked:
            yield f"lost: {what} is no promise"
        if asked.kind == "chain" and not parked and self._misses_its_follower(asked.nonce):
            yield f"lost: {what} has no follower"

    def _misses_its_follower(self, nonce: str) -> bool:
        """Nothing can follow what has failed or was cancelled already, though somebody may have taken that up again."""
        first = self._promises.get(nonce)
        is_whole = first is not None and first["status"] == "completed" and not first["retried"]
        return is_whole and follower(nonce) not in self._promises

    def _turn_of(self, message: SentMessage) -> int | None:
        row = self._rows.get(key_of(message, self._scene.cast))
        return None if row is None else row["turn_id"]

    def _of_other_end(self, asked: Asked, row: sqlite3.Row, what: str) -> Iterator[str]:
        """A command, or a turn that was stopped or failed: one reply, and no nonce."""
        self.counts[row["status"] if row["kind"] == "agent" else "commands"] += 1
        if asked.nonce and self._given_back.get(f"re:{asked.nonce}"):
            yield f"answered and {row['status']}: {what}"
        is_excused = row["turn_id"] in self._excused.turns or not asked.nonce
        if row["status"] == "aside" or (row["status"] == "failed" and not is_excused):
            yield f"{row['status']}: {what} ({row['error']})"
        replies = [one for number in self._asking[row["turn_id"]] for one in self._replies.get(number, [])]
        if asked.chat.moved_to and not replies:  # what a message of before is answered with there replies to nothing
            replies = [self._said[key] for key in self._answers_of(row["turn_id"])]
        is_in_doubt = not replies and row["turn_id"] in {one["turn_id"] for one in self._doubtful}
        if not (stand_once(replies) or is_in_doubt):
            yield f"answered {len(replies)} times: {what} ({row['status']})"

    def _stands_once(self, said: list[SentMessage], given: str) -> bool:
        """Once, as far as anybody can know."""
        return stand_once(said) or (not said and given in self._perhaps_given)

    def _answers_of(self, turn: int) -> list[Key]:
        rows = (self._told | self._originals).items()
        own = [key for key, row in rows if row["turn_id"] == turn and row["kind"] == "answer" and row["part"] == 0]
        return [key for key in own if key in self._said]

    def _of_presses(self) -> Iterator[str]:
        """Each is a message that has its row, or was answered with why it is none."""
        answered = self._scene.api.hub(self._scene.cast.bot).answered
        for pressed in self._scene.people.pressed:
            front, chat, _ = key_of(pressed.under, self._scene.cast)
            if (front, chat, number_of(pressed.query)) not in self._rows and not answered.get(pressed.query):
                yield f"lost: a press of {pressed.words!r} under {pressed.under.text[:40]!r}"

    # -- promises

    def _of_promises(self) -> Iterator[str]:
        told = Counter(row["promise_id"] for row in self._deliveries if _is_end(row))
        for nonce, row in self._promises.items():
            if row["every"]:
                continue
            what, kept = f"promise {row['id']} ({nonce})", self._given_back.get(f"kept:{nonce}", [])
            self.counts[f"promises {row['status']}"] += 1
            if row["status"] not in SETTLED:
                way = self._scene.people.owner.ways.get(row["id"], "nothing")
                waits = f", for {row['waiting_for']}; the owner did {way}" if row["waiting_for"] else ""
                yield f"never settled: {what} is {row['status']}{waits}"
                continue
            if told[row["id"]] != 1:
                yield f"told {told[row['id']]} times: {what} in the tables"
            is_told = self._stands_once(kept, f"kept:{nonce}") if row["status"] == "completed" else not kept
            if not is_told:
                yield f"told {len(kept)} times: {what} is {row['status']}"
            if row["status"] == "failed" and not self._may_have_failed(row):
                yield f"failed: {what}: {row['error_message']}"

    def _of_repeated(self) -> Iterator[str]:
        given = (one for mark, said in self._given_back.items() if mark.startswith("kept:") for one in said)
        said = Counter(self._owner_of(key_of(one, self._scene.cast)) for one in given)
        rows = self._scene.tables.query(OCCURRENCES)
        yield from find_uneven(rows, said, count_ticks(self._places))
        self.counts["times of repeated promises"] = sum(row["status"] == "completed" for row in rows)

    def _of_links(self) -> Iterator[str]:
        visits = [asked.nonce for asked in self._scene.people.asked if asked.kind == "visit"]
        rows = self._scene.tables.query(SAVED)
        self.counts["links"] = len(rows)
        return find_unsaved(visits, self._given_back, rows)

    def _may_have_failed(self, promise: sqlite3.Row) -> bool:
        """While the model was away, or because the owner refused something, or could not allow it in time."""
        nonces = {word.nonce for word in words_of(promise["task_description"])}
        is_refused = bool(nonces & self._scene.people.owner.refused) and REFUSED in promise["error_message"]
        is_late = promise["id"] in self._excused.unallowed and UNALLOWED in promise["error_message"]
        is_excused = promise["id"] in self._excused.promises
        return is_refused or is_late or is_excused or may_have_failed(self._followers, promise["id"])

    # -- tables against the world

    def _of_tables(self) -> Iterator[str]:
        for key in self._told.keys() - self._said.keys():
            yield f"not in the chat: delivery {self._told[key]['id']} ({self._told[key]['status']})"
        for key in self._said.keys() - self._told.keys() - self._originals.keys():
            if not self._is_left_behind(self._said[key]):
                yield f"not in the table: {self._said[key].text[:60]!r}"
        for key in self._said.keys() & self._told.keys():
            if self._said[key].text.strip() != self._told[key]["text"].strip():
                yield f"another text in the chat: delivery {self._told[key]['id']}"
        for row in self._deliveries:
            if row["status"] != "sent" and not _is_doubtful(row):
                yield f"never delivered: {row['kind']} {row['id']} is {row['status']} ({row['error']})"
        self.counts[IN_DOUBT] = len(self._doubtful)
        self.counts[REPEATS] = sum(is_repeat(one) for one in self._said.values())
        self.counts[INDEED] = len(self._originals)
        for row in self._scene.tables.query(TWICE):
            yield f"a step twice: {tuple(row)}"

    def _of_unasked(self) -> Iterator[str]:
        """What nobody wanted was not said, promised or paid for."""
        scene = self._scene
        wishes = Wishes(scene.world, scene.cast, scene.people, scene.mind, scene.tables)
        return wishes.unasked(self._said, self._told | self._originals)

    def _is_left_behind(self, said: SentMessage) -> bool:
        """Whether it stands in a group that has moved, and was still changing then: it goes on where that went."""
        return said.chat.moved_to is not None and not ANSWERS.search(said.text)

    def _of_wishes(self) -> Iterator[str]:
        """What was to wait has waited, and what was to end has ended."""
        stamps = stamps_in(self._places)
        deeds = self._scene.world.ledger.deeds
        told = {key: deeds[self._spans[one.number][0]].at for key, one in self._said.items()}
        yield from find_impatient(self._followers, stamps)
        yield from find_unstopped(self._scene.tables.query(CANCELLED), told, stamps)
        self.counts["followers"] = len(self._followers)

    # -- directories

    def _of_directories(self) -> Iterator[str]:
        lines = count_lines(self._places)
        for asked in self._scene.people.asked:
            if asked.kind in {"keep", "chain", "work", "doze", "later"}:
                yield from self._of_line(asked, asked.nonce, lines)
            if asked.kind == "chain":
                yield from self._of_line(asked, follower(asked.nonce), lines)
            elif asked.kind in PERMITTED:
                yield from self._of_permission(
                    asked, any((place / permitted(asked.nonce)).exists() for place in self._places)
                )
            elif asked.kind in {"show", "bring"}:
                yield from self._of_file(asked)
        yield from find_overlaps(self._places)

    def _of_file(self, asked: Asked) -> Iterator[str]:
        """Sent once when that was told as done, and not more than once; to the chat that asked."""
        sent = self._files.get(shown(asked.nonce), [])
        what = f"the file of {asked.kind} {asked.nonce}"
        if (sent or self._is_done(asked)) and not self._stands_once(sent, shown(asked.nonce)):
            yield f"sent {len(sent)} times: {what}"
        if any(where(one) is not where(asked.message) for one in sent):
            yield f"sent elsewhere: {what}"
        self.counts["files"] += len(sent)

    @cached_property
    def _files(self) -> dict[str, list[SentMessage]]:
        return files_by_content(self._said.values())

    def _of_permission(self, asked: Asked, is_written: bool) -> Iterator[str]:
        """What needs consent is not done without it, and done when the promise is kept."""
        if is_written and asked.nonce not in self._scene.people.owner.allowed:
            yield f"done without consent: {asked.kind} {asked.nonce}"
        if self._given_back.get(f"kept:{asked.nonce}") and not is_written:
            yield f"not done: {asked.kind} {asked.nonce}"
        self.counts["allowed"] += is_written

    def _of_line(self, asked: Asked, nonce: str, lines: Counter[str]) -> Iterator[str]:
        """Not more than one line; one when the work was done, none being told as not done."""
        count = lines[nonce]
        if count > 1 or (self._is_done(asked, nonce) and count != 1):
            yield f"{count} lines: {asked.kind} {nonce}"
        self.counts["lines"] += count

    def _is_done(self, asked: Asked, nonce: str = "") -> bool:
        """Whether what was asked for (of a chain the one with that nonce) was told as done."""
        nonce, is_promised = nonce or asked.nonce, asked.kind in PROMISED
        row = self._promises.get(nonce)
        answers = self._given_back.get(f"{'kept' if is_promised else 're'}:{nonce}", [])
        is_kept = not is_promised or (row is not None and row["status"] == "completed")
        return is_kept and any("Not done" not in one.text for one in answers)


def _key_in(row: sqlite3.Row) -> Key:
    return row["front"], row["chat_id"], row["message_id"]


def _is_doubtful(row: sqlite3.Row) -> bool:
    return row["status"] == "ambiguous" and row["front"].startswith("bot:")


def _given(asked: Asked) -> str:
    """What the answer gives back."""
    return f"{'kept' if asked.kind == 'permit' else 're'}:{asked.nonce}"


def _is_end(row: sqlite3.Row) -> bool:
    return row["kind"] in {"result", "notice"} and row["part"] == 0 and row["promise_id"] is not None
