from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.experiments.strays import ancestors, find_strays

WAITING = "import sys; print('up', flush=True); sys.stdin.read()"


@pytest.fixture
def stray(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that carries the installation's folder and a run's mark in its environment."""
    environment = {"VALOR_HOME": str(tmp_path), "VALOR_RUN": "run_1/1"}
    command, pipe = [sys.executable, "-S", "-c", WAITING], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment) as process:
        assert process.stdout is not None
        process.stdout.readline()  # until then /proc may tell nothing of it
        yield process
        process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_what_descends_from_nobody_alive_is_a_stray(tmp_path: Path, stray: subprocess.Popen[bytes]) -> None:
    assert len(find_strays(tmp_path, [], [])) == 1
    assert find_strays(tmp_path, [stray.pid], []) == []
    assert find_strays(tmp_path, [os.getpid()], []) == []
    assert find_strays(tmp_path / "another", [], []) == []


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_tool_is_one_even_below_a_living_process(tmp_path: Path, stray: subprocess.Popen[bytes]) -> None:
    assert stray.poll() is None
    assert len(find_strays(tmp_path, [os.getpid()], ["run_1", "run_2"])) == 1
    assert find_strays(tmp_path, [os.getpid()], ["run_"]) == []


def test_ancestors_lead_to_the_first_process() -> None:
    assert next(ancestors(os.getpid())) == os.getppid()
    assert list(ancestors(os.getpid()))[-1] in {0, 1}
