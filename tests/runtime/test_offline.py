"""S6: without any key the whole road can be tried by a few words."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic_ai import Agent
from pydantic_ai.models import override_allow_model_requests

from runtime.models import Models
from runtime.offline import Situation, Use, build_offline_model, decide
from runtime.runner import AgentRunner
from tests.runtime.stage import QUICK, Stage, settings_for

KEY = "ANTHROPIC_API_KEY"
ALL = frozenset({"list_files", "read_file", "make_promise", "list_promises", "run_command"})


def asked(text: str, result: str | None = None, tools: frozenset[str] = ALL, keeps: bool = False) -> Situation:
    return Situation(text, result, tools, keeps)


@pytest.mark.parametrize("text", ["help", "Hello, who are you?", "ping me", "read", "files now", ""])
def test_s6_it_says_what_it_is_and_can(text: str) -> None:
    reply = decide(asked(text), KEY)
    assert isinstance(reply, str)
    for part in ("offline model", "`read PATH`", "`run COMMAND`", KEY):
        assert part in reply


@pytest.mark.parametrize(
    ("text", "use"),
    [
        ("files", Use("list_files", {})),
        ("Read docs/a b.md", Use("read_file", {"path": "docs/a b.md"})),
        ("run make test", Use("make_promise", {"task": "run make test", "task_type": "code"})),
        ("promises", Use("list_promises", {})),
    ],
)
def test_s6_a_word_is_a_tool_call(text: str, use: Use) -> None:
    assert decide(asked(text), KEY) == use
    off = decide(asked(text, tools=frozenset()), KEY)
    assert isinstance(off, str)
    assert "is off here" in off


def test_s6_results_are_shown() -> None:
    assert decide(asked("read a", "x ```` y"), KEY) == "`````\nx ```` y\n`````"
    assert decide(asked("run a", "Promise #1 is made."), KEY) == "Promise #1 is made."
    assert decide(asked("ping"), KEY) == "pong (offline model)"


def test_s6_a_promise_is_kept_by_running_its_command() -> None:
    task = "This is promise #3, which you made.\nThe task (code): run make test"
    assert decide(asked(task, keeps=True), KEY) == Use("run_command", {"command": "make test"})
    assert decide(asked("run ls\nwc", keeps=True), KEY) == Use("run_command", {"command": "ls\nwc"})
    assert decide(asked(task, "[exit code 0]", keeps=True), KEY) == "```\n[exit code 0]\n```"
    assert "only promises of the form" in str(decide(asked("paint the house", keeps=True), KEY))
    assert "no fence" in str(decide(asked(task, tools=frozenset(), keeps=True), KEY))


async def test_s6_it_answers_plain_and_streamed_and_knows_the_past_from_the_question() -> None:
    agent = Agent(build_offline_model(KEY))
    history = "Earlier in this chat:\n> a: files\n\nNow:\nping"
    with override_allow_model_requests(allow_model_requests=False):
        assert (await agent.run(history)).output == "pong (offline model)"
        assert (await agent.run(["ping"])).output == "pong (offline model)"
        async with agent.run_stream("help") as stream:
            assert KEY in await stream.get_output()

    @agent.tool_plain
    def list_files() -> str:
        """List."""
        return "a.py"

    assert (await agent.run("files")).output == "```\na.py\n```"


async def test_s6_the_runner_runs_it(stage: Stage, tmp_path: Path) -> None:
    runner = AgentRunner(stage.database, stage.clock, Models(settings_for(tmp_path)), QUICK)
    result = await runner.run(stage.manifest(), "hello", stage.deps())
    assert "offline model" in result.text
    assert stage.model.calls == []
