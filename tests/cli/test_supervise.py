"""What dies is started again; what is asked to end ends with everything below it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from cli.records import Part, Records
from cli.supervise import Child, Patience, supervise
from tests.waiting import until

WAIT = [sys.executable, "-c", "import signal; signal.pause()"]
DEAF = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()",
]


def test_patience_grows_and_health_resets_it() -> None:
    patience = Patience(first=1, most=5, health=60)
    assert [patience.next(0, 1), patience.next(1, 1), patience.next(4, 1), patience.next(4, 61)] == [1, 2, 5, 1]


async def test_s1_a_child_that_dies_is_started_again(tmp_path: Path) -> None:
    records = Records(tmp_path)
    (tmp_path / "logs").mkdir()
    child = Child(Part.SERVER, WAIT, records, Patience(first=0.01))
    keeping = asyncio.create_task(supervise([child]))
    await until(lambda: records.find(Part.SERVER))
    first = records.find(Part.SERVER)
    assert first is not None
    os.kill(first.pid, signal.SIGKILL)
    await until(lambda: records.find(Part.SERVER) not in (None, first))
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(keeping, 10)
    assert records.running() == {}


async def test_s2_a_deaf_child_is_ended_by_force(tmp_path: Path) -> None:
    records = Records(tmp_path)
    (tmp_path / "logs").mkdir()
    child = Child(Part.WORKER, DEAF, records, Patience())
    keeping = asyncio.create_task(child.keep())
    output = records.output(Part.WORKER)
    await until(lambda: output.exists() and output.read_text() == "deaf\n")
    keeping.cancel()
    await asyncio.wait_for(child.end(0.1), 10)
    assert records.running() == {}
    await child.end(0.1)


def test_s1_the_program_supervises_both_processes(tmp_path: Path) -> None:
    """The real programs, in a folder where they cannot start: they are tried again, and SIGTERM ends everything."""
    (tmp_path / "logs").mkdir()
    (tmp_path / ".env").write_text("API_PORT=none\n")
    environment = {"VALOR_HOME": str(tmp_path), "PATH": os.defpath}
    command = [sys.executable, "-m", "cli.supervise", str(tmp_path)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        ended = next(line for line in supervisor.stdout if "ended with 1" in line)
        supervisor.terminate()
        supervisor.communicate(timeout=20)
    assert "started again in" in ended
    assert supervisor.returncode == 0
    assert Records(tmp_path).running() == {}
