"""Views as plain lines, for pipes: columns that a person reads and a program cuts; and what makes text harmless."""

from __future__ import annotations

from collections.abc import Iterable

from cli.views import Branch, Facts, Note, Table, View

GAP = "  "


def lines_of(view: View) -> Iterable[str]:
    match view:
        case Table(rows=()):
            return [view.empty]
        case Table():
            return _columns([tuple(name.upper() for name in view.columns), *view.rows])
        case Facts():
            width = max(len(name) for name, _ in view.pairs)
            indent = "\n" + " " * (width + len(GAP))
            return [f"{name:{width}}{GAP}{harmless(value).replace(chr(10), indent)}" for name, value in view.pairs]
        case Branch():
            return _tree(view)
        case Note():
            return [harmless(view.sentence)]


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    safe = [tuple(harmless(cell) for cell in row) for row in rows]
    widths = [max(len(row[number]) for row in safe) for number in range(len(safe[0]))]
    return [GAP.join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in safe]


def _tree(branch: Branch) -> list[str]:
    lines = [harmless(branch.line)]
    for number, child in enumerate(branch.children, 1):
        is_last = number == len(branch.children)
        first, *rest = _tree(child)
        lines += [("└─ " if is_last else "├─ ") + first, *(("   " if is_last else "│  ") + line for line in rest)]
    return lines


def harmless(text: str) -> str:
    """Others wrote it: nothing in it may move a cursor, change a colour or turn the line around."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)
