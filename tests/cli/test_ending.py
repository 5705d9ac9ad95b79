"""S2: gracefully, then by force, with what they started, and nobody else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from cli.ending import descendants, end_all, wait_for_end
from cli.records import Part, Records
from core.owner import Owner

POLITE = "print('up', flush=True); input()"
STUBBORN = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
tool = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
print("up", flush=True)
input()
"""


@contextmanager
def running(code: str) -> Generator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        try:
            yield process
        finally:
            process.kill()


def test_s2_what_runs_is_asked_to_end_and_a_stranger_is_not(tmp_path: Path) -> None:
    records = Records(tmp_path)
    with running(POLITE) as server, running(POLITE) as stranger:
        records.note(Part.SERVER, server.pid)
        assert list(end_all(records)) == [Part.SERVER]
        assert server.wait() == -15
        assert stranger.poll() is None
    assert records.running() == {}
    assert not (tmp_path / "server.pid").exists()
    assert end_all(records) == {}


def test_s2_who_does_not_listen_is_ended_by_force_with_its_tools(tmp_path: Path) -> None:
    records = Records(tmp_path)
    with running(STUBBORN) as worker:
        records.note(Part.WORKER, worker.pid)
        (tool,) = descendants(Owner.of(worker.pid))
        assert list(end_all(records, 0.2)) == [Part.WORKER]
        assert worker.wait() == -9
        assert wait_for_end([tool], 5)


def test_a_process_that_is_gone_has_no_descendants() -> None:
    with running(POLITE) as process:
        owner = Owner.of(process.pid)
    assert descendants(owner) == []
