from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.clock import FakeClock
from core.errors import Busy, NotAllowed
from runtime.directory_lock import DirectoryLocks
from runtime.fence import Fence, git_argv
from runtime.policy import FencePolicy, Limits
from runtime.process import Job, run
from runtime.sandbox import OpenSandbox, Passage, find_sandbox
from runtime.workspace_files import WorkspaceFiles

NewFence = Callable[[str], Fence]
HOSTILE = "#!/bin/sh\ntouch {ran}\ncat\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "workspace").mkdir()
    return tmp_path / "workspace"


@pytest.fixture
def new_fence(tmp_path: Path, workspace: Path) -> NewFence:
    policy = FencePolicy(workspace, limits=Limits(seconds=10))
    clock = FakeClock(datetime(2026, 11, 20, 14, 5, tzinfo=UTC))

    def build(who: str) -> Fence:
        locks = DirectoryLocks(tmp_path / "locks")
        marker = f"fence-test-{os.urandom(6).hex()}"
        return Fence(WorkspaceFiles(policy), policy, find_sandbox(), locks, who, marker, clock)

    return build


async def test_p8_the_first_writing_call_takes_the_lock_and_closing_gives_it_back(new_fence: NewFence) -> None:
    one, two = new_fence("turn 1 of Ann"), new_fence("turn 2 of Bob")
    assert (await one.look("echo looking")).output == "looking\n"
    assert one.held is None
    assert (await one.run("echo one > file; cat file")).output == "one\n"
    with pytest.raises(Busy, match=r"turn 1 of Ann has been writing .* since 2026-11-20 14:05:00 UTC"):
        await two.run("echo two > file")
    await one.ensure_writer()
    await one.close()
    await one.close()
    assert (await two.run(["cat", "file"], seconds=5, stdin=b"")).output == "one\n"
    await two.close()


async def test_w4_a_command_gets_no_more_time_than_the_policy_has(new_fence: NewFence) -> None:
    fence = new_fence("turn 1")
    assert fence._limited(99).limits.seconds == 10
    assert fence._limited(3).limits.seconds == 3
    assert (await fence.run("sleep 30", seconds=0.2)).timed_out
    await fence.close()


async def test_w4_a_look_changes_nothing(new_fence: NewFence, workspace: Path) -> None:
    assert "Read-only" in (await new_fence("turn 1").look("touch file")).output
    assert list(workspace.iterdir()) == []


async def test_w4_without_a_fence_commands_are_off_and_files_work(new_fence: NewFence, workspace: Path) -> None:
    fence = new_fence("turn 1")
    fence.sandbox = None
    with pytest.raises(NotAllowed, match="no fence"):
        await fence.run("echo hi")
    with pytest.raises(NotAllowed, match="no fence"):
        await fence.git("status")
    assert fence.held is None
    await fence.files.write("file", "x")
    assert (workspace / "file").read_text() == "x"


def _repository(workspace: Path, *settings: tuple[str, str]) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=workspace, check=True, capture_output=True)

    git("init", "-q")
    (workspace / "file").write_text("one\n")
    git("add", "file")
    git("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "first")
    (workspace / "file").write_text("two\n")
    for name, value in settings:
        git("config", name, value)


async def test_w5_our_own_look_with_git_works(new_fence: NewFence, workspace: Path) -> None:
    _repository(workspace)
    fence = new_fence("turn 1")
    assert (await fence.git("status", "--porcelain")).output == " M file\n"
    assert "+two" in (await fence.git("diff")).output
    assert fence.held is None


@pytest.mark.parametrize(
    ("name", "command"), [("core.fsmonitor", "status"), ("diff.external", "diff"), ("diff.x.textconv", "diff")]
)
async def test_w5_what_git_can_be_told_to_run_does_not_run_even_without_a_fence(
    workspace: Path, tmp_path: Path, name: str, command: str
) -> None:
    ran, script = tmp_path / "ran", tmp_path / "script"
    script.write_text(HOSTILE.format(ran=ran))
    script.chmod(0o755)
    _repository(workspace, (name, str(script)))
    (workspace / ".gitattributes").write_text("* diff=x\n")
    policy = FencePolicy(workspace)
    await run(OpenSandbox(), policy, Job(git_argv([command]), Passage("git-test")))
    assert not ran.exists()
    await run(OpenSandbox(), policy, Job(["git", command], Passage("git-test")))
    assert ran.exists()


async def test_w5_hooks_do_not_run_even_without_a_fence(workspace: Path, tmp_path: Path) -> None:
    _repository(workspace)
    ran, hook = tmp_path / "ran", workspace / ".git" / "hooks" / "post-checkout"
    hook.write_text(HOSTILE.format(ran=ran))
    hook.chmod(0o755)
    policy = FencePolicy(workspace)
    await run(OpenSandbox(), policy, Job(git_argv(["checkout", "-q", "-b", "other"]), Passage("git-test")))
    assert not ran.exists()
    await run(OpenSandbox(), policy, Job(["git", "checkout", "-q", "-b", "third"], Passage("git-test")))
    assert ran.exists()
