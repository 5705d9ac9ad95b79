from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.edges import FailPoints, around, no_edge, open_edge

DYING = """
from pathlib import Path
from core.edges import FailPoints, around
edge = FailPoints("send:after#2", Path(r"{log}"))
for _ in range(3):
    with around(edge, "send"):
        pass
"""


def test_a_process_ends_at_its_point_as_by_kill_9_and_every_arrival_is_written_down(tmp_path: Path) -> None:
    log = tmp_path / "arrivals"
    ended = subprocess.run([sys.executable, "-c", DYING.format(log=log)], timeout=30, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert log.read_text().split() == ["send:before", "send:after", "send:before", "send:after"]


def test_a_block_that_fails_does_not_reach_the_point_after_it(tmp_path: Path) -> None:
    edge = FailPoints(None, tmp_path / "arrivals")
    with pytest.raises(ZeroDivisionError), around(edge, "call"):
        raise ZeroDivisionError
    assert (tmp_path / "arrivals").read_text().split() == ["call:before"]


def test_the_product_at_work_passes_every_point_by(tmp_path: Path) -> None:
    assert open_edge(None, None) is no_edge
    edge = open_edge("x:before", tmp_path / "arrivals")
    assert open_edge("x:before", tmp_path / "arrivals") is edge
    edge("another:before")
    FailPoints("x:before#2", None)("x:before")
    no_edge("x:before")
