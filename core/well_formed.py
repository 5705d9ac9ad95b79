"""Text that files, tables and chats can hold: Python's also holds halves of surrogate pairs, which none of them do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

FIRST_HALVES = ("\ud800", "\udbff")


def is_well_formed(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def well_formed(text: str) -> str:
    """Halves that stand beside each other are joined, others replaced by the replacement character."""
    return text if is_well_formed(text) else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def well_formed_so_far(text: str) -> str:
    """The same of a text that grows: a half at its end may still be joined by the other one."""
    is_open = bool(text) and FIRST_HALVES[0] <= text[-1] <= FIRST_HALVES[1]
    return well_formed(text[:-1] if is_open else text)


def well_formed_within(value: Any) -> Any:
    """The same of every text in something read from JSON."""
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, list):
        return [well_formed_within(one) for one in cast("list[Any]", value)]
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, Any]", value).items()
        return {well_formed(name): well_formed_within(one) for name, one in pairs}
    return value
