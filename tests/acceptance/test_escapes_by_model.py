"""W4, W5: the ways out as a model's tool calls, as root and as a plain user; commands lead out without the fence."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.attempts import ATTEMPTS, Attempt
from tests.acceptance.escape_by_model import NOT_FOR_MODELS
from tests.acceptance.escape_world import SECRET_VARIABLE

pytestmark = pytest.mark.timeout(300)  # four worlds at once, on a machine that may be busy
PATIENCE = 280
ROOT = Path(__file__).parents[2]
WHO = ("root", "user") if os.geteuid() == 0 else ("user",)
KINDS = [(who, mode) for who in WHO for mode in ("fence", "open")]
TRIED = [attempt for attempt in ATTEMPTS if attempt.tool not in NOT_FOR_MODELS]
CASES = [pytest.param(who, attempt, id=f"{who}-{attempt.id}") for who in WHO for attempt in TRIED]
OPEN_CASES = [
    pytest.param(who, attempt, id=f"{who}-{attempt.id}")
    for who in WHO
    for attempt in TRIED
    if attempt.tool == "run_command" and who in attempt.open_to
]

Report = dict[str, dict[str, list[str]]]


@functools.cache
def started() -> dict[tuple[str, str], subprocess.Popen[str]]:
    """All worlds at once; each is a process of its own that can drop its privileges."""
    environment = os.environ | {SECRET_VARIABLE: f"secret-{os.urandom(12).hex()}"}
    return {
        kind: subprocess.Popen(
            [sys.executable, "-m", "tests.acceptance.escape_by_model", *kind],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for kind in KINDS
    }


@functools.cache
def report(who: str, mode: str) -> Report:
    process = started()[who, mode]
    told, complaints = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, complaints[-3000:]
    return json.loads(told)


@pytest.mark.parametrize(("who", "attempt"), CASES)
def test_w4_w5_nothing_gets_out_for_a_model(who: str, attempt: Attempt) -> None:
    found = report(who, "fence")[attempt.id]
    assert found["leaks"] == [], found["output"]


@pytest.mark.parametrize(("who", "attempt"), OPEN_CASES)
def test_the_same_command_gets_out_without_the_fence(who: str, attempt: Attempt) -> None:
    found = report(who, "open")[attempt.id]
    assert found["leaks"] != [], found["output"]
