"""The lock that says that its holder lives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import Busy
from core.lock_file import held, held_together, is_held

HOLD = """
import sys
from pathlib import Path
from core.lock_file import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    input()
"""


def test_a_lock_is_held_as_long_as_its_block(tmp_path: Path) -> None:
    lock = tmp_path / "data" / "worker.lock"
    before = is_held(lock)
    with held(lock):
        inside, pid = is_held(lock), lock.read_text()
    assert (before, inside, is_held(lock)) == (False, True, False)
    assert pid == f"{os.getpid()}\n"


def test_a_second_holder_is_told_who_the_first_is(tmp_path: Path) -> None:
    lock = tmp_path / "worker.lock"
    with held(lock), pytest.raises(Busy, match=f"held by process {os.getpid()}"), held(lock):
        pass


def test_a_killed_holder_lets_go(tmp_path: Path) -> None:
    lock = tmp_path / "worker.lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        while_alive = is_held(lock)
        other.kill()
    assert (while_alive, is_held(lock)) == (True, False)
    with held(lock):
        assert lock.read_text() == f"{os.getpid()}\n"


def test_a_lock_may_be_held_together_but_not_beside_one_who_holds_it_alone(tmp_path: Path) -> None:
    lock = tmp_path / "worker.lock"
    with held_together(lock):
        with held_together(lock):
            both = is_held(lock)
        with pytest.raises(Busy), held(lock, patience=0):
            pass
        one = is_held(lock)
    with held(lock), pytest.raises(Busy), held_together(lock, patience=0):
        pass
    assert (both, one, is_held(lock)) == (True, True, False)
