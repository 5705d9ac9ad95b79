from __future__ import annotations

from pathlib import Path

from scripts.experiments.mind import LINES, STAMPS
from scripts.experiments.writers import count_lines, find_overlaps


def stamp(place: Path, *stamps: str) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    (place / STAMPS).write_text("".join(f"{stamp}\n" for stamp in stamps))
    return place


def test_lines_are_counted_in_all_directories(tmp_path: Path) -> None:
    for name, text in (("a", "one\ntwo\n"), ("b", "two\nhal")):
        (tmp_path / name).mkdir()
        (tmp_path / name / LINES).write_text(text)
    assert count_lines([tmp_path / "a", tmp_path / "b", tmp_path / "none"]) == {"one": 1, "two": 2}


def test_one_writer_after_the_other_is_no_overlap(tmp_path: Path) -> None:
    assert list(find_overlaps([stamp(tmp_path, "+ one 1", "- one 2", "+ two 3", "- two 4")])) == []


def test_who_begins_while_another_writes_is_named(tmp_path: Path) -> None:
    found = list(find_overlaps([stamp(tmp_path / "hall", "+ one 1", "+ two 2", "- one 3", "- two 4")]))
    assert found == ["two writers: two began while one wrote in hall"]


def test_a_directory_above_counts_as_the_same(tmp_path: Path) -> None:
    above, below = stamp(tmp_path, "+ one 1", "- one 4"), stamp(tmp_path / "below", "+ two 2", "- two 3")
    assert len(list(find_overlaps([above, below]))) == 1
    neighbour = stamp(tmp_path / "neighbour", "+ two 2", "- two 3")
    assert list(find_overlaps([below, neighbour])) == []


def test_a_writer_that_was_killed_may_begin_again(tmp_path: Path) -> None:
    assert list(find_overlaps([stamp(tmp_path, "+ one 1", "+ two 2", "- two 3", "+ one 4", "- one 5")])) == []
