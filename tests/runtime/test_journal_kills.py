"""P9 with real deaths: `kill -9` at every edge of a run, and nothing that was finished is paid or done again."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.database import Database, sqlite_url
from core.schema import metadata
from runtime.deps import INTERRUPTED
from tests.acceptance.installation import until
from tests.runtime.life_process import ANSWER, EFFECTS, POINTS, SHAPES, SHOWN
from tests.world.anthropic import AnthropicWorld, Asked, Call, Hang, Reply, Say

ROOT = Path(__file__).parents[2]
EDGES = re.compile(r"run\.end:after-commit|(step|model|tool\..*):.*")
KILLED = -signal.SIGKILL


def reply(asked: Asked) -> Reply:
    """Each shape of a run: what is called depends on the conversation alone."""
    done = len(asked.all_results)
    match asked.question:
        case "serial" | "streamed" as shape if done < 2:
            return Say(f"Now {done}. "), Call("append", {"line": f"{shape} {done}"}, id=f"c{done}")
        case "parallel" if not done:
            return [Call("append", {"line": f"parallel {number}"}, id=f"c{number}") for number in range(3)]
        case "nested" if not done:
            return Call("ask_both", id="out")
        case "nested left" | "nested right" as side if not done:
            return Call("append", {"line": side}, id="in")
        case _:
            return Say(f"{asked.question} is done.")


class Kennel:
    """The process whose forks live and die, beside the model that they ask."""

    def __init__(self, process: subprocess.Popen[str], model: AnthropicWorld) -> None:
        self.model = model
        self._process = process

    async def begin(self, folder: Path, shape: str, die_at: str | None = None) -> int:
        """A life; its process id."""
        assert self._process.stdin is not None
        order = {"url": self.model.url, "folder": str(folder), "shape": shape, "die_at": die_at}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return await self.told()

    async def told(self) -> int:
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            return int(await asyncio.to_thread(self._process.stdout.readline))

    async def live(self, folder: Path, shape: str, die_at: str | None = None) -> int:
        """A whole life; how it ended."""
        await self.begin(folder, shape, die_at)
        return await self.told()


@pytest.fixture(scope="module")
def parent() -> Iterator[subprocess.Popen[str]]:
    command, pipe = [sys.executable, "-m", "tests.runtime.life_process"], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=ROOT, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


@pytest.fixture
async def kennel(parent: subprocess.Popen[str]) -> AsyncIterator[Kennel]:
    async with AnthropicWorld() as model:
        model.script(reply)
        yield Kennel(parent, model)


@pytest.fixture
async def template(tmp_path: Path) -> Path:
    database = Database(sqlite_url(tmp_path / "template.db"))
    await database.write("create", metadata.create_all)
    await database.close()
    return tmp_path / "template.db"


def prepare(template: Path, name: str) -> Path:
    folder = template.parent / name
    folder.mkdir()
    shutil.copy(template, folder / "system.db")
    return folder


@dataclass(frozen=True)
class Left:
    """What a dead process left on disk."""

    responses: int
    begun: frozenset[str]
    effects: Counter[str]

    @classmethod
    def of(cls, folder: Path) -> Left:
        with sqlite3.connect(folder / "system.db") as connection:
            (responses,) = connection.execute("SELECT COUNT(*) FROM steps WHERE kind = 'model'").fetchone()
            called = connection.execute("SELECT request FROM steps WHERE kind = 'tool' AND name = 'append'").fetchall()
        connection.close()
        begun = frozenset(json.loads(request)["line"] for (request,) in called)
        return cls(responses, begun, Counter(lines(folder / EFFECTS)))


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def deaths(folder: Path) -> list[str]:
    """`POINT#ARRIVAL` of the points of a life that concern the journal: of each the first, the last, one between."""
    counts = Counter(point for point in lines(folder / POINTS) if EDGES.fullmatch(point))
    return [f"{point}#{number}" for point, count in counts.items() for number in sorted({1, count // 2 + 1, count})]


@pytest.mark.parametrize("shape", SHAPES)
async def test_p9_killed_at_any_edge_nothing_finished_is_paid_or_done_again(
    kennel: Kennel, template: Path, shape: str
) -> None:
    whole = prepare(template, "whole")
    assert await kennel.live(whole, shape) == 0
    asked, effects = len(kennel.model.calls), Counter(lines(whole / EFFECTS))
    assert set(effects.values()) == {1}
    wrong: list[str] = []
    for number, death in enumerate(deaths(whole)):
        folder = prepare(template, f"{number}")
        if await kennel.live(folder, shape, death) != KILLED:
            continue  # side by side, what comes how often is chance
        left = Left.of(folder)
        kennel.model.calls.clear()
        assert await kennel.live(folder, shape) == 0
        wrong += judge(death, left, folder, len(kennel.model.calls) - (asked - left.responses), effects)
    assert wrong == []


def judge(death: str, left: Left, folder: Path, surplus: int, effects: Counter[str]) -> list[str]:
    """What is wrong after a death: requests beyond those that no answer was on disk for, calls begun twice."""
    told = Counter(lines(folder / EFFECTS))
    wrong = [f"{death}: {surplus} requests too many"] if surplus else []
    for line in effects:
        expected = left.effects[line] if line in left.begun else 1
        if told[line] != expected:
            wrong.append(f"{death}: {line} was done {told[line]} times, not {expected}")
    if len(lines(folder / ANSWER)) != 1:
        wrong.append(f"{death}: {len(lines(folder / ANSWER))} answers")
    return wrong


async def test_p9_killed_in_the_middle_of_a_sentence_it_is_said_again_from_its_beginning(
    kennel: Kennel, template: Path
) -> None:
    folder = prepare(template, "streamed")
    kennel.model.answer(Hang(said="Half a sen"), when=lambda asked: len(asked.all_results) == 1)
    child = await kennel.begin(folder, "streamed")
    await until(lambda: "Half a sen" in lines(folder / SHOWN))
    os.kill(child, signal.SIGKILL)
    assert await kennel.told() == KILLED
    assert await kennel.live(folder, "streamed") == 0
    assert lines(folder / EFFECTS) == ["streamed 0", "streamed 1"]
    assert [len(call.asked.all_results) for call in kennel.model.calls] == [0, 1, 1, 2]
    assert lines(folder / ANSWER) == ["streamed is done."]


async def test_p9_killed_again_and_again_it_comes_to_its_end(kennel: Kennel, template: Path) -> None:
    """Each life gets one step further."""
    folder, ends = prepare(template, "again"), list[int]()
    while not ends or ends[-1] == KILLED:
        ends.append(await kennel.live(folder, "parallel", "step:after-commit#1"))
        assert len(ends) < 20
    assert lines(folder / ANSWER) == ["parallel is done."]
    assert sorted(kennel.model.calls[-1].asked.said.split("\n")) == ["parallel"]
    assert max(Counter(lines(folder / EFFECTS)).values(), default=0) <= 1
    assert len(kennel.model.calls) == 2
    assert INTERRUPTED in json.dumps(kennel.model.calls[-1].asked.messages)
