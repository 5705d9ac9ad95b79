"""What changes in a file, as a unified diff that people can read: always right, bounded, not always the shortest."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Any

DIFF = "diff"  # where the evidence of a changed file has it
CONTEXT = 3
COMPARED = 1_000  # lines: comparing them line by line may cost the square of it
MOST = 20_000  # characters
Group = Sequence[tuple[str, int, int, int, int]]


def unified(path: str, before: bytes | None, after: bytes) -> str:
    """Empty where nothing changes. `before` None: the file is new."""
    if before == after:
        return ""
    if b"\0" in after or b"\0" in (before or b""):
        return f"{path} is no text; it has {len(after):,} bytes now."
    old, new = _lines(before or b""), _lines(after)
    head = (f"--- {'/dev/null' if before is None else f'a/{path}'}", f"+++ b/{path}")
    return _bounded([*head, *_hunks(old, new)])


def without_diff(evidence: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is kept with a result, and told: the diff stays with the step."""
    return {name: value for name, value in evidence.items() if name != DIFF}


def diffs_in(evidence: Iterable[Mapping[str, Any]]) -> list[str]:
    return [str(item[DIFF]) for item in evidence if item.get(DIFF)]


def _lines(content: bytes) -> list[str]:
    return list(io.StringIO(content.decode(errors="replace"), newline="\n"))


def _hunks(old: list[str], new: list[str]) -> Iterator[str]:
    """What is the same at both ends is left out first: most changes are small."""
    first = max(0, _same(old, new) - CONTEXT)
    left = min(len(old), len(new)) - first
    last = max(0, min(_same(old[::-1], new[::-1]), left) - CONTEXT)
    old, new = old[first : len(old) - last], new[first : len(new) - last]
    for group in _groups(old, new):
        yield f"@@ -{_span(group[0][1], group[-1][2], first)} +{_span(group[0][3], group[-1][4], first)} @@"
        for kind, was, until, now, ends in group:
            if kind == "equal":
                yield from (_told(" ", line) for line in old[was:until])
            else:
                yield from (_told("-", line) for line in old[was:until])
                yield from (_told("+", line) for line in new[now:ends])


def _groups(old: list[str], new: list[str]) -> Iterable[Group]:
    if max(len(old), len(new)) > COMPARED:
        return [[("replace", 0, len(old), 0, len(new))]]
    return SequenceMatcher(None, old, new).get_grouped_opcodes(CONTEXT)


def _same(old: list[str], new: list[str]) -> int:
    """How many lines are the same from the beginning on."""
    return sum(1 for _ in takewhile(lambda both: both[0] == both[1], zip(old, new, strict=False)))


def _span(start: int, end: int, first: int) -> str:
    """Lines are counted from 1; of no lines the one before is named."""
    return f"{first + start + (end > start)},{end - start}"


def _told(sign: str, line: str) -> str:
    return f"{sign}{line[:-1]}" if line.endswith("\n") else f"{sign}{line}\n\\ No newline at end of file"


def _bounded(lines: list[str]) -> str:
    text = "\n".join(lines)
    if len(text) <= MOST:
        return text
    kept = text[:MOST].rpartition("\n")[0]
    return f"{kept}\n[cut here: {len(lines) - kept.count(chr(10)) - 1:,} more lines]"
