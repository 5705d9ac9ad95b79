"""Processes that die: `python -m tests.conversations.crash_play FOLDER EDGES PLANTED` kills one at each edge that the
pattern matches and starts the next.

Prints a JSON list, one object for each edge: its name, and what was wrong in the chats at the end (empty: nothing).
This process imports everything once; each life is a fork of it, with a database and a service of its own on disk.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import structlog

from conversations.pace import Paces
from conversations.turn import Turn
from conversations.turns import Gate
from conversations.typeset import REPEAT
from core.attachment import File
from core.clock import FakeClock, SystemClock
from core.errors import ModelRefused
from core.message import Message, Person
from core.protocols import Call
from integrations.memory import MemoryFront
from integrations.telegram.text import typeset
from tests.conversations.bot import become_bot
from tests.conversations.stage import MAX, OLGA, Stage, make_promise, write_current

ASKED = (
    ("1", OLGA, "alpha"),
    ("1", OLGA, "beta"),
    ("2", MAX, "promise gamma"),
    ("2", MAX, "/ping"),
    ("-20", MAX, "long delta"),
    ("-20", OLGA, "fail epsilon"),
    ("-10", OLGA, "@valor_ai file zeta"),
)
LONG = "delta " * 1_000
ONCE = {"1": ("alpha", "beta"), "2": ("gamma", "pong"), "-20": ("epsilon",), "-10": ("zeta", "on its way")}
GROWING = (("1", OLGA, "grow eta"), ("2", MAX, "grow theta"))
GROWN = ("It", "It grows", "It grows and")
QUICK = Paces(first=0.01, person=0.01)
WORKERS = 4
TOLD_IN_ALL = {"2": 2, "-20": 3, "-10": 2}
GROUP, SUPERGROUP = "-20", "-1005"


@dataclass(frozen=True)
class Life:
    """One process: the how-manieth of its database, and at which edge it dies (0: at none)."""

    folder: Path
    number: int
    die_at: int = 0
    planted: str = ""


class Edges:
    """Counts the points where a crash would be interesting, writes down their names, and dies at one of them."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._seen = 0

    def __call__(self, point: str) -> None:
        self._seen += 1
        with (self._life.folder / f"edges.{self._life.number}").open("a") as file:
            file.write(f"{point}\n")
        if self._seen == self._life.die_at:
            os.kill(os.getpid(), signal.SIGKILL)


async def live(life: Life) -> None:
    """Receive everything, live and from the history at once, and end when nothing is left to do."""
    clock = cast("FakeClock", SystemClock())
    edges = Edges(life)
    stage = Stage(life.folder, clock, edges, pid=life.number, paces=QUICK)
    stage.front = MemoryFront(clock, life.folder / "service.jsonl", edges)
    stage.agent.script = lambda turn, gate: answer(stage, turn, gate)
    if life.planted == "growing bot":
        become_bot(stage.front)
    if life.number > 1:
        stage.front.forget_keys()
    elif life.planted == "lost answers":
        stage.front.lose_answers("send", 2)
    await stage.open(attached=False)
    if life.planted == "no look":
        stage.outbox._before = 0
    stage.attach(stage.front)
    name = stage.front.name
    heard = [stage.front._message(line) for line in stage.front.lines if line.sender.id < 100]
    await asyncio.gather(stage.reception.catch_up(name), hear(stage, heard), move(stage, life))
    if life.planted == "moved group":
        await stage.reception.catch_up(name)
    await stage.turns.begin_all([name])
    await stage.quiet()
    await stage.die()


async def hear(stage: Stage, messages: list[Message]) -> None:
    for message in messages:
        await stage.reception.receive(message)


async def move(stage: Stage, life: Life) -> None:
    """The group becomes a supergroup in the middle of an answer."""
    if life.planted == "moved group":
        await stage.front.until(lambda: bool(stage.front.texts(GROUP)))
        if GROUP not in stage.front._moved:
            await hear(stage, stage.front.move(GROUP, SUPERGROUP, OLGA))


async def grow(stage: Stage, turn: Turn, rest: str) -> str:
    """Every part is seen before the next is written."""
    async with stage.growth.of(turn) as hear:
        for part in GROWN:
            await hear(part)
            await stage.front.until(lambda part=part: is_seen(stage.front, turn.chat.key, part))
    return f"{GROWN[-1]} {rest} is there."


def is_seen(front: MemoryFront, key: str, part: str) -> bool:
    return any(text.removeprefix(REPEAT).startswith(part) for text in front.texts(key))


async def answer(stage: Stage, turn: Turn, gate: Gate) -> str:
    kind, _, rest = turn.prompt.partition(" ")
    if kind == "grow":
        return await grow(stage, turn, rest)
    if kind == "fail":
        raise ModelRefused(f"No {rest}.")
    if kind == "promise":
        await gate()
        await make_promise(stage.database, stage.clock, turn.asker, rest, Call(turn.run_id, "1", turn.id))
        return f"I promised {rest}."
    if kind == "file":
        await gate()
        file = File("zeta.txt", "text/plain", b"zeta")
        await stage.files.send(file, rest, turn.asker, Call(turn.run_id, "1", turn.id))
        return "It is on its way."
    return LONG if kind == "long" else f"re: {turn.prompt}"


def fork(life: Life) -> int:
    """Run a life in a child; how it ended."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            asyncio.run(live(life))
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def prepare(folder: Path, template: Path, planted: str) -> Path:
    folder.mkdir()
    shutil.copy(template, folder / "system.db")
    front = MemoryFront(SystemClock(), folder / "service.jsonl")
    for chat, person, text in GROWING if planted.startswith("growing") else ASKED:
        front.say(chat, Person(person.id, person.username, person.name), text)
    return folder


def judge_grown(front: MemoryFront, planted: str) -> list[str]:
    """One message each, the whole answer, with nothing to press; where no keys are kept one before it may have arrived,
    and it says so."""
    wrong: list[str] = []
    for chat, _, asked in GROWING:
        told, whole = front.texts(chat), f"{GROWN[-1]} {asked.removeprefix('grow ')} is there."
        is_marked = planted == "growing bot" and len(told) <= 2 and told[-1] == REPEAT + whole
        wrong += [] if told == [whole] or is_marked else [f"{told} in {chat}"]
        wrong += [f"buttons {line.buttons} in {chat}" for line in front.told(chat)[-1:] if line.buttons]
    return wrong


def judge(folder: Path, planted: str) -> list[str]:
    """What is wrong in the chats: asked ⊆ told, each exactly once, whole and in order."""
    front = MemoryFront(SystemClock(), folder / "service.jsonl")
    if planted.startswith("growing"):
        return judge_grown(front, planted)
    wrong: list[str] = []
    texts = {chat: front.texts(chat) + (front.texts(SUPERGROUP) if chat == GROUP else []) for chat in ONCE}
    for chat, words in ONCE.items():
        told = "\n".join(texts[chat])
        wrong += [f"{word} in {chat}: {told.count(word)} times" for word in words if told.count(word) != 1]
    for chat, number in TOLD_IN_ALL.items():
        if len(texts[chat]) != number:
            wrong.append(f"{len(texts[chat])} messages in {chat}")
    delta = [text for text in texts[GROUP] if "delta" in text]
    files = [line.file for line in front.told("-10") if line.file]
    if files != ["zeta.txt"]:
        wrong.append(f"files {files}")
    if " ".join(delta).split() != LONG.split():
        wrong.append(f"delta {Counter(map(len, delta))}")
    return wrong


def kill_everywhere(folder: Path, edges: str, planted: str) -> list[dict[str, Any]]:
    template = asyncio.run(write_current(folder))
    whole = prepare(folder / "whole", template, planted)
    assert fork(Life(whole, 1, planted=planted)) == 0
    points = (whole / "edges.1").read_text().split()
    chosen = [number for number, point in enumerate(points, 1) if re.fullmatch(edges, point)]
    for number in chosen:
        prepare(folder / f"{number}", template, planted)
    side_by_side([lambda number=number: kill_at(folder / f"{number}", number, planted) for number in chosen])
    found = [{"edge": "none", "wrong": judge(whole, planted), "died": False}]
    for number in chosen:
        end = json.loads((folder / f"{number}" / "end.json").read_text())
        found.append({"edge": f"{number} {points[number - 1]}", **end})
    return found


def kill_at(place: Path, number: int, planted: str) -> None:
    died = fork(Life(place, 1, number, planted)) == -signal.SIGKILL
    ended = fork(Life(place, 2, planted=planted))
    wrong = judge(place, planted) + ([f"the second life ended with {ended}"] if ended else [])
    (place / "end.json").write_text(json.dumps({"wrong": wrong, "died": died}))


def side_by_side(deeds: list[Callable[[], None]]) -> None:
    """A life spends most of its time waiting for the disk."""
    for worker in range(WORKERS):
        if os.fork() == 0:
            try:
                for deed in deeds[worker::WORKERS]:
                    deed()
            finally:
                os._exit(0)
    for _ in range(WORKERS):
        os.wait()


def main() -> None:
    typeset("loaded once, before the first fork")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    sys.stdout.write(json.dumps(kill_everywhere(Path(sys.argv[1]), sys.argv[2], sys.argv[3])))


if __name__ == "__main__":
    main()
