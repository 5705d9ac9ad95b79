from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from anyio import CancelScope, fail_after, to_thread

from core.owner import Owner
from runtime.policy import FencePolicy, Limits
from runtime.process import Finished, Job, Output, exceeded, kill_group, marker_of, run, sweep, sweep_now, sweep_orphans
from runtime.sandbox import MARKER, STARTER, OpenSandbox, Passage, Sandbox, find_sandbox
from tests.runtime.strays import marked

Run = Callable[..., Awaitable[Finished]]
STUBBORN = "trap '' TERM; setsid sh -c \"trap '' TERM; echo > ready; exec env -i sleep 60\" & sleep 60"
LINGERING = "trap '' TERM; setsid sleep 60 & sleep 60"


@pytest.fixture
def sandbox() -> Sandbox:
    found = find_sandbox()
    assert found is not None
    return found


@pytest.fixture
def marker(tmp_path: Path) -> str:
    return f"test-{tmp_path.name}-{os.urandom(4).hex()}"


@pytest.fixture
def fenced(sandbox: Sandbox, tmp_path: Path, marker: str) -> Run:
    def start(command: str, *, stdin: bytes = b"", **limits: Any) -> Awaitable[Finished]:
        policy = FencePolicy(tmp_path, limits=replace(Limits(seconds=20), **limits))
        return run(sandbox, policy, Job(command, Passage(marker), stdin))

    return start


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """A pipe in the workspace: whoever writes to it is waited for."""
    os.mkfifo(tmp_path / "ready")
    return tmp_path / "ready"


async def _heard(pipe: Path) -> None:
    with fail_after(20):
        await to_thread.run_sync(pipe.read_bytes, abandon_on_cancel=True)


async def test_w4_output_exit_code_and_standard_input(fenced: Run) -> None:
    finished = await fenced("cat; echo told >&2; exit 3", stdin=b"said\n")
    assert (finished.exit_code, finished.output) == (3, "said\ntold\n")
    assert (finished.truncated, finished.timed_out, finished.killed) == (False, False, None)


async def test_w4_input_that_nobody_reads_is_no_error(fenced: Run) -> None:
    assert (await fenced("exec 0<&-; exit 0", stdin=b"x" * 3_000_000)).exit_code == 0


async def test_w4_output_is_seen_as_it_comes(sandbox: Sandbox, tmp_path: Path, marker: str) -> None:
    seen: list[bytes] = []
    job = Job(("echo", "hello"), Passage(marker), on_output=seen.append)
    await run(sandbox, FencePolicy(tmp_path), job)
    assert b"".join(seen) == b"hello\n"


async def test_w4_long_output_loses_its_middle(fenced: Run) -> None:
    finished = await fenced("seq 100000", output_bytes=40)
    assert finished.truncated
    assert finished.output.startswith("1\n2\n3\n")
    assert finished.output.endswith("\n99999\n100000\n")
    assert "588855 bytes left out" in finished.output


def test_w4_output_keeps_exactly_what_it_may() -> None:
    output = Output(10)
    for chunk in (b"abc", b"defgh", b"ij"):
        output.add(chunk)
    assert (output.text(), output.cut) == ("abcdefghij", 0)
    output.add(b"k")
    assert (output.text(), output.cut) == ("abcde\n[… 1 bytes left out …]\nghijk", 1)


async def test_w4_time_runs_out(fenced: Run) -> None:
    finished = await fenced("echo begun; sleep 30", seconds=0.5)
    assert (finished.exit_code, finished.timed_out, finished.output) == (None, True, "begun\n")
    assert finished.seconds < 1.5


async def test_w4_a_polite_program_may_tidy_up(fenced: Run, tmp_path: Path) -> None:
    await fenced("trap 'touch tidy; exit' TERM; while :; do sleep 0.02; done", seconds=0.5)
    assert (tmp_path / "tidy").exists()


async def test_w4_a_fork_bomb_is_stopped(fenced: Run, marker: str) -> None:
    finished = await fenced("for i in $(seq 400); do sleep 5 & done; wait", processes=40)
    assert finished.exit_code != 0
    assert os.geteuid() != 0 or finished.killed == "processes"
    assert sweep_now([marker]) == 0


async def test_w4_one_large_program_gets_no_more_memory(fenced: Run) -> None:
    finished = await fenced("python3 -c 'bytearray(300_000_000)'", memory_bytes=100_000_000)
    assert "MemoryError" in finished.output


async def test_w4_many_programs_share_the_memory_they_get(fenced: Run) -> None:
    hog = "python3 -c 'import time; x=b\"x\"*60_000_000; time.sleep(20)'"
    finished = await fenced(f"for i in 1 2 3; do {hog} & done; wait", memory_bytes=100_000_000)
    assert (finished.exit_code, finished.killed) == (None, "memory")


async def test_w4_memory_that_is_shared_counts_once(fenced: Run) -> None:
    fork = "import os, time; x=b'x'*60_000_000; pid=os.fork(); time.sleep(0.4); pid and os.wait()"
    finished = await fenced(f'python3 -c "{fork}"', memory_bytes=100_000_000)
    assert (finished.exit_code, finished.killed) == (0, None)


async def test_w4_a_large_file_is_not_written(fenced: Run, tmp_path: Path) -> None:
    await fenced("head -c 2000000 /dev/zero > big", file_bytes=1_000_000)
    assert (tmp_path / "big").stat().st_size <= 1_000_000


async def test_w4_nothing_outlives_its_command(fenced: Run, marker: str) -> None:
    await fenced("setsid sleep 60 & setsid sleep 60 >/dev/null 2>&1 &")
    assert sweep_now([marker]) == 0


@pytest.mark.parametrize("native", [True, False])
async def test_b6_cancelled_work_is_dead_with_all_it_started(
    fenced: Run, marker: str, native: bool, ready: Path
) -> None:
    scope = CancelScope()

    async def work() -> None:
        with scope:
            await fenced(STUBBORN)

    task = asyncio.create_task(work())
    await _heard(ready)
    task.cancel() if native else scope.cancel()
    await asyncio.wait({task})
    assert sweep_now([marker]) == 0


async def test_b6_an_impatient_second_cancel_kills_at_once(fenced: Run, marker: str, ready: Path) -> None:
    task = asyncio.ensure_future(fenced("trap 'echo asked > ready' TERM; echo > ready; while :; do sleep 0.02; done"))
    await _heard(ready)
    processes = marked(marker)
    task.cancel()
    await _heard(ready)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert psutil.wait_procs(processes, timeout=5)[1] == []


KILLED = """
import asyncio, sys
from pathlib import Path
from runtime.policy import FencePolicy
from runtime.process import Job, run
from runtime.sandbox import Passage, find_sandbox
asyncio.run(run(find_sandbox(), FencePolicy(Path(sys.argv[1])), Job(sys.argv[2], Passage(sys.argv[3]))))
"""


async def test_p8_what_a_killed_process_left_is_found_and_ended(tmp_path: Path, marker: str, ready: Path) -> None:
    command = (sys.executable, "-c", KILLED, str(tmp_path), STUBBORN, marker)
    owner = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    await _heard(ready)
    owner.kill()
    owner.wait()
    await sweep([marker])
    assert sweep_now([marker]) == 0


async def test_p8_a_sweep_touches_no_stranger(marker: str) -> None:
    stranger = subprocess.Popen(["sleep", "60"], env={MARKER: f"{marker}-other", "NOTE": f"{MARKER}={marker}"})
    ours = subprocess.Popen(["sleep", "60"], env={MARKER: marker})
    try:
        assert await sweep([marker]) == 1
        assert ours.wait(5) == -signal.SIGKILL
        assert stranger.poll() is None
        assert await sweep([]) == 0
    finally:
        stranger.kill()
        stranger.wait()


async def test_p8_a_sweep_leaves_whoever_goes_on_with_the_run(marker: str) -> None:
    former = subprocess.Popen(["sleep", "60"], env={MARKER: marker_of(marker, 1)})
    later = subprocess.Popen(["sleep", "60"], env={MARKER: marker_of(marker, 11)})
    try:
        assert await sweep([marker_of(marker, 1)]) == 1
        assert former.wait(5) == -signal.SIGKILL
        assert later.poll() is None
    finally:
        later.kill()
        later.wait()


@pytest.fixture
def dead() -> str:
    """A process that has ended."""
    gone = subprocess.Popen(["sleep", "60"])
    owner = str(Owner.of(gone.pid))
    gone.kill()
    gone.wait()
    return owner


async def test_p8_a_half_built_fence_whose_builder_is_dead_is_found_and_ended(
    sandbox: Sandbox, tmp_path: Path, marker: str, dead: str
) -> None:
    """What bubblewrap leaves, waiting for ever, when it is killed in the moment after its fork."""
    until, delay = time.monotonic() + 60, 0.0
    while not (half := marked(marker)) and time.monotonic() < until:
        delay = (delay + 0.0001) % 0.005
        with sandbox.start(FencePolicy(tmp_path), ["/bin/sleep", "60"], Passage(marker)) as start:
            assert start.environment is not None
            outside = dict(start.environment) | {STARTER: dead}
            fence = subprocess.Popen(start.argv, env=outside, pass_fds=start.pass_fds)
        with contextlib.suppress(subprocess.TimeoutExpired):
            fence.wait(delay)
        fence.kill()
        fence.wait()
        psutil.wait_procs(marked(marker), timeout=0.2)  # those that do notice
    assert half
    await sweep_orphans()
    assert psutil.wait_procs(half, timeout=5)[1] == []


@pytest.mark.parametrize("starter", ["", "no owner", "this process"])
async def test_p8_a_fence_whose_builder_lives_is_left(dead: str, starter: str) -> None:
    starter = str(Owner.this_process()) if starter == "this process" else starter
    others = subprocess.Popen(["sleep", "60"], env={STARTER: starter, "NOTE": f"{STARTER}={dead}"})
    orphan = subprocess.Popen(["sleep", "60"], env={STARTER: dead})
    try:
        await sweep_orphans()
        assert orphan.wait(5) == -signal.SIGKILL
        assert others.poll() is None
    finally:
        others.kill()
        others.wait()


def test_p8_processes_that_are_gone_are_no_error() -> None:
    gone = subprocess.Popen(["true"], start_new_session=True)
    gone.wait()
    kill_group(gone.pid)
    assert exceeded(gone.pid, Limits()) is None


async def test_the_open_double_is_ended_too(tmp_path: Path, marker: str) -> None:
    limits = Limits(seconds=0.3)
    finished = await run(OpenSandbox(), FencePolicy(tmp_path, limits=limits), Job(LINGERING, Passage(marker)))
    assert finished.timed_out
    assert sweep_now([marker]) == 1
