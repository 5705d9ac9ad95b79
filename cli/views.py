"""What a command line shows, before it is known whether to a person at a terminal, to a pipe, or to a machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

Json = Mapping[str, Any]
SHORT = 80
UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under column names; without any the sentence `empty`."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    empty: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values; a value may have several lines."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """A line, with those that came of it."""

    line: str
    children: tuple[Branch, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """One sentence."""

    sentence: str


View = Table | Facts | Branch | Note


def promises(found: list[Json]) -> View:
    columns = ("#", "status", "made", "task", "how far")
    rows = tuple(
        (f"#{one['id']}", one["status"], _local(one["created_at"]), _short(one["task_description"]), _how_far(one))
        for one in found
    )
    return Table(columns, rows, "No promises yet.")


def _how_far(promise: Json) -> str:
    """The newest that is known of a promise."""
    waits = f"waits for {promise['waiting_for']}" if promise["waiting_for"] else None
    told = promise["error_message"] or promise["result_summary"] or promise["progress"]
    return _short(": ".join(part for part in (waits, told) if part))


def promise(found: Json) -> Facts:
    """Everything that is known; a result as a whole in place of its beginning."""
    known = {**found, "former_runs": ", ".join(found["former_runs"]) or None}
    known |= {"result_summary": None} if found["result"] else {}
    return Facts(tuple((name, str(value)) for name, value in known.items() if value is not None))


def cancelled(found: Json) -> View:
    return Note(f"Promise #{found['id']} is {'' if found['status'] == 'cancelled' else 'being '}cancelled.")


def retried(found: Json) -> View:
    waits = f" for {found['waiting_for']}" if found["waiting_for"] else ""
    return Note(f"Promise #{found['id']} is taken up again: it is {found['status']}{waits}. Its chat is told so.")


def letters(found: list[Json]) -> View:
    columns = ("#", "chat", "kind", "status", "age", "text", "why")
    rows = tuple(
        (
            str(one["id"]),
            f"{one['front']} {one['chat']}",
            one["kind"],
            one["status"],
            _age(one["created_at"]),
            _short(one["text"], 40),
            _short(one["error"] or ""),
        )
        for one in found
    )
    return Table(columns, rows, "No dead letters.")


def letter_retried(found: Json) -> View:
    return Note(f"Message #{found['id']} is sent again to {found['chat']}, unless a look shows that it has arrived.")


def letter_dropped(found: Json) -> View:
    return Note(f"Message #{found['id']} to {found['chat']} is dropped.")


def schedule(found: list[Json]) -> View:
    columns = ("at", "in", "#", "why", "every", "then", "task")
    rows = tuple(_appointment(one, one["promise"]) for one in found)
    return Table(columns, rows, "Nothing waits for a moment.")


def _appointment(one: Json, promise: Json) -> tuple[str, ...]:
    from core.moments import tell_moment  # zones are of no use to other lists

    zone = promise["zone"]
    later = ", ".join(tell_moment(datetime.fromisoformat(moment), zone).partition(" (")[0] for moment in one["later"])
    return (
        tell_moment(datetime.fromisoformat(one["at"]), zone),
        _span(datetime.fromisoformat(one["at"]) - datetime.now(UTC)),
        f"#{promise['id']}",
        one["cause"],
        promise["every"] or "",
        later,
        _short(promise["task_description"], 60),
    )


def reasons(found: list[Json]) -> View:
    columns = ("front", "sent", "sender", "answered", "why")
    rows = tuple(
        (one["front"], _local(one["sent_at"]), one["sender"], "yes" if one["answered"] else "no", one["reason"])
        for one in found
    )
    return Table(columns, rows, "No such message.")


def run(found: Json) -> View:
    owner = f" for promise #{found['promise_id']}" if found["promise_id"] else ""
    owner = f" for turn {found['turn_id']}" if found["turn_id"] else owner
    total = found["total"]
    calls = f"{_many(total['model_calls'], 'model call')}, {_many(total['tool_calls'], 'tool call')}"
    head = f"{found['id']}: {found['agent']}{owner} in {found['workspace']}, {found['status']}"
    return Branch(f"{head}; {', '.join((calls, *_spent(total)))}", tuple(_step(step) for step in found["steps"]))


def _step(step: Json) -> Branch:
    facts = (*_spent(step), *(_fact(item) for item in step["evidence"]), _short(step["about"]))
    line = f"{step['kind']} {step['name']}: {', '.join((step['status'], *filter(None, facts)))}"
    return Branch(line, tuple(_step(child) for child in step["steps"]))


def _spent(spent: Json) -> tuple[str, ...]:
    """Times, costs and tokens, those that are known."""
    told: tuple[tuple[Any, Callable[[Any], str]], ...] = (
        (spent["seconds"], lambda seconds: f"{seconds:.1f} s"),
        (spent["cost"], lambda cost: f"${cost:.4f}"),
        (spent["tokens_in"], lambda tokens: f"{tokens:,} tokens in"),
        (spent["tokens_cached"] or None, lambda tokens: f"{tokens:,} cached"),
        (spent["tokens_out"], lambda tokens: f"{tokens:,} out"),
    )
    return tuple(tell(value) for value, tell in told if value is not None)


def _fact(item: Json) -> str:
    """One thing that a tool was seen to do."""
    match item:
        case {"kind": "file", "path": path}:
            return f"changed {path}"
        case {"kind": "command", "command": command, "exit_code": code}:
            return f"{_short(str(command), 40)} → {code}"
        case {"kind": "source", "url": url}:
            return f"read {url}"
        case _:
            return str(item.get("kind", "seen"))


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _short(text: str, limit: int = SHORT) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def _local(moment: str) -> str:
    """By this machine's clock."""
    return f"{datetime.fromisoformat(moment).astimezone():%Y-%m-%d %H:%M}"


def _age(moment: str) -> str:
    return _span(datetime.now(UTC) - datetime.fromisoformat(moment))


def _span(span: timedelta) -> str:
    """In its largest unit: `3 h`; `now` for what is past."""
    seconds = int(span.total_seconds())
    return next((f"{seconds // size} {unit}" for size, unit in UNITS if seconds >= size), "now")
