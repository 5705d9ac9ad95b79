from __future__ import annotations

from pathlib import Path

import pytest

from agents.tools.shell import run_command, shell_toolset
from core.access import Role
from core.errors import Busy, NotAllowed
from runtime.policy import Limits
from tests.agents.tools.fence_stage import Stage, new_stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return new_stage(tmp_path)


def test_w5_the_toolset_has_one_tool() -> None:
    assert set(shell_toolset().tools) == {"run_command"}


async def test_p10_a_command_tells_its_output_and_leaves_its_exit_code_as_evidence(stage: Stage) -> None:
    told = await run_command(stage.context(), "echo hello; exit 4")
    assert told.return_value == "hello\n[exit code 4]"
    assert told.metadata == [{"kind": "command", "command": "echo hello; exit 4", "exit_code": 4}]
    assert (await run_command(stage.context(), "true")).return_value == "[exit code 0]"
    await stage.fence.close()


async def test_p10_a_command_that_was_stopped_has_no_exit_code(stage: Stage) -> None:
    told = await run_command(stage.context(), "sleep 30", seconds=0.6)
    assert told.return_value == "[stopped after 1 s]"
    assert told.metadata[0]["exit_code"] is None
    await stage.fence.close()


@pytest.mark.parametrize(
    ("limits", "command", "told"),
    [
        (Limits(processes=2), "for i in 1 2 3 4 5 6; do sleep 5 & done; wait", "too many processes"),
        (Limits(memory_bytes=50_000_000), "for i in 1 2 3; do HOG & done; wait", "too much memory"),
    ],
)
async def test_w4_a_command_that_takes_too_much_is_told_so(
    tmp_path: Path, limits: Limits, command: str, told: str
) -> None:
    stage = new_stage(tmp_path, limits)
    hog = "python3 -c 'import time; x=b\"x\"*30_000_000; time.sleep(5)'"
    finished = await run_command(stage.context(), command.replace("HOG", hog))
    assert told in str(finished.return_value) or "fork" in str(finished.return_value)
    await stage.fence.close()


async def test_p8_a_command_counts_as_writing(stage: Stage) -> None:
    await run_command(stage.context(), "true")
    with pytest.raises(Busy, match="turn 1"):
        await run_command(stage.rival().context(), "true")
    await stage.fence.close()


async def test_a9_guests_run_nothing(stage: Stage) -> None:
    with pytest.raises(NotAllowed):
        await run_command(stage.context(Role.GUEST), "touch file")
    assert list(stage.workspace.iterdir()) == []
