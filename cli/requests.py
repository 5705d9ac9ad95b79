"""What `valor` asks of a server, and how each answer is shown: by the standard library alone, to be there at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote

from cli import views
from cli.views import View

LIMIT = 20
MOST = 500
LARGEST = 2**63 - 1
AS_JSON = "--json"


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    show: Callable[[Any], View]


def list_promises(limit: int = LIMIT) -> Request:
    return Request("GET", f"/api/promises?limit={limit}", views.promises)


def show_promise(number: int) -> Request:
    return Request("GET", f"/api/promises/{number}", views.promise)


def cancel_promise(number: int) -> Request:
    return Request("POST", f"/api/promises/{number}/cancel", views.cancelled)


def retry_promise(number: int) -> Request:
    return Request("POST", f"/api/promises/{number}/retry", views.retried)


def list_letters(limit: int = LIMIT) -> Request:
    return Request("GET", f"/api/deadletters?limit={limit}", views.letters)


def retry_letter(number: int) -> Request:
    return Request("POST", f"/api/deadletters/{number}/retry", views.letter_retried)


def drop_letter(number: int) -> Request:
    return Request("POST", f"/api/deadletters/{number}/drop", views.letter_dropped)


def list_schedule(limit: int = LIMIT) -> Request:
    return Request("GET", f"/api/schedule?limit={limit}", views.schedule)


def explain(chat: str, message: int) -> Request:
    return Request("GET", f"/api/why/{quote(chat, safe='/')}/{message}", views.reasons)


def show_run(name: str) -> Request:
    return Request("GET", f"/api/runs/{quote(name, safe='')}", views.run)


class Quick(NamedTuple):
    """A command as most people write it: the words are read one by one, None where only typer can say more."""

    build: Callable[..., Request]
    read: tuple[Callable[[str], Any], ...] = ()
    has_limit: bool = False


def _number(word: str) -> int | None:
    return int(word) if word.isdecimal() and len(word) < 19 and int(word) else None


def _limit(word: str) -> int | None:
    return int(word) if word.isdecimal() and len(word) < 5 and 1 <= int(word) <= MOST else None


def _name(word: str) -> str | None:
    return word if word and word[0] != "-" else None


def _chat(word: str) -> str | None:
    """A group's id begins with a minus, and no option goes on with a digit."""
    return word if word[:1] == "-" and word[1:2].isdecimal() else _name(word)


QUICK: Mapping[tuple[str, ...], Quick] = {
    ("promises",): Quick(list_promises, has_limit=True),
    ("promises", "list"): Quick(list_promises, has_limit=True),
    ("promises", "show"): Quick(show_promise, (_number,)),
    ("promises", "cancel"): Quick(cancel_promise, (_number,)),
    ("promises", "retry"): Quick(retry_promise, (_number,)),
    ("deadletters",): Quick(list_letters, has_limit=True),
    ("deadletters", "list"): Quick(list_letters, has_limit=True),
    ("deadletters", "retry"): Quick(retry_letter, (_number,)),
    ("deadletters", "drop"): Quick(drop_letter, (_number,)),
    ("schedule",): Quick(list_schedule, has_limit=True),
    ("why",): Quick(explain, (_chat, _number)),
    ("run",): Quick(show_run, (_name,)),
}


def read_quickly(arguments: list[str]) -> Request | None:
    """The request that plain words make; None for everything else, which typer reads, helps with, or refuses."""
    words = [word for word in arguments if word != AS_JSON]
    for length in (2, 1):
        command = QUICK.get(tuple(words[:length]))
        if command is not None:
            return _read(command, words[length:])
    return None


def _read(command: Quick, words: list[str]) -> Request | None:
    readers = command.read
    if command.has_limit and words[:1] == ["--limit"]:
        words, readers = words[1:], (_limit,)
    if len(words) != len(readers):
        return None
    given = [read(word) for read, word in zip(readers, words, strict=True)]
    return None if None in given else command.build(*given)
