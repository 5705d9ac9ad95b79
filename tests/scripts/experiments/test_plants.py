from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from functools import partial

import pytest

from scripts.experiments.ordeals import ORDEALS
from scripts.experiments.plants import PLANTS, plant
from tests.acceptance.installation import PROJECT

PROMISED = """
    fencing-off inbound-key-not-unique random-id-not-stored settle-and-delivery-apart no-intent-before-tool
    mark-moved-by-live resend-without-look directory-lock-off
"""


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], cwd=PROJECT, capture_output=True, text=True, timeout=100, check=False
    )


def test_every_promised_bug_is_planted_and_listed_one_a_line() -> None:
    listed = run("-m", "scripts.experiments", "--plant", "list")
    assert listed.stdout.split("\n")[:-1] == list(PLANTS)
    assert set(PROMISED.split()) <= set(PLANTS)


@pytest.mark.parametrize("name", PLANTS)
def test_each_is_looked_for_somewhere_and_known_by_a_sign(name: str) -> None:
    one = PLANTS[name]
    assert one.ordeals or one.points
    assert set(one.ordeals) <= set(ORDEALS)
    assert all(re.fullmatch(r"(server|worker) [\w.-]+:[\w-]+(#\d)?", point) for point in one.points)
    assert one.signs
    assert not one.is_shown_by(["not at rest: (1, 0, 0)"])


def test_each_finds_the_place_in_the_product_that_it_spoils() -> None:
    planted = run("-c", "from scripts.experiments.plants import PLANTS, plant\nfor name in PLANTS: plant(name)")
    assert planted.returncode == 0, planted.stderr


def test_none_is_planted_by_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    planted: list[str] = []
    for name, one in PLANTS.items():
        monkeypatch.setitem(PLANTS, name, replace(one, patch=partial(planted.append, name)))
    plant("")
    assert planted == []


def test_an_error_of_the_experiment_is_no_violation() -> None:
    broken = run(
        "-c", "import sys; from scripts.experiments.__main__ import break_off; sys.excepthook = break_off; {}['key']"
    )
    assert broken.returncode == 2
    assert "The experiment did not run: KeyError('key')" in broken.stderr
