"""Views for a person at a terminal, drawn by rich: imported only there, for it takes a tenth of a second."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Drawn
from rich.text import Text
from rich.tree import Tree

from cli.plain import harmless, lines_of
from cli.views import Branch, Facts, Table, View

COLOURS = {
    **dict.fromkeys(("completed", "done", "sent", "yes"), "green"),
    **dict.fromkeys(("failed", "dead", "error", "lost"), "red"),
    **dict.fromkeys(("in_progress", "running"), "cyan"),
    **dict.fromkeys(("pending", "waiting", "ambiguous", "backoff"), "yellow"),
    **dict.fromkeys(("cancelled", "dropped", "no"), "bright_black"),
}


def draw(view: View, console: Console | None = None) -> None:
    console = console or Console(highlight=False)
    match view:
        case Table() if view.rows:
            console.print(_table(view))
        case Facts():
            console.print(_facts(view))
        case Branch():
            console.print(_tree(view))
        case _:
            console.print(Text("\n".join(lines_of(view))))


def _table(view: Table) -> Drawn:
    drawn = Drawn(box=SIMPLE_HEAD, pad_edge=False)
    for name in view.columns:
        drawn.add_column(name, overflow="fold")
    for row in view.rows:
        drawn.add_row(*(Text(harmless(cell), style=COLOURS.get(cell, "")) for cell in row))
    return drawn


def _facts(view: Facts) -> Drawn:
    drawn = Drawn.grid("", "", padding=(0, 2))
    for name, value in view.pairs:
        drawn.add_row(Text(name, style="bold"), Text(harmless(value), style=COLOURS.get(value, "")))
    return drawn


def _tree(branch: Branch) -> Tree:
    drawn = Tree(Text(harmless(branch.line)))
    for child in branch.children:
        drawn.add(_tree(child))
    return drawn
