from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.experiments.experiment import Experiment, Plan
from scripts.experiments.sittings import Record, Sitting, read_record, version_here, write_record
from scripts.experiments.tally import Tally


def sat() -> Tally:
    tally = Tally(messages=7, violations=["lost: something"])
    tally.kills["kill server"] = 4
    tally.died_at["server receive:before-commit"] = 2
    tally.cpu["server"] += 1.5
    return tally


def test_what_was_counted_is_read_again_and_added_to(tmp_path: Path) -> None:
    file, record = tmp_path / "tally.json", Record(tally=sat())
    record.add(3, 60.0)
    write_record(record, file)
    again = read_record(file)
    assert (again.tally, [(one.seed, one.deaths) for one in again.sittings]) == (sat(), [(3, 6)])
    again.tally.kills["kill worker"] += 10
    again.tally.cpu["worker"] += 1.0
    again.add(4, 30.0)
    assert [(one.seed, one.deaths, one.seconds) for one in again.sittings] == [(3, 6, 60.0), (4, 10, 30.0)]


def test_the_first_sitting_has_no_record(tmp_path: Path) -> None:
    assert read_record(None) == read_record(tmp_path / "none.json") == Record()


@pytest.mark.parametrize("text", ["{", "[]", '{"sittings": [], "tally": {"unknown": 1}}'])
def test_what_is_no_record_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "tally.json"
    file.write_text(text)
    with pytest.raises(ValueError, match="is no record of earlier sittings"):
        read_record(file)


def test_a_sitting_asks_for_what_is_left_and_ends_when_it_is_called_off(tmp_path: Path) -> None:
    earlier = sat()
    earlier.violations.clear()
    run = Experiment(Plan(kills=10, points=30, seed=1), tmp_path, print, earlier)
    assert (run.quota.kills, run.quota.points, run.is_done()) == (6, 28, False)
    run.call_off()
    assert run.is_done()


def test_the_version_is_a_commit() -> None:
    assert re.fullmatch(r"[0-9a-f]{7,}(-dirty)?|unknown", version_here())


def test_a_sitting_is_told_in_a_line() -> None:
    assert str(Sitting(3, "abc1234", 1_200, 600.0)) == "seed 3 on abc1234: 1,200 deaths in 10 minutes"
