# pyright: basic
"""Strategies for whatever Telegram's schema allows, built from the signatures of Telethon's own classes."""

from __future__ import annotations

import inspect
import struct
import zlib
from collections import defaultdict
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
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
    return KINDS.get(zlib.crc32(name.encode()), [])


def fields_of(constructor: type) -> dict[str, inspect.Parameter]:
    if constructor.__init__ is object.__init__:
        return {}
    return dict(list(inspect.signature(constructor.__init__).parameters.items())[1:])


def needed(constructor: type) -> list[str]:
    """The types without which an object of this constructor cannot be."""
    names = [one.annotation for one in fields_of(constructor).values() if one.default is not None]
    return [name.removeprefix("Type") for name in names if isinstance(name, str) and name.startswith("Type")]


@cache
def heights() -> dict[type, int]:
    """How deep the shallowest object of each constructor is."""
    known: dict[type, int] = {}
    changed = True
    while changed:
        changed = False
        for constructor in (one for kinds in KINDS.values() for one in kinds if one not in known):
            shallowest = [
                min((known[k] for k in classes_of(name) if k in known), default=None) for name in needed(constructor)
            ]
            if None not in shallowest:
                known[constructor], changed = 1 + max((one for one in shallowest if one), default=0), True
    return known


@st.composite
def an(draw: st.DrawFn, constructor: type) -> Any:
    """Objects of one constructor."""
    return build(draw, constructor, 0)


def build(draw: st.DrawFn, constructor: type, depth: int) -> Any:
    made: dict[str, Any] = {}
    for name, parameter in fields_of(constructor).items():
        if name in COUNTS:
            made[name] = 0
        elif parameter.default is not None or (depth < DEPTH and draw(st.booleans())):
            made[name] = value(draw, parameter.annotation, depth)
    return constructor(**made)


def value(draw: st.DrawFn, annotation: Any, depth: int) -> Any:
    annotation = annotation.__forward_arg__ if isinstance(annotation, ForwardRef) else annotation
    annotation = NAMED.get(annotation, annotation) if isinstance(annotation, str) else annotation
    inner = [one for one in get_args(annotation) if one is not type(None)]
    if annotation in PLAIN:
        return draw(PLAIN[annotation])
    if get_origin(annotation) is Union:
        return value(draw, inner[0], depth)
    if get_origin(annotation) is list:
        return [value(draw, inner[0], depth) for _ in range(draw(st.integers(0, 2 if depth < DEPTH else 0)))]
    kinds = classes_of(annotation.removeprefix("Type")) if isinstance(annotation, str) else []
    if not kinds:
        return None
    chosen = draw(st.sampled_from(kinds)) if depth < DEPTH else min(kinds, key=lambda kind: heights().get(kind, 99))
    return build(draw, chosen, depth + 1)


def written(thing: Any) -> bytes | None:
    """The bytes on the wire, None for what the schema's types do not allow."""
    with suppress(TypeError, AttributeError, ValueError, OverflowError, AssertionError, LookupError, struct.error):
        return bytes(thing)
    return None
