from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from anyio import fail_after, to_thread

from core.clock import FakeClock
from core.errors import Busy, DatabaseError
from runtime import directory_lock
from runtime.directory_lock import DirectoryLocks, Holder
from runtime.policy import FencePolicy
from runtime.process import Job, run, sweep_now
from runtime.sandbox import Passage, find_sandbox
from tests.runtime.strays import marked

ROOT = Path(__file__).parents[2]
SINCE = datetime(2026, 11, 20, 14, 5, tzinfo=UTC)
OTHER = """
import asyncio, os, sys
from datetime import UTC, datetime
from pathlib import Path
from runtime.directory_lock import DirectoryLocks, Holder
from runtime.policy import FencePolicy
from runtime.process import Job, run
from runtime.sandbox import Passage, find_sandbox

async def main(locks, directory, marker, command):
    holder = Holder("turn 7 of Tom", marker, datetime(2026, 11, 20, 14, 5, tzinfo=UTC))
    held = await DirectoryLocks(Path(locks)).acquire(Path(directory), holder)
    sys.stdout.write("held\\n")
    sys.stdout.flush()
    await run(find_sandbox(), FencePolicy(Path(directory)), Job(command, Passage(marker, held.fd)))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def locks(tmp_path: Path) -> DirectoryLocks:
    return DirectoryLocks(tmp_path / "locks")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "above" / "place"
    (place / "below").mkdir(parents=True)
    (tmp_path / "above" / "neighbour").mkdir()
    return place


@pytest.fixture
def marker() -> str:
    return f"lock-test-{os.urandom(6).hex()}"


def holder(who: str = "turn 1 of Ann", marker: str = "m-1") -> Holder:
    return Holder(who, marker, SINCE)


@contextmanager
def other_process(locks: Path, place: Path, marker: str, command: str) -> Generator[subprocess.Popen[str]]:
    argv = (sys.executable, "-c", OTHER, str(locks), str(place), marker, command)
    process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()
        sweep_now([marker])


async def _heard(pipe: Path) -> None:
    with fail_after(20):
        await to_thread.run_sync(pipe.read_bytes, abandon_on_cancel=True)


@pytest.mark.parametrize("other", [".", "..", "below"])
async def test_p8_one_writer_for_a_directory_and_those_around_it(
    locks: DirectoryLocks, place: Path, other: str
) -> None:
    held = await locks.acquire(place, holder())
    with pytest.raises(Busy, match=r"turn 1 of Ann has been writing in .*/place since 2026-11-20 14:05:00 UTC"):
        await locks.acquire(place / other, holder("turn 2 of Bob"))
    held.release()
    again = await locks.acquire(place / other, holder("turn 2 of Bob"))
    again.release()


async def test_p8_neighbours_write_side_by_side(locks: DirectoryLocks, place: Path) -> None:
    one = await locks.acquire(place, holder())
    two = await locks.acquire(place.parent / "neighbour", holder("turn 2 of Bob", "m-2"))
    one.release()
    one.release()
    with pytest.raises(Busy, match="turn 2 of Bob"):
        await locks.acquire(place.parent, holder("turn 3 of Cid", "m-3"))
    two.release()


async def test_p8_a_link_is_the_directory_it_leads_to(locks: DirectoryLocks, place: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(place)
    held = await locks.acquire(tmp_path / "link", holder())
    with pytest.raises(Busy):
        await locks.acquire(place, holder())
    held.release()


async def test_p8_a_busy_answer_comes_at_once(locks: DirectoryLocks, place: Path, tmp_path: Path) -> None:
    """That is, without a moment's sleep: this clock's sleeps have no end."""
    held = await locks.acquire(place, holder())
    impatient = DirectoryLocks(tmp_path / "locks", FakeClock())
    with fail_after(20), pytest.raises(Busy):
        await impatient.acquire(place, holder("turn 2 of Bob"))
    held.release()


async def test_p8_a_living_holder_in_another_process_is_never_killed(place: Path, tmp_path: Path, marker: str) -> None:
    with other_process(tmp_path / "locks", place, marker, "sleep 60") as process:
        with pytest.raises(Busy, match="turn 7 of Tom"):
            await DirectoryLocks(tmp_path / "locks").acquire(place, holder())
        assert process.poll() is None
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(Busy, match="turn 7 of Tom"):
            await DirectoryLocks(tmp_path / "locks").acquire(place, holder())


async def test_p8_the_lock_outlives_a_killed_writer_while_its_tools_live(
    place: Path, tmp_path: Path, marker: str
) -> None:
    """The tools of the dead writer are ended by whoever comes next, before it writes."""
    os.mkfifo(place / "ready")
    hidden = "trap '' TERM; setsid sh -c 'echo > ready; sleep 60' & sleep 60"
    with other_process(tmp_path / "locks", place, marker, hidden) as process:
        await _heard(place / "ready")
        tools = [tool for tool in marked(marker) if tool.pid != process.pid]
        process.kill()
        process.wait()
        held = await DirectoryLocks(tmp_path / "locks").acquire(place, holder())
        gone, alive = psutil.wait_procs(tools, timeout=10)  # what was killed may be about to end
        assert (len(gone), alive) == (len(tools), [])
        held.release()


async def test_p8_tools_hold_the_lock_and_cannot_let_it_go(locks: DirectoryLocks, place: Path, marker: str) -> None:
    sandbox = find_sandbox()
    assert sandbox is not None
    held = await locks.acquire(place, holder())
    os.mkfifo(place / "ready")
    os.mkfifo(place / "go")
    job = Job("ls -l /proc/self/fd | grep -c locks; echo > ready; cat go", Passage(marker, held.fd))
    tool = asyncio.create_task(run(sandbox, FencePolicy(place), job))
    await _heard(place / "ready")
    held.release()
    with pytest.raises(Busy):
        await locks.acquire(place, holder("turn 2 of Bob"))
    await to_thread.run_sync((place / "go").write_text, "")
    assert (await tool).output == "0\n"
    (await locks.acquire(place, holder("turn 2 of Bob"))).release()


async def test_p8_a_dead_holder_whose_tools_cannot_be_found_is_waited_for_only_so_long(
    place: Path, tmp_path: Path, marker: str
) -> None:
    locks = DirectoryLocks(tmp_path / "locks", wait_seconds=0.2)
    held = await locks.acquire(place, holder())
    record = next((tmp_path / "locks").glob("*.json"))
    known = json.loads(record.read_text())
    boot, namespace, pid, _ = known["owner"].split("/")
    record.write_text(json.dumps(known | {"owner": f"{boot}/{namespace}/{pid}/1.0", "marker": marker}))
    with pytest.raises(Busy, match="turn 1 of Ann"):
        await locks.acquire(place, holder("turn 2 of Bob"))
    held.release()


async def test_p8_a_broken_record_only_costs_the_name(locks: DirectoryLocks, place: Path, tmp_path: Path) -> None:
    held = await locks.acquire(place, holder())
    next((tmp_path / "locks").glob("*.json")).write_text("{")
    with pytest.raises(Busy, match="just beginning"):
        await locks.acquire(place, holder("turn 2 of Bob"))
    held.release()


async def test_p8_a_stale_record_is_no_lock(locks: DirectoryLocks, place: Path, tmp_path: Path) -> None:
    held = await locks.acquire(place, holder())
    os.close(held.fd)
    held.fd = -1
    (await locks.acquire(place, holder("turn 2 of Bob"))).release()
    assert list((tmp_path / "locks").glob("*.json")) == []


async def test_p8_a_folder_that_cannot_hold_locks_is_an_error(place: Path) -> None:
    with pytest.raises(OSError, match=r"Inappropriate|Bad|Invalid|Operation|Not a directory|File exists"):
        await DirectoryLocks(Path(os.devnull)).acquire(place, holder())


async def test_bad_input_a_record_that_cannot_be_taken_away_holds_no_lock(
    locks: DirectoryLocks, place: Path, tmp_path: Path
) -> None:
    held = await locks.acquire(place, holder())
    record = next((tmp_path / "locks").glob("*.json"))
    record.unlink()
    (record / "in the way").mkdir(parents=True)
    held.release()
    (record / "in the way").rmdir()
    record.rmdir()
    again = await locks.acquire(place, holder())
    assert record.is_file()
    again.release()


async def test_bad_input_a_full_disk_is_told_and_leaves_no_lock_behind(
    locks: DirectoryLocks, place: Path, tmp_path: Path
) -> None:
    (await locks.acquire(place, holder())).release()
    draft = tmp_path / "locks" / f"{directory_lock._byte(place):x}.{os.getpid()}.draft"
    draft.symlink_to("/dev/full")
    with pytest.raises(DatabaseError, match=r"data cannot be written \(No space left on device\): free some space"):
        await locks.acquire(place, holder())
    draft.unlink()
    (await locks.acquire(place, holder())).release()


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_p8_each_system_reads_its_own_requests(platform: str) -> None:
    request = directory_lock._request(fcntl.F_WRLCK, 2**61, platform)
    assert directory_lock._kind_of(request, platform) == fcntl.F_WRLCK
    assert len(request) >= 24


async def test_p8_a_place_that_cannot_be_locked_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        directory_lock._set(10_000, fcntl.F_WRLCK, 1)


async def test_p8_who_is_cancelled_while_taking_a_directory_does_not_keep_it(
    locks: DirectoryLocks, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, go_on = threading.Event(), threading.Event()
    take = DirectoryLocks._try

    def take_slowly(self: DirectoryLocks, real: Path, holder: Holder) -> directory_lock.Held | None:
        held = take(self, real, holder)
        taken.set()
        go_on.wait(10)
        return held

    with monkeypatch.context() as patched:
        patched.setattr(DirectoryLocks, "_try", take_slowly)
        taking = asyncio.create_task(locks.acquire(place, Holder("turn 1 of Ann", "run_1", SINCE)))
        assert await to_thread.run_sync(taken.wait, 10)
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking
        go_on.set()
    with fail_after(5):
        while True:
            with contextlib.suppress(Busy):
                (await locks.acquire(place, Holder("turn 2 of Tom", "run_2", SINCE))).release()
                break
