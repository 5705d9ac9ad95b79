from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import diffs
from runtime.diffs import COMPARED, MOST, diffs_in, unified, without_diff

HUNK = re.compile(r"@@ -(\d+),(\d+) \+(\d+),(\d+) @@")
NO_END = "\\ No newline at end of file"
texts = st.lists(st.sampled_from("abcd"), max_size=30).map("\n".join)


def apply(diff: str, old: str) -> str:
    """What reading a diff makes of the old text."""
    lines, made, at = old.split("\n"), list[str](), 0
    told = diff.split("\n")[2:]
    for number, line in enumerate(told):
        if found := HUNK.fullmatch(line):
            start = int(found[1]) - (found[2] != "0")
            made, at = [*made, *lines[at:start]], start
            assert int(found[3]) == len(made) + (found[4] != "0")
        elif line[:1] in {" ", "-"}:
            assert lines[at] == line[1:]
            at += 1
        if line[:1] in {" ", "+"}:
            made.append(line[1:])
            if told[number + 1 : number + 2] == [NO_END] and lines[at:] == [""]:
                at += 1
    return "\n".join([*made, *lines[at:]])


def test_p10_a_change_is_shown_with_what_stands_around_it() -> None:
    old = "".join(f"{number}\n" for number in range(1, 21))
    assert unified("n.txt", old.encode(), old.replace("10\n", "ten\n").encode()).split("\n") == [
        "--- a/n.txt",
        "+++ b/n.txt",
        "@@ -7,7 +7,7 @@",
        *(" 7", " 8", " 9", "-10", "+ten", " 11", " 12", " 13"),
    ]


def test_p10_a_new_file_and_one_that_is_left_as_it_was() -> None:
    assert unified("a", None, b"x\ny").split("\n") == [
        *("--- /dev/null", "+++ b/a", "@@ -0,0 +1,2 @@", "+x", "+y", NO_END),
    ]
    assert unified("a", b"x", b"x") == ""
    assert unified("a", None, b"") == "--- /dev/null\n+++ b/a"


@pytest.mark.parametrize(("before", "after"), [(b"\0", b"x"), (None, b"a\0b")])
def test_p10_what_is_no_text_is_not_shown(before: bytes | None, after: bytes) -> None:
    assert unified("a", before, after) == f"a is no text; it has {len(after)} bytes now."


@given(texts, texts)
def test_p10_the_diff_makes_the_new_file_of_the_old_one(old: str, new: str) -> None:
    old, new = f"{old}\n", f"{new}\n"
    diff = unified("a", old.encode(), new.encode())
    assert apply(diff, old) == new if old != new else diff == ""


def test_p10_what_is_too_much_to_compare_is_replaced_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diffs, "MOST", 10**9)
    old = "same\n" + "".join(f"1{number}1\n" for number in range(COMPARED + 1))
    new = old.replace("1", "x")
    diff = unified("a", old.encode(), new.encode())
    assert apply(diff, old) == new
    assert len(HUNK.findall(diff)) == 1


def test_p10_a_long_diff_says_how_much_it_hides() -> None:
    diff = unified("a", None, b"line\n" * 5_000)
    assert len(diff) <= MOST + 40
    assert diff.endswith(f"\n+line\n[cut here: {5_003 - diff.count(chr(10)):,} more lines]")


def test_p10_the_diff_stays_with_the_step() -> None:
    seen = [{"kind": "file", "path": "a", "diff": "+a"}, {"kind": "file", "path": "b", "diff": ""}, {"kind": "command"}]
    assert [without_diff(item) for item in seen] == [
        {"kind": "file", "path": "a"},
        {"kind": "file", "path": "b"},
        {"kind": "command"},
    ]
    assert diffs_in(seen) == ["+a"]
