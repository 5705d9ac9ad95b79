"""Valor on the fake Messages API, with a real fence."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from agents.roster import AGENTS
from agents.valor_agent import MANIFEST
from core.workspaces import Workspace
from runtime.directory_lock import DirectoryLocks
from runtime.fence import Fence
from runtime.models import Models
from runtime.policy import Product, policy_for
from runtime.process import sweep
from runtime.registry import check_names, find_agent
from runtime.runner import AgentRunner
from runtime.sandbox import Sandbox, find_sandbox
from runtime.workspace_files import WorkspaceFiles
from tests.runtime.stage import GUEST, QUICK, Stage, open_stage, settings_for
from tests.world.anthropic import Asked, Call, Reply, Say

CODE = {
    "read_file",
    "list_files",
    "search_files",
    "write_file",
    "edit_file",
    "run_command",
    "send_file",
    "save_attachment",
}
PROMISES = {"make_promise", "list_promises", "cancel_promise", "report_progress"}
TALK = PROMISES | {"search_history", "read_attachment", "search_links"}


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path) as opened:
        yield opened


@pytest.fixture
async def fence(stage: Stage) -> AsyncIterator[Fence]:
    opened = fence_in(stage, find_sandbox())
    yield opened
    await opened.close()


def fence_in(stage: Stage, sandbox: Sandbox | None) -> Fence:
    workspace = stage.folder / "workspace"
    workspace.mkdir(exist_ok=True)
    policy = policy_for(workspace, Product(stage.folder / "product"))
    return Fence(WorkspaceFiles(policy), policy, sandbox, DirectoryLocks(stage.folder / "locks"), "turn 1", "run_1")


def code(asked: Asked) -> Reply:
    """Write a program, run it, tell what it said."""
    steps = [
        Call("write_file", {"path": "a.py", "text": "print(6 * 7)\n"}),
        Call("run_command", {"command": "python3 a.py"}),
    ]
    done = len(asked.results)
    return steps[done] if done < len(steps) else Say(f"It says {asked.results[-1].text}")


async def test_p10_it_works_in_the_workspace_and_shows_evidence(stage: Stage, fence: Fence) -> None:
    stage.model.script(code)
    result = await stage.runner().run(MANIFEST, "Write it and run it.", stage.deps(fence=fence))
    assert result.text.startswith("It says 42")
    assert (stage.folder / "workspace/a.py").read_text() == "print(6 * 7)\n"
    written, ran = result.evidence
    assert (written["kind"], written["path"], written["before"], len(written["after"])) == ("file", "a.py", None, 64)
    assert (ran["kind"], ran["command"], ran["exit_code"]) == ("command", "python3 a.py", 0)
    assert await stage.runner().done_so_far("run_1") == [
        "write_file: changed `a.py`",
        "run_command: `python3 a.py` → 0",
    ]


async def test_b6_stopping_ends_what_a_tool_runs(stage: Stage, fence: Fence) -> None:
    command = f"echo on > started; exec sleep 61.{stage.folder.stat().st_ino}"
    stage.model.answer(Call("run_command", {"command": command}))
    running = asyncio.create_task(stage.runner().run(MANIFEST, "sleep", stage.deps(fence=fence)))
    started = stage.folder / "workspace/started"
    async with asyncio.timeout(10):
        while not started.exists():
            await asyncio.wait({running}, timeout=0.01)
    running.cancel()
    async with asyncio.timeout(1):
        with pytest.raises(asyncio.CancelledError):
            await running
    assert await sweep([fence.marker]) == 0
    assert await stage.runner().done_so_far("run_1") == ["run_command: under way when it stopped"]


async def test_it_has_all_its_tools_and_few_words_for_them(stage: Stage, fence: Fence) -> None:
    await stage.runner().run(MANIFEST, "hi", stage.deps(fence=fence))
    (call,) = stage.model.calls
    assert set(call.asked.tools) == CODE | TALK
    assert call.size < 8_000


async def test_the_same_tools_and_instructions_are_sent_every_time(stage: Stage, fence: Fence) -> None:
    for number in ("a", "b"):
        await stage.runner().run(MANIFEST, number, stage.deps(fence=fence, run_id=number))
    one, other = (call.asked.body for call in stage.model.calls)
    assert json.dumps([one["tools"], one["system"]]) == json.dumps([other["tools"], other["system"]])
    assert "cache_control" in json.dumps(one)


async def test_a9_a_guest_has_no_code_tools(stage: Stage, fence: Fence) -> None:
    stage.model.answer(Call("run_command", {"command": "touch stolen"}), Say("I may not."))
    result = await stage.runner().run(MANIFEST, "touch it", stage.deps(fence=fence, asker=GUEST))
    assert result.text == "I may not."
    assert set(stage.model.calls[0].asked.tools) == TALK
    assert "a guest has no right to them" in stage.model.calls[0].asked.system
    assert list((stage.folder / "workspace").iterdir()) == []


async def test_w4_without_a_sandbox_commands_are_off_and_it_knows(stage: Stage) -> None:
    await stage.runner().run(MANIFEST, "hi", stage.deps(fence=fence_in(stage, None)))
    asked = stage.model.calls[0].asked
    assert set(asked.tools) == (CODE | TALK) - {"run_command"}
    assert "Running commands is off: this server has no fence" in asked.system


async def test_w4_without_any_fence_code_tools_are_off(stage: Stage) -> None:
    await stage.runner().run(MANIFEST, "hi", stage.deps())
    assert set(stage.model.calls[0].asked.tools) == TALK
    assert "Files and commands are off" in stage.model.calls[0].asked.system


async def test_s6_the_offline_model_drives_the_whole_road(stage: Stage, fence: Fence) -> None:
    runner = AgentRunner(stage.database, stage.clock, Models(settings_for(stage.folder)), QUICK)
    (stage.folder / "workspace/note.txt").write_text("remember\n")

    async def ask(text: str, run_id: str, promise_id: int | None = None) -> str:
        deps = stage.deps(fence=fence, run_id=run_id, promise_id=promise_id)
        return (await runner.run(MANIFEST, text, deps)).text

    assert "note.txt" in await ask("files", "r1")
    assert "remember" in await ask("read note.txt", "r2")
    assert (await ask("run cat note.txt", "r3")).startswith("Promise #1 is made")
    assert stage.promises.made[0][0].task_description == "run cat note.txt"
    assert "remember\n[exit code 0]" in await ask("The task (code): run cat note.txt", "r4", promise_id=1)
    assert "#1 pending: run cat note.txt" in await ask("promises", "r5")
    assert await ask("read ../../etc/passwd", "r6") == "../../etc/passwd leads out of the workspace."


async def test_b7_a_run_is_given_its_own_workspace_only(stage: Stage, fence: Fence) -> None:
    other = Workspace("flex", stage.folder / "flex", description="Trips")
    await stage.runner().run(MANIFEST, "hi", stage.deps(fence=fence))
    await stage.runner().run(MANIFEST, "hi", stage.deps(workspace=other, run_id="r2", fence=replace(fence)))
    first, second = (call.asked.system for call in stage.model.calls)
    assert "psy" in first
    assert "flex" not in first
    assert "psy" not in second


def test_it_is_in_the_roster() -> None:
    check_names(AGENTS)
    assert find_agent(AGENTS, "valor_agent") is MANIFEST
    assert MANIFEST.repeatable <= CODE | TALK


@pytest.mark.parametrize("program", [("agents/valor_agent.py",), ("-m", "agents.valor_agent")])
def test_as_a_program_it_is_its_command_line(program: tuple[str, ...]) -> None:
    command = [sys.executable, *program, "--help"]
    root = Path(__file__).parents[2]
    shown = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    assert (shown.returncode, "Valor" in shown.stdout) == (0, True), shown.stderr
