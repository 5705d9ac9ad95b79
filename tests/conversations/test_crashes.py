"""The exactly-once argument, shown: real processes over one file, killed with SIGKILL at every edge of the ledger."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(300)  # hundreds of processes, on a machine that may be busy
ROOT = Path(__file__).resolve().parents[2]
LEDGER = r"(?!front\.(react|mark_read|dialogs)|admit|chat).*"  # signs change nothing that could be lost


def kill(folder: Path, edges: str, planted: str) -> list[dict[str, Any]]:
    """What was wrong after a death at each edge; the first entry is a life without one."""
    command = [sys.executable, "-m", "tests.conversations.crash_play", str(folder), edges, planted]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=280, check=False)
    assert ended.returncode == 0, ended.stderr.decode()
    return json.loads(ended.stdout)


@pytest.mark.parametrize("planted", ["", "lost answers"])
def test_b1_killed_at_any_edge_every_message_is_answered_once(tmp_path: Path, planted: str) -> None:
    found = kill(tmp_path, LEDGER if not planted else r"front\.(send|sent_after)|sent:.*|postpone:.*", planted)
    assert [one for one in found if one["wrong"]] == []
    assert sum(one["died"] for one in found) >= 10
    edges = {one["edge"].partition(" ")[2] for one in found if one["died"]}
    assert {"sent:before-commit", "sent:after-commit", "front.send"} <= edges
    assert planted or "file:after-commit" in edges


@pytest.mark.parametrize("planted", ["growing", "growing bot"])
def test_b3_killed_at_any_edge_an_answer_that_grows_is_one_message(tmp_path: Path, planted: str) -> None:
    found = kill(tmp_path, LEDGER, planted)
    assert [one for one in found if one["wrong"]] == []
    edges = [one["edge"].partition(" ")[2] for one in found if one["died"]]
    assert len(edges) >= 20
    assert edges.count("front.edit") >= 4
    assert {"turn.grow:before-commit", "turn.grow:after-commit", "turn.end:after-commit", "front.send"} <= set(edges)


def test_p3_killed_at_any_edge_while_a_group_becomes_a_supergroup(tmp_path: Path) -> None:
    found = kill(tmp_path, r"follow:.*|(receive|turn\.end|sent):after-commit|front\.send", "moved group")
    assert [one for one in found if one["wrong"]] == []
    assert sum(one["died"] for one in found) >= 10


def test_b1_the_checker_sees_what_a_missing_look_does(tmp_path: Path) -> None:
    found = kill(tmp_path, "sent:before-commit", "no look")
    assert found[0]["wrong"] == []
    assert [one for one in found if one["wrong"]] != []
