"""The names that the code gives to its wrappers: which of them did an experiment never come to?"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
FLOORS = ("agents", "conversations", "core", "integrations", "promises", "runtime", "web")
WRITES, AROUND = {"write", "_write", "_settle"}, "around"
UNPLAYED = {
    "again": "no turn ends with an error of the product's own",
    "audit": "nobody tries what is refused",
    "bury": "Telegram refuses no message for good",
    "decide": "everybody is admitted",
    "fence.look": "no tool of an agent looks in this way yet",
    "forget-audit": "no server lives until the first look of retention",
    "forget-old": "no server lives until the first look of retention",
    "forget-strays": "no server lives until the first look of retention",
    "give-back": "no server lives until the first look of retention",
    "knock": "everybody is admitted",
    "letter-drop": "there are no dead letters",
    "letter-retry": "there are no dead letters",
    "lift": "the limit of answers is raised",
    "run.diverge": "what a request is made of changes at no restart",
}


def names_in_code() -> set[str]:
    """Of transactions and outside calls, as far as they are spelled out where they are made."""
    files = (file for floor in FLOORS for file in (PROJECT / floor).rglob("*.py") if "migrations" not in file.parts)
    return {name for file in files for name in names_in(file.read_text(encoding="utf-8"))}


def names_in(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            at = 0 if called in WRITES else 1 if called == AROUND else None
            if at is not None and len(node.args) > 1:
                yield from _text(node.args[at])


def _text(argument: ast.expr) -> Iterator[str]:
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        yield argument.value


def find_missed(points: Iterable[str]) -> list[str]:
    """The wrappers in the code at which no process arrived though the scene plays what they are for."""
    return [name for name in find_unreached(names_in_code(), points) if name not in UNPLAYED]


def find_unreached(names: Iterable[str], points: Iterable[str]) -> list[str]:
    """The names at which no process arrived. `points` are spelled `part name:side`; some names have a prefix there."""
    reached = {point.partition(" ")[2].rpartition(":")[0] for point in points}
    return sorted(name for name in names if not any(one == name or one.endswith(f".{name}") for one in reached))
