"""What stands behind `/promise`: options first, such as `after=3,4 every="0 9 * * mon-fri"`, then the task."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from core.errors import RequestError
from core.moments import read_moment
from core.protocols import PromiseOrder

# Phones turn quotes into curly ones.
OPTION = re.compile(r"""(after|at|every|priority|type|zone)=("[^"]*"|“[^”]*”|„[^“]*“|\S+)\s*""", re.IGNORECASE)
SHOWN = 60  # characters of what is no number
QUOTES = '"“”„'


def read_order(rest: str, task_type: str) -> PromiseOrder:
    """The order, of this type unless it names one. Raises RequestError for an option that makes no sense."""
    options: dict[str, str] = {}
    rest = rest.strip()
    while found := OPTION.match(rest):
        options[found[1].lower()] = found[2].strip(QUOTES)
        rest = rest[found.end() :]
    return PromiseOrder(
        rest,
        options.get("type", task_type).lower(),
        _numbers(options.get("after", "")),
        _number(options.get("priority", "0")),
        _moment(options),
        options.get("every"),
        options.get("zone"),
    )


def _moment(options: Mapping[str, str]) -> datetime | None:
    return read_moment(options["at"], options.get("zone")) if "at" in options else None


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(_number(part.lstrip("#")) for part in text.split(",") if part)


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise RequestError(f"{text[:SHOWN]!r} is no number.") from None
