from __future__ import annotations

from pathlib import Path

import pytest

from scripts.experiments import wrappers
from scripts.experiments.__main__ import find_doubts, judge, plan_of, read_arguments
from scripts.experiments.experiment import Plan
from scripts.experiments.report import MARKS, Run, bound, bounds, summarise, tell_points, write_report
from scripts.experiments.sittings import Sitting
from scripts.experiments.tally import Tally

FULL = Plan(kills=1000, points=3000, seed=7)
SITTINGS = Sitting(6, "abc1234", 1_500, 60.0), Sitting(7, "abc1234", 2_500, 120.0)


@pytest.fixture(autouse=True)
def few_wrappers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the code had no others than those that a clean run comes to here."""
    monkeypatch.setattr(wrappers, "names_in_code", lambda: {"receive", "step"})


def clean() -> Tally:
    tally = Tally(messages=10, promises=4, appending=3, looks=1, plays=1)
    tally.kills["kill server"] = 1_000
    tally.points.update({"server receive:before-commit": 5_000, "worker step:after-commit": 9_000})
    tally.died_at.update({"server receive:before-commit": 1_000, "worker step:after-commit": 2_000})
    tally.outcomes["lines"] = 3
    return tally


def test_a_run_without_violation_or_doubt_is_clean() -> None:
    assert judge(FULL, clean()) == 0


def test_a_violation_is_exit_code_1_whatever_else_is_wrong() -> None:
    tally = clean()
    tally.violations.append("lost: something")
    tally.died_at.clear()
    assert judge(FULL, tally) == 1


def test_a_full_run_that_was_ended_early_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    tally = clean()
    tally.died_at["worker step:after-commit"] -= 1
    assert judge(FULL, tally) == 2
    assert "go on with the same --tally" in capsys.readouterr().out


def test_a_point_never_died_at_is_exit_code_2_in_a_full_run_only(capsys: pytest.CaptureFixture[str]) -> None:
    tally = clean()
    tally.points["server sent:after-commit"] = 1
    assert judge(FULL, tally) == 2
    assert "server sent:after-commit" in capsys.readouterr().out
    assert judge(Plan(kills=20, points=20, seed=7), tally) == 0


def test_a_wrapper_that_no_process_came_to_is_exit_code_2_in_a_full_run_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wrappers, "names_in_code", lambda: {"receive", "step", "promise-retry", "lift"})
    assert judge(FULL, clean()) == 2
    assert "no process came to: promise-retry\n" in capsys.readouterr().out
    assert judge(Plan(kills=20, points=20, seed=7), clean()) == 0


def test_what_has_shown_nothing_is_not_clean() -> None:
    tally = clean()
    tally.appending, tally.looks = 1, 0
    tally.outcomes.clear()
    doubts = " ".join(find_doubts(FULL, tally))
    for doubt in ("fewer than half", "no line", "nobody looked"):
        assert doubt in doubts


def test_the_bound_is_three_over_the_trials() -> None:
    run = Run(FULL, clean(), SITTINGS, 0)
    assert "< 0.07% of deaths" in bound(run)
    assert "0 of 10 messages: < 30.000%" in bounds(run.tally)
    run.tally.violations.append("lost")
    assert (bound(run), bounds(run.tally)) == ("", "none: there are violations")


def test_the_last_line_says_seed_counts_and_exit_code() -> None:
    said = summarise(Run(FULL, clean(), SITTINGS, 0))
    assert said.startswith("chaos seed 7: 0 violations")
    for part in ("1000 kills (100% with work open)", "3000 deaths at 2 of 2 fail points", "180 s", "exit code 0"):
        assert part in said


def test_every_point_has_its_line() -> None:
    assert tell_points(clean()).splitlines() == [
        "  1000     5000  server receive:before-commit",
        "  2000     9000  worker step:after-commit",
    ]


def test_a_report_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "reliability.md"
    begin, end = MARKS
    file.write_text(f"# Title\n{begin}\nformer run\n{end}\nThe end.\n")
    for _ in range(2):
        write_report(Run(FULL, clean(), SITTINGS, 0), file)
    text = file.read_text()
    assert text.startswith("# Title\n")
    assert text.endswith(f"{end}\nThe end.\n")
    assert "former run" not in text
    assert "seed 6 on abc1234: 1,500 deaths in 1 minutes; seed 7 on abc1234" in text
    assert text.count("| server receive:before-commit | 1000 | 5000 |") == 1


def test_what_replays_a_run_is_a_command_that_is_understood() -> None:
    for words in (
        ["--kills", "20", "--failpoints", "30", "--seed", "4"],
        ["--minutes", "2", "--plant", "newest-first"],
    ):
        plan = plan_of(read_arguments(words))
        command = Run(plan, clean(), SITTINGS, 0).command
        assert plan_of(read_arguments(command.split()[1:])) == plan
