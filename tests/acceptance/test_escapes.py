"""W4, W5: twenty ways out and more, as root and as a plain user; each leads out as soon as the fence is off."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.attempts import ATTEMPTS, Attempt
from tests.acceptance.escape_world import SECRET_VARIABLE

pytestmark = pytest.mark.timeout(300)  # four worlds at once, on a machine that may be busy
PATIENCE = 280
ROOT = Path(__file__).parents[2]
WHO = ("root", "user") if os.geteuid() == 0 else ("user",)
KINDS = [(who, mode) for who in WHO for mode in ("fence", "open")]
PAIRS = [(who, attempt) for who in WHO for attempt in ATTEMPTS]
CASES = [pytest.param(*pair, id=f"{pair[0]}-{pair[1].id}") for pair in PAIRS]
OPEN_CASES = [case for case, (who, attempt) in zip(CASES, PAIRS, strict=True) if who in attempt.open_to]

Report = dict[str, dict[str, list[str]]]


@functools.cache
def started() -> dict[tuple[str, str], subprocess.Popen[str]]:
    """All four worlds at once; each is a process of its own that can drop its privileges."""
    environment = os.environ | {SECRET_VARIABLE: f"secret-{os.urandom(12).hex()}"}
    return {
        kind: subprocess.Popen(
            [sys.executable, "-m", "tests.acceptance.escape_world", *kind],
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
    assert process.returncode == 0, complaints
    return json.loads(told)


@pytest.mark.parametrize(("who", "attempt"), CASES)
def test_w4_w5_nothing_gets_out(who: str, attempt: Attempt) -> None:
    found = report(who, "fence")[attempt.id]
    assert found["leaks"] == [], found["output"]


@pytest.mark.parametrize(("who", "attempt"), OPEN_CASES)
def test_the_same_attempt_gets_out_without_the_fence(who: str, attempt: Attempt) -> None:
    found = report(who, "open")[attempt.id]
    assert found["leaks"] != [], found["output"]
