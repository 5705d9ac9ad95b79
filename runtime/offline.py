"""The model of an installation without a key: it says that it is one, and drives the whole road by a few words."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runtime.deps import INTERRUPTED

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, UserContent
    from pydantic_ai.models.function import AgentInfo, DeltaToolCalls, FunctionModel

NAME = "offline"
KEEPING = "You are keeping promise #"  # how a run's instructions say that it keeps a promise
NOW = re.compile(r"(?:^|\n)Now:\n(?P<asked>.*)", re.DOTALL)
TASK = re.compile(r"(?:^|\): |\n)run +(?P<command>.+)", re.DOTALL)
WORDS = "`help`, `ping`, `files`, `read PATH`, `run COMMAND` (as a promise) and `promises`"
TOOLS = {"files": "list_files", "read": "read_file", "run": "make_promise", "promises": "list_promises"}


@dataclass(frozen=True, slots=True)
class Use:
    """A tool call."""

    tool: str
    args: dict[str, str]


Reply = str | Use


def build_offline_model(missing: str) -> FunctionModel:
    """The offline model; `missing` is the setting that would turn a real one on."""
    from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
    from pydantic_ai.models.function import DeltaToolCall, FunctionModel

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        reply = decide(read(messages, info), missing)
        part = TextPart(reply) if isinstance(reply, str) else ToolCallPart(reply.tool, reply.args)
        return ModelResponse(parts=[part])

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
        reply = decide(read(messages, info), missing)
        if isinstance(reply, str):
            for line in reply.splitlines(keepends=True):
                yield line
        else:
            yield {0: DeltaToolCall(name=reply.tool, json_args=json.dumps(reply.args))}

    return FunctionModel(answer, stream_function=stream, model_name=NAME)


@dataclass(frozen=True, slots=True)
class Situation:
    """What the model is to answer: what was `asked`, what a tool has returned since, which tools there are."""

    asked: str
    result: str | None
    tools: frozenset[str]
    keeps_promise: bool = False
    failed: bool = False


def read(messages: Sequence[ModelMessage], info: AgentInfo) -> Situation:
    """The situation of a conversation."""
    from pydantic_ai.messages import BaseToolReturnPart, UserPromptPart

    prompt, result, failed = "", None, False
    for part in (part for message in messages for part in message.parts):
        if isinstance(part, UserPromptPart):
            prompt, result = _text(part.content), None
        elif isinstance(part, BaseToolReturnPart):
            failed = part.outcome != "success"
            result = part.content if isinstance(part.content, str) else part.model_response_str()
    found = NOW.search(prompt)
    asked = (found["asked"] if found else prompt).strip()
    tools = frozenset(tool.name for tool in info.function_tools)
    return Situation(asked, result, tools, KEEPING in (info.instructions or ""), failed)


def decide(situation: Situation, missing: str) -> Reply:
    """A word that is known, or an honest sentence."""
    if situation.result is not None and situation.failed:
        return situation.result
    if situation.keeps_promise:
        return _keep(situation)
    word, _, rest = situation.asked.partition(" ")
    word, rest = word.lower().strip("/."), rest.strip()
    if situation.result is not None:
        return situation.result if word == "run" else _shown(situation.result)
    if word == "ping" and not rest:
        return "pong (offline model)"
    tool = TOOLS.get(word)
    if tool is None or bool(rest) != (word in {"read", "run"}):
        return _who(missing)
    if tool not in situation.tools:
        return f"`{word}` is off here: there is no fence, or you have no right to it. (offline model)"
    args = {"read": {"path": rest}, "run": {"task": f"run {rest}", "task_type": "code"}}
    return Use(tool, args.get(word, {}))


def _keep(situation: Situation) -> Reply:
    """The work of a promise: one command, done again where a restart cut it short, and its output."""
    if situation.result is not None and situation.result != INTERRUPTED:
        return _shown(situation.result)
    task = TASK.search(situation.asked)
    if task is None:
        return "The offline model can keep only promises of the form `run COMMAND`."
    if "run_command" not in situation.tools:
        return "Running commands is off here: this server has no fence for them. (offline model)"
    return Use("run_command", {"command": task["command"].strip()})


def _who(missing: str) -> str:
    return f"I am the offline model: I understand only {WORDS}. Set {missing} in .env to turn on a real model."


def _shown(result: str) -> str:
    """A tool's result as a code block that it cannot end by itself."""
    longest = max((len(run) for run in re.findall(r"`{3,}", result)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{result.rstrip()}\n{fence}"


def _text(content: str | Sequence[UserContent]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part for part in content if isinstance(part, str))
