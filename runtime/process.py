"""One fenced program: bounded in time, memory, processes and output, dead within a second when cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from anyio import CancelScope, to_thread

from core.owner import Owner
from runtime.policy import FencePolicy, Limits
from runtime.sandbox import MARKER, STARTER, Passage, Sandbox

PROC = Path("/proc")
GRACE_SECONDS = 0.3
FIRST_COUNT_SECONDS = 0.02
COUNT_EVERY_SECONDS = 0.1
DEATH_SECONDS = 1.0
CHUNK = 65_536
SWEEPS = 5


@dataclass(frozen=True, slots=True)
class Job:
    """A program to run: a command line for `sh`, or an argument list. `on_output` sees output as it comes."""

    command: str | Sequence[str]
    passage: Passage
    stdin: bytes = b""
    on_output: Callable[[bytes], None] | None = None

    @property
    def argv(self) -> tuple[str, ...]:
        return ("/bin/sh", "-c", self.command) if isinstance(self.command, str) else tuple(self.command)


@dataclass(frozen=True, slots=True)
class Finished:
    """What became of it. `exit_code` is None when it was stopped: by time (`timed_out`) or for what `killed` names
    (`memory`, `processes`). `output` holds both streams; with `truncated` its middle is missing."""

    exit_code: int | None
    output: str
    truncated: bool
    timed_out: bool
    killed: str | None
    seconds: float
    process_group: int


class Output:
    """The beginning and the end of a stream, `limit` bytes together; the middle is counted and dropped."""

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._head, self._tail = bytearray(), bytearray()
        self.cut = 0

    def add(self, chunk: bytes) -> None:
        room = self._half - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:]
        excess = max(0, len(self._tail) - self._half)
        self.cut += excess
        del self._tail[:excess]

    def text(self) -> str:
        gap = f"\n[… {self.cut} bytes left out …]\n" if self.cut else ""
        return self._head.decode(errors="replace") + gap + self._tail.decode(errors="replace")


async def run(sandbox: Sandbox, policy: FencePolicy, job: Job) -> Finished:
    """Run `job` to its end; cancelling the awaiting task kills all of it. Raises OSError when it cannot start.

    The program is started from the calling (the loop's) thread: the fence dies with the thread that started it.
    """
    began = time.monotonic()
    output, why = Output(policy.limits.output_bytes), Stopped()
    process = await _start(sandbox, policy, job)
    try:
        await _attend(process, job, output, policy.limits, why)
    finally:
        await _end(process, ask=why.reason in {None, "time"})
    code = None if why.reason else process.returncode
    killed = why.reason if why.reason != "time" else None
    seconds = time.monotonic() - began
    return Finished(code, output.text(), output.cut > 0, why.reason == "time", killed, seconds, process.pid)


class Stopped:
    """Why a program was stopped by us: `time`, `memory`, `processes`, or nothing yet."""

    reason: str | None = None


async def _start(sandbox: Sandbox, policy: FencePolicy, job: Job) -> Process:
    with contextlib.ExitStack() as stack:
        start = await to_thread.run_sync(stack.enter_context, sandbox.start(policy, job.argv, job.passage))
        return await asyncio.create_subprocess_exec(
            *start.argv,
            stdin=PIPE if job.stdin else DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            env=start.environment,
            pass_fds=start.pass_fds,
            cwd=start.directory,
            start_new_session=True,
        )


async def _attend(process: Process, job: Job, output: Output, limits: Limits, why: Stopped) -> None:
    tasks = [
        asyncio.create_task(_read(process, output, job.on_output)),
        asyncio.create_task(_feed(process, job.stdin)),
    ]
    guard = asyncio.create_task(_guard(process, limits, why))
    try:
        async with asyncio.timeout(limits.seconds):
            await asyncio.wait({guard, asyncio.ensure_future(process.wait())}, return_when=asyncio.FIRST_COMPLETED)
            if why.reason is None:
                await asyncio.gather(*tasks)
    except TimeoutError:
        why.reason = "time"
    finally:
        for task in (*tasks, guard):
            task.cancel()
        await asyncio.gather(*tasks, guard, return_exceptions=True)


async def _read(process: Process, output: Output, on_output: Callable[[bytes], None] | None) -> None:
    assert process.stdout is not None
    while chunk := await process.stdout.read(CHUNK):
        output.add(chunk)
        if on_output is not None:
            on_output(chunk)


async def _feed(process: Process, stdin: bytes) -> None:
    if process.stdin is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(stdin)
        await process.stdin.drain()
    process.stdin.close()


async def _guard(process: Process, limits: Limits, why: Stopped) -> None:
    """Return when the program's processes are too many or too large together."""
    pause = 0.0
    while why.reason is None:
        pause = min(pause + FIRST_COUNT_SECONDS, COUNT_EVERY_SECONDS)
        await asyncio.sleep(pause)
        why.reason = await to_thread.run_sync(exceeded, process.pid, limits)


async def _end(process: Process, ask: bool) -> None:
    """Ask politely, then kill; whatever interrupts the waiting, the killing happens."""
    with CancelScope(shield=True):
        try:
            if process.returncode is None and ask:
                await to_thread.run_sync(_ask_to_end, process.pid)
                await asyncio.wait_for(process.wait(), GRACE_SECONDS)
        except TimeoutError:
            pass
        finally:
            if process.returncode is None:
                kill_group(process.pid)
        # Outside a fence a process that left the group may still hold the pipe, which asyncio would wait for.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), DEATH_SECONDS)


def marker_of(run_id: str, epoch: int) -> str:
    """What tells the processes of one attempt at a run, `epoch`, from those of whoever goes on with it."""
    return f"{run_id}/{epoch}"


async def sweep(markers: Collection[str]) -> int:
    """End every process of the attempts with these markers, wherever it hid; how many there were.

    For the start, a cancelled run and a lost lease. Only what carries a marker in its environment is touched.
    """
    return await to_thread.run_sync(sweep_now, frozenset(markers)) if markers else 0


def sweep_now(markers: Collection[str]) -> int:
    """`sweep` off the loop."""
    return _end_all(partial(_is_stray, frozenset(f"{MARKER}={marker}" for marker in markers)))


async def sweep_orphans() -> int:
    """End every fence whose builder is dead, of whatever run; how many processes that were.

    bubblewrap dies with its parent, but one that is killed while it begins leaves a half-built fence waiting for ever:
    its child asks for that only after it has heard from it.
    """
    return await to_thread.run_sync(_end_all, _is_orphan)


def _end_all(is_stray: Callable[[int], bool]) -> int:
    """It looks again until nothing is found, since what is found may be starting more."""
    ended: set[int] = set()
    for _ in range(SWEEPS):
        found = {pid for pid in _processes() if is_stray(pid)}
        if not found:
            break
        for pid in found:
            _signal(pid, signal.SIGKILL, is_stray)
        ended |= found
    return len(ended)


def kill_group(leader: int) -> None:
    """Kill a process group whose leader has not been waited for yet, so that its number is still its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def exceeded(leader: int, limits: Limits) -> str | None:
    """`processes` or `memory` when all processes below `leader` together have too many or too much."""
    tools: list[int] = []
    for pid, _ in _descendants(leader):
        if _name(pid) != "bwrap":
            tools.append(pid)
        if len(tools) > limits.processes:
            return "processes"
    if sum(_resident(pid) for pid in tools) <= limits.memory_bytes:
        return None
    return "memory" if sum(_proportional(pid) for pid in tools) > limits.memory_bytes else None


def _ask_to_end(leader: int) -> None:
    for pid, parent in [(leader, os.getpid()), *_descendants(leader)]:
        if _name(pid) != "bwrap":
            _signal(pid, signal.SIGTERM, partial(_is_child, parent))


def _signal(pid: int, number: signal.Signals, is_meant: Callable[[int], bool]) -> None:
    """The look comes after the descriptor: a number that was given to a stranger meanwhile is not signalled."""
    with contextlib.suppress(OSError):
        process = os.pidfd_open(pid)
        try:
            if pid != os.getpid() and is_meant(pid):
                signal.pidfd_send_signal(process, number)
        finally:
            os.close(process)


def _processes() -> Iterator[int]:
    return (int(entry.name) for entry in (PROC.iterdir() if PROC.is_dir() else ()) if entry.name.isdigit())


def _descendants(leader: int) -> Iterator[tuple[int, int]]:
    """Everything below `leader`, each with its parent."""
    waiting = [leader]
    while waiting:
        parent = waiting.pop()
        children = [int(child) for task in _tasks(parent) for child in _text(task / "children").split()]
        yield from ((child, parent) for child in children)
        waiting += children


def _is_child(parent: int, pid: int) -> bool:
    return _facts(pid)[1:2] == [str(parent)]


def _facts(pid: int) -> list[str]:
    """What the kernel tells of a process behind its name: state, parent and so on; nothing when it is gone."""
    return _text(PROC / str(pid) / "stat").rpartition(")")[2].split()


def _tasks(pid: int) -> list[Path]:
    with contextlib.suppress(OSError):
        return list((PROC / str(pid) / "task").iterdir())
    return []


def _is_stray(wanted: frozenset[str], pid: int) -> bool:
    return not wanted.isdisjoint(_text(PROC / str(pid) / "environ").split("\0"))


def _is_orphan(pid: int) -> bool:
    told = _text(PROC / str(pid) / "environ").split("\0")
    starter = next((word.partition("=")[2] for word in told if word.startswith(f"{STARTER}=")), "")
    with contextlib.suppress(ValueError):  # some other program's
        return Owner.parse(starter).is_seen_dead()
    return False


def _name(pid: int) -> str:
    return _text(PROC / str(pid) / "comm").strip()


def _resident(pid: int) -> int:
    fields = _text(PROC / str(pid) / "statm").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if fields else 0


def _proportional(pid: int) -> int:
    """Memory with what is shared divided among its sharers; a process that forked is not counted twice."""
    lines = _text(PROC / str(pid) / "smaps_rollup").splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def _text(file: Path) -> str:
    """The file of a process that may have ended meanwhile, or belong to someone else."""
    try:
        return file.read_bytes().decode(errors="surrogateescape")
    except OSError:
        return ""
