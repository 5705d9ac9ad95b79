"""What chats are told."""

from __future__ import annotations

from promises.promise import Evidence
from promises.wording import shorten, summarise, tell_evidence


def test_p10_a_file_changed_twice_is_one_change_and_an_undone_one_none() -> None:
    changes: list[Evidence] = [
        {"kind": "file", "path": "a", "before": None, "after": "1" * 64},
        {"kind": "file", "path": "b", "before": "1" * 64, "after": "2" * 64},
        {"kind": "file", "path": "a", "before": "1" * 64, "after": "3" * 64},
        {"kind": "file", "path": "b", "before": "2" * 64, "after": "1" * 64},
        {"kind": "file", "path": "c", "before": "4" * 64, "after": None},
    ]
    assert tell_evidence(changes).splitlines() == [
        "- changed: `a` (nothing → 33333333…)",
        "- changed: `c` (44444444… → nothing)",
    ]


def test_p10_commands_sources_and_unknown_kinds_have_a_line_each() -> None:
    seen: list[Evidence] = [
        {"kind": "command", "command": "make `x`\n&& run", "exit_code": 2},
        {"kind": "source", "url": "https://example.org/a"},
        {"kind": "test", "passed": 3},
        {"odd": 1},
    ]
    assert tell_evidence(seen).splitlines() == [
        "- ran: `make  x  && run` → 2",
        "- read: https://example.org/a",
        "- test: passed 3",
        "- seen: odd 1",
    ]


def test_p10_long_evidence_says_how_much_it_hides() -> None:
    lines = tell_evidence({"kind": "source", "url": str(n)} for n in range(25)).splitlines()
    assert (len(lines), lines[-1]) == (21, "- and 5 more, kept with the promise")


def test_shortened_text_shows_that_it_is() -> None:
    assert shorten("a\n b") == "a b"
    assert shorten("word " * 100, 12) == "word word w…"
    assert summarise("as it is\n") == "as it is\n"
    assert len(summarise("x" * 3_000)) == 2_000
