"""The scripted model: what it is asked says what it does, so it remembers nothing of the product's runs.

A message holds words such as `ask:1f0c22ab`; the eight digits are its nonce, which the answer must give back as
`re:1f0c22ab` (a promise's result as `kept:1f0c22ab`). The mind keeps its own record of what it was asked, only to see
whether anything that a run had on disk was asked, and paid, again.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.acceptance.script_model import INTERRUPTED
from tests.world.anthropic import AnthropicWorld, Asked, Call, Hang, Reply, Say, ToolResult

KINDS = "ask|visit|work|peek|long|show|keep|chain|think|doze|vow|bring|later|often|append|muse|nap|permit|fetch|tick"
WORDS = re.compile(rf"\b({KINDS}):([0-9a-f]{{8}})\b")
ANSWERS = re.compile(r"\b(re|kept):([0-9a-f]{8})\b")
PROMISED = {
    "keep": ("append", "code"),
    "chain": ("append", "code"),  # and another one that follows it
    "think": ("muse", "analysis"),
    "doze": ("nap", "code"),
    "vow": ("permit", "code"),
    "bring": ("fetch", "code"),
    "later": ("append", "code"),
    "often": ("tick", "code"),
}
WRITING = ("work", "append", "nap", "permit", "tick")
KEPT = ("append", "muse", "nap", "permit", "fetch", "tick")
SHOWING = ("show", "fetch")  # these send a file to their chat
PERMITTED = ("permit", "vow")  # these need the owner's consent, and write a file of their own
MADE = re.compile(r"Promise #(\d+) is made")
URGENT = "4"  # promises whose nonce comes before this one go before the others
NOW = "do this work now"  # what a run is told that wants to promise something and is a promise itself
LINES, STAMPS, TICKS = "lines.txt", "stamps.txt", "ticks.txt"
HOUR = timedelta(hours=1)  # what is to be done later is due then, what is to be done often then and again
RUN = "${VALOR_RUN%/*}"  # by which a tool knows whose it is
SENTENCE = "This is a long answer of the scripted model, one sentence after the other. "
FILLER = SENTENCE * 90
SLOWLY = 0.6  # the part of the long answers that are seen growing
PAUSE = 1.2  # seconds that such a one is written at a time
STAMP = 'echo "{sign} {nonce} $(date +%s%N)" >> ' + STAMPS
Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Word:
    kind: str
    nonce: str


def append(nonce: str) -> str:
    """The command that adds a line, with the moments of its beginning and its end beside it."""
    return _stamped(nonce, f"sleep 0.03; echo {nonce} >> {LINES}")


def append_if_missing(nonce: str) -> str:
    """What a careful model does when it is told that the command before was interrupted."""
    return _stamped(nonce, f"grep -qs {nonce} {LINES} || echo {nonce} >> {LINES}")


def doze(nonce: str) -> str:
    """The same, after longer than anybody has patience for."""
    return _stamped(nonce, f"touch nap.{nonce}; sleep 60; echo {nonce} >> {LINES}")


def tick(nonce: str) -> str:
    """The command that adds a line for one time of what comes again, with the run that did it."""
    return _stamped(nonce, f"sleep 0.03; echo {nonce} {RUN} >> {TICKS}")


def tick_if_missing(nonce: str) -> str:
    return _stamped(nonce, f'grep -qs " {RUN}$" {TICKS} || echo {nonce} {RUN} >> {TICKS}')


# What is done, and what is done when it is not known whether it was done.
COMMANDS = {"nap": (doze, append_if_missing), "tick": (tick, tick_if_missing)}


def follower(nonce: str) -> str:
    """The nonce of what follows that one's promise."""
    return f"{int(nonce, 16) ^ 0xFFFFFFFF:08x}"


def permitted(nonce: str) -> str:
    """The file that is written once the owner allows it."""
    return f"permit.{nonce}"


def shown(nonce: str) -> str:
    """What the file that is sent holds."""
    return f"shown:{nonce}"


def _stamped(nonce: str, command: str) -> str:
    return "; ".join((STAMP.format(sign="+", nonce=nonce), command, STAMP.format(sign="-", nonce=nonce)))


def words_of(text: str) -> list[Word]:
    return [Word(*found) for found in dict.fromkeys(WORDS.findall(text))]


def think(asked: Asked) -> Reply:
    """The next thing to do, or the answer when all is done."""
    words = words_of(asked.said)
    for word in words:
        step = _next_step(word, [one for one in asked.all_results if word.nonce in json.dumps(one.args)])
        if step is not None:
            return step
    return Say("\n".join(_answer(word, asked) for word in words) or "Nothing to do.")


def _next_step(word: Word, results: list[ToolResult]) -> Call | None:
    if word.kind in PROMISED and results and NOW in results[0].text:
        return _next_step(Word(PROMISED[word.kind][0], word.nonce), results[1:])
    if word.kind == "chain" and len(results) == 1 and (made := MADE.search(results[0].text)):
        task = f"append:{follower(word.nonce)} after {word.nonce}"
        return Call("make_promise", {"task": task, "task_type": "code", "after": [int(made[1])]})
    if word.kind in SHOWING:
        return _next_of_showing(word.nonce, [one for one in results if INTERRUPTED not in one.text])
    if results and not (word.kind in WRITING and INTERRUPTED in results[-1].text):
        return None
    if word.kind == "permit":
        return Call("write_file", {"path": permitted(word.nonce), "text": word.nonce})
    if word.kind in WRITING:
        first, again = COMMANDS.get(word.kind, (append, append_if_missing))
        return Call("run_command", {"command": (again if results else first)(word.nonce)})
    if word.kind in PROMISED:
        task, kind = PROMISED[word.kind]
        ordered = {"when": when} if (when := _when(word)) else {}
        return Call("make_promise", {"task": f"{task}:{word.nonce}", "task_type": kind, **ordered})
    if word.kind == "peek":
        return Call("search_files", {"text": word.nonce})
    return Call("report_progress", {"line": f"Thinking of {word.nonce}"}) if word.kind == "muse" else None


def _next_of_showing(nonce: str, results: list[ToolResult]) -> Call | None:
    file = f"show.{nonce}.txt"
    if not results:
        return Call("run_command", {"command": _stamped(nonce, f"echo {shown(nonce)} > {file}")})
    return Call("send_file", {"path": file}) if len(results) == 1 and not results[0].is_error else None


def _when(word: Word) -> dict[str, object]:
    match word.kind:
        case "later":
            return {"at": (datetime.now(UTC) + HOUR).isoformat()}
        case "often":
            return {"every": "1h"}
        case _:
            return {"priority": 5} if word.nonce < URGENT else {}


def _answer(word: Word, asked: Asked) -> str:
    given = f"{'kept' if word.kind in KEPT else 're'}:{word.nonce}"
    results = [one for one in asked.all_results if word.nonce in json.dumps(one.args)]
    refused = any(one.is_error and NOW not in one.text for one in results)
    long = FILLER if word.kind == "long" else ""
    return f"{long}{'Not done. ' if refused else ''}Here it is: {given}"


class Mind:
    """Answers after a moment, and asks `is_on_disk` of the numbers of earlier answers when it is asked again."""

    def __init__(self, world: AnthropicWorld, chance: random.Random, is_on_disk: Callable[[list[str]], bool]) -> None:
        self._world = world
        self._chance = chance
        self._is_on_disk = is_on_disk
        self._given: dict[Key, list[str]] = {}
        self.paid_twice: list[str] = []
        self.questions: set[str] = set()  # what people said, as far as it was asked about
        self.least, self.most = 0.0, 0.06  # seconds until an answer
        self.requests = 0
        self.repeated = 0
        world.script(self.reply)

    def reply(self, asked: Asked) -> Reply:
        self.requests += 1
        self.questions.add(asked.said)
        key = (asked.said, sum(message["role"] == "assistant" for message in asked.messages))
        earlier = self._given.setdefault(key, [])
        if earlier:
            self.repeated += 1
            if self._is_on_disk(earlier):
                self.paid_twice.append(f"request {key[1] + 1} of {' '.join(w.nonce for w in words_of(key[0]))}")
        earlier.append(self._world.calls[-1].id.replace("req", "msg"))
        return self._later(think(asked))

    def asked(self, words: str) -> int:
        """How often it was asked anything about these words."""
        return sum(len(given) for (said, _), given in self._given.items() if words in said)

    def _later(self, reply: Reply) -> Reply:
        assert isinstance(reply, Say | Call)
        if isinstance(reply, Say) and reply.text.startswith(SENTENCE) and self._chance.random() < SLOWLY:
            return _slowly(reply.text)
        seconds = self.least + self._chance.random() ** 2 * (self.most - self.least)
        return Hang(_passed(seconds), then=reply)


def _slowly(text: str) -> Hang:
    """Written so that its chat sees it grow: begun, gone on with, and then the rest."""
    first, more = len(SENTENCE), 4 * len(SENTENCE)
    rest = Hang(_passed(2 * PAUSE), Say(text[more:]), text[first:more])
    return Hang(_passed(PAUSE), rest, text[:first])


def _passed(seconds: float) -> asyncio.Event:
    """Set after so long."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, passed.set)
    return passed
