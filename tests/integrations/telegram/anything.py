# pyright: basic
"""Strategies for whatever Telegram's schema allows, built from the signatures of Telethon's own classes."""

from __future__ import annotations

import inspect
import zlib
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any, ForwardRef, Union, get_args, get_origin

from hypothesis import strategies as st
from telethon.tl.alltlobjects import tlobjects
from telethon.tl.tlobject import TLRequest

DEPTH = 3
COUNTS = frozenset({"pts", "pts_count", "qts", "seq", "seq_start"})  # 0: Telegram counts nothing here
KINDS: dict[int, list[type]] = defaultdict(list)
for _one in tlobjects.values():
    if isinstance(_one, type) and not issubclass(_one, TLRequest):
        KINDS[_one.SUBCLASS_OF_ID].append(_one)

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(0, 2**31 - 1),
    str: st.text(max_size=8),
    bytes: st.binary(max_size=8),
    bool: st.booleans(),
    float: st.floats(0, 100),
    datetime: st.just(WHEN),
}
NAMED = {"int": int, "str": str, "bytes": bytes, "bool": bool, "float": float, "datetime": datetime}


def classes_of(name: str) -> list[type]:
    """Every constructor of a type, `Update` or `MessageEntity`."""
    return KINDS[zlib.crc32(name.encode())]


def an(constructor: type, depth: int = 0) -> st.SearchStrategy[Any]:
    """Objects of one constructor."""
    known = vars(constructor).get("__init__")
    parameters = list(inspect.signature(known).parameters.values())[1:] if known else []
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for parameter in parameters:
        if parameter.name in COUNTS:
            fields[parameter.name] = st.just(0)
        elif not (depth >= DEPTH and parameter.default is None):
            fields[parameter.name] = value(parameter.annotation, depth)
    return st.builds(constructor, **fields)


def value(annotation: Any, depth: int) -> st.SearchStrategy[Any]:
    if isinstance(annotation, ForwardRef):
        annotation = annotation.__forward_arg__
    annotation = NAMED.get(annotation, annotation) if isinstance(annotation, str) else annotation
    if annotation in PLAIN:
        return PLAIN[annotation]
    inner = [one for one in get_args(annotation) if one is not type(None)]
    if get_origin(annotation) is Union:
        return st.none() | value(inner[0], depth)
    if get_origin(annotation) is list:
        return st.lists(value(inner[0], depth), max_size=0 if depth >= DEPTH else 2)
    if isinstance(annotation, str) and annotation.startswith("Type"):
        kinds = classes_of(annotation.removeprefix("Type"))
        return st.deferred(lambda: st.one_of([an(kind, depth + 1) for kind in plainest(kinds, depth)]))
    return st.none()


def plainest(kinds: list[type], depth: int) -> list[type]:
    """All, or deep down those that need the fewest others."""
    if depth < DEPTH:
        return kinds
    return sorted(kinds, key=lambda kind: len(inspect.signature(kind.__init__).parameters))[:1]


def written(thing: Any) -> bytes | None:
    """The bytes on the wire, None for what the schema's types do not allow."""
    try:
        return bytes(thing)
    except (TypeError, AttributeError, ValueError, OverflowError, AssertionError, KeyError, LookupError) as error:
        return None if error else None
    except Exception as error:  # struct.error
        if type(error).__name__ != "error":
            raise
        return None
