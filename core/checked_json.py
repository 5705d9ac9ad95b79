"""Reading JSON of a known shape so that every mistake is listed, each with the path of its key."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from core.errors import ConfigurationError


@dataclass(slots=True)
class Findings:
    """What was found so far: problems stop the start, warnings do not."""

    problems: list[str] = field(default_factory=list[str])
    warnings: list[str] = field(default_factory=list[str])


def read_json(path: Path, findings: Findings) -> object:
    """The document in `path`. Raises ConfigurationError when there is none that can be read."""

    def build(pairs: list[tuple[str, object]]) -> dict[str, object]:
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        findings.problems.extend(f"{name}: the key stands twice in one object" for name in twice)
        return dict(pairs)

    try:
        return json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=build)
    except OSError as error:
        raise ConfigurationError([f"{path.name} cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError([f"{path.name} is not UTF-8 text"]) from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ConfigurationError([f"{path.name} is not JSON: {error.msg} at {where}"]) from error
    except RecursionError as error:
        raise ConfigurationError([f"{path.name} is nested too deeply"]) from error


def read_root(path: Path, findings: Findings) -> Node:
    """The object that `path` holds. Raises ConfigurationError when there is none that can be read."""
    document = read_json(path, findings)
    if not isinstance(document, dict):
        raise ConfigurationError([f"{path.name} should be an object, is {name_type(document)}"])
    return Node(cast("dict[str, object]", document), "", findings)


class Node:
    """A JSON object at `path`. Asked for a key of a type, it answers with the value or notes what is wrong."""

    def __init__(self, value: object, path: str, findings: Findings) -> None:
        self.path = path
        self.findings = findings
        self._items: dict[str, object] = {}
        if isinstance(value, dict):
            self._items = {k: v for k, v in cast("dict[str, object]", value).items() if v is not None}
        elif value is not None:
            self._note("", f"should be an object, is {name_type(value)}")

    def __contains__(self, key: str) -> bool:
        return key in self._items

    def nodes(self) -> Iterator[tuple[str, Node]]:
        """Every key with the object it holds."""
        for key in self._items:
            yield key, self.node(key)

    def texts(self) -> Iterator[tuple[str, str]]:
        """Every key with the text it holds; other values are problems."""
        for key in self._items:
            value = self.text(key)
            if value:
                yield key, value

    def node(self, key: str) -> Node:
        return Node(self._items.get(key), self.at(key), self.findings)

    def text(self, key: str) -> str:
        """The text at `key`, stripped; empty when there is none."""
        value = self._items.get(key, "")
        if isinstance(value, str):
            return value.strip()
        self._note(key, f"should be text, is {name_type(value)}")
        return ""

    def flag(self, key: str) -> bool:
        value = self._items.get(key, False)
        if isinstance(value, bool):
            return value
        self._note(key, f"should be true or false, is {name_type(value)}")
        return False

    def amount(self, key: str) -> float | None:
        value = self._items.get(key)
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and value >= 0):
            return value
        self._note(key, "should be a number, zero or more")
        return None

    def one_of(self, key: str, choices: tuple[str, ...]) -> str | None:
        value = self.text(key)
        if not value or value in choices:
            return value or None
        self._note(key, f"should be {' or '.join(choices)}")
        return None

    def list(self, key: str, check: Callable[[object], str | None], what: str) -> tuple[str, ...]:
        """The list at `key`, each item as `check` spells it; None from `check` is a problem."""
        value = self._items.get(key, [])
        if not isinstance(value, list):
            self._note(key, f"should be a list of {what}, is {name_type(value)}")
            return ()
        items = [(index, check(item)) for index, item in enumerate(cast("list[object]", value))]
        for index, item in items:
            if item is None:
                self._note(f"{key}[{index}]", f"should be {what}")
        return tuple(item for _, item in items if item is not None)

    def raw(self, key: str) -> object:
        return self._items.get(key)

    def warn_unknown(self, known: tuple[str, ...]) -> None:
        """Warn of keys that are not known, with the nearest known one. A leading underscore makes a comment."""
        for key in self._items:
            if key not in known and not key.startswith("_"):
                near = difflib.get_close_matches(key, known, 1)
                hint = f"; is {near[0]} meant?" if near else ""
                self.findings.warnings.append(f"{self.at(key)}: unknown key{hint}")

    def problem(self, key: str, sentence: str) -> None:
        self._note(key, sentence)

    def warn(self, key: str, sentence: str) -> None:
        self.findings.warnings.append(f"{self.at(key)}: {sentence}")

    def at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path and key else self.path or key

    def _note(self, key: str, sentence: str) -> None:
        self.findings.problems.append(f"{self.at(key)}: {sentence}")


def as_text(value: object) -> str | None:
    """A list item that should be text."""
    return value.strip() if isinstance(value, str) and value.strip() else None


def name_type(value: object) -> str:
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case None:
            return "null"
        case _:
            return "an object"
