"""S1 and S2: which processes start.sh started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from cli.records import Part, Records, send
from core.owner import Owner


def test_s1_a_noted_process_is_found_and_people_read_its_number(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.note(Part.SERVER, os.getpid())
    records.note(Part.SUPERVISOR, os.getpid())
    assert records.running() == dict.fromkeys((Part.SUPERVISOR, Part.SERVER), Owner.this_process())
    assert (tmp_path / "server.pid").read_text() == f"{os.getpid()}\n"
    records.forget(Part.SERVER)
    assert list(records.running()) == [Part.SUPERVISOR]
    assert not (tmp_path / "server.pid").exists()


def test_s2_a_stranger_with_a_recorded_number_is_not_ours(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.note(Part.WORKER, os.getpid())
    record = tmp_path / "data" / "worker.process"
    record.write_text(str(replace(Owner.this_process(), started=1.0)))
    earlier = records.find(Part.WORKER)
    record.write_text("torn")
    assert (earlier, records.find(Part.WORKER)) == (None, None)


def test_s2_only_this_very_process_is_signalled() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        owner = Owner.of(child.pid)
        assert not send(replace(owner, started=1.0), signal.SIGKILL)
        assert child.poll() is None
        assert send(owner, signal.SIGKILL)
        child.wait()
        assert not send(owner, signal.SIGKILL)
