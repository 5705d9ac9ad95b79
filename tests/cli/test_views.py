"""Views, and how plain lines and a terminal show them."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from cli import views
from cli.plain import harmless, lines_of
from cli.terminal import draw
from cli.views import Branch, Facts, Note, Table, View

TABLE = Table(("#", "status", "task"), (("#7", "failed", "count\x1b[31m"), ("#10", "pending", "")), "None.")
FACTS = Facts((("id", "7"), ("result", "one\ntwo")))
TREE = Branch("run", (Branch("a", (Branch("a1"), Branch("a2"))), Branch("b", (Branch("b1"),))))


@pytest.mark.parametrize(
    ("view", "lines"),
    [
        (TABLE, ["#    STATUS   TASK", "#7   failed   count\N{REPLACEMENT CHARACTER}[31m", "#10  pending"]),
        (Table(("#",), (), "None."), ["None."]),
        (FACTS, ["id      7", "result  one\n        two"]),
        (TREE, ["run", "├─ a", "│  ├─ a1", "│  └─ a2", "└─ b", "   └─ b1"]),
        (Note("Done."), ["Done."]),
    ],
)
def test_views_are_plain_lines_in_a_pipe(view: View, lines: list[str]) -> None:
    assert list(lines_of(view)) == lines


@pytest.mark.parametrize("view", [TABLE, Table(("#",), (), "None."), FACTS, TREE, Note("Done [b]all[/b].")])
def test_a_terminal_shows_the_same_words(view: View) -> None:
    out = io.StringIO()
    draw(view, Console(file=out, width=80, force_terminal=True, color_system=None, highlight=False))
    words = " ".join(lines_of(view)).replace("│", "").replace("├─", "").replace("└─", "").split()
    shown = out.getvalue()
    assert [word for word in words if word.lower() not in shown.lower()] == []
    assert "\x1b[31m" not in shown


def test_what_others_wrote_moves_no_cursor() -> None:
    assert harmless("a\x1b[2J\u202eb\r\nc é 👀") == "a\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}b" + (
        "\N{REPLACEMENT CHARACTER}\nc é 👀"
    )


def test_a_result_is_shown_whole_in_place_of_its_beginning() -> None:
    kept: dict[str, Any] = {"id": 7, "result_summary": "begin…", "result": "beginning and end", "progress": None}
    assert views.promise({**kept, "former_runs": []}) == Facts((("id", "7"), ("result", "beginning and end")))
    assert views.promise({**kept, "former_runs": ["a", "b"]}).pairs[2] == ("former_runs", "a, b")


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ("cancelled", "Promise #7 is cancelled."),
        ("in_progress", "Promise #7 is being cancelled."),
    ],
)
def test_p5_a_cancel_says_what_became_of_it(status: str, sentence: str) -> None:
    assert views.cancelled({"id": 7, "status": status}) == Note(sentence)


def test_how_far_a_promise_is() -> None:
    plain = dict.fromkeys(("waiting_for", "error_message", "result_summary", "progress"))
    told = {"waiting_for": "schedule", "error_message": "Overloaded."}
    assert views._how_far({**plain, **told}) == "waits for schedule: Overloaded."
    assert views._how_far({**plain, "progress": "3 of 4"}) == "3 of 4"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(-5, "now"), (0, "now"), (59, "59 s"), (60, "1 min"), (7_199, "1 h"), (90_000, "1 d")],
)
def test_spans_are_told_in_their_largest_unit(seconds: int, told: str) -> None:
    assert views._span(timedelta(seconds=seconds)) == told


def test_a_letters_age_counts_from_its_writing() -> None:
    letter: dict[str, Any] = {
        "id": 3,
        "front": "bot:1",
        "chat": "5",
        "kind": "answer",
        "status": "dead",
        "created_at": (datetime.now(UTC) - timedelta(hours=3, minutes=5)).isoformat(),
        "text": "x" * 99,
        "error": None,
    }
    table = views.letters([letter])
    assert isinstance(table, Table)
    assert table.rows[0][4:] == ("3 h", "x" * 39 + "…", "")


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ({"kind": "file", "path": "a.py", "before": None, "after": "x"}, "changed a.py"),
        ({"kind": "source", "url": "http://a"}, "read http://a"),
        ({"kind": "interrupted", "tool": "run"}, "interrupted"),
    ],
)
def test_p10_what_a_tool_was_seen_to_do(item: dict[str, Any], told: str) -> None:
    assert views._fact(item) == told
