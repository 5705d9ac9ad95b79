"""The scripted model of the story: what it is told says what it does, so it needs to remember nothing.

    script = ScriptedModel()
    model.script(script.reply)                                 # an AnthropicWorld
    words = do(Use("write_file", path="a.txt", text="1"), say="Done.")
    world.say(anna, valor, words)                              # a turn that does it
    world.say(anna, valor, promise(words))                     # a turn that promises it

A request's tool results say how far the script has come; a call that was interrupted is made again. A `gate` is where
the model says nothing until the test opens it.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass
from typing import Any

from tests.world.anthropic import Asked, Call, Hang, Reply, Say

WORD = "SCRIPT "
INTERRUPTED = "Valor was restarted while this call was under way"


@dataclass(frozen=True, slots=True)
class Use:
    """One tool call; with a `gate` it comes only when the test has opened that."""

    tool: str
    args: dict[str, Any] | str
    gate: str | None = None


def write(path: str, text: str) -> Use:
    return Use("write_file", {"path": path, "text": text})


def command(line: str) -> Use:
    return Use("run_command", {"command": line})


def report(line: str, gate: str | None = None) -> Use:
    return Use("report_progress", {"line": line}, gate)


def do(*uses: Use, say: str = "Done.", gate: str | None = None) -> str:
    """The words that make the model use these tools, one after the other, and then say this; `gate` is before that."""
    return WORD + json.dumps({"uses": [asdict(use) for use in uses], "say": say, "gate": gate})


def promise(words: str, say: str = "That takes a while.", kind: str = "code") -> str:
    """The words that make the model promise those words."""
    return do(Use("make_promise", {"task": words, "task_type": kind}), say=say)


class ScriptedModel:
    """`reply` is a script of AnthropicWorld: a function of the request and of which gates are open.

    `reached` are the gates that some request has waited at.
    """

    def __init__(self) -> None:
        self._gates: dict[str, asyncio.Event] = {}
        self.reached: set[str] = set()

    def gate(self, name: str) -> asyncio.Event:
        return self._gates.setdefault(name, asyncio.Event())

    def open(self, name: str) -> None:
        self.gate(name).set()

    def reply(self, asked: Asked) -> Reply | None:
        _, found, words = asked.question.partition(WORD)
        if not found:
            return None
        plan, _ = json.JSONDecoder().raw_decode(words)
        done = [result for result in asked.results if INTERRUPTED not in result.text]
        step = plan["uses"][len(done)] if len(done) < len(plan["uses"]) else None
        said = Say(plan["say"]) if step is None else Call(step["tool"], step["args"])
        return self._behind((step or plan)["gate"], said)

    def _behind(self, gate: str | None, reply: Say | Call) -> Reply:
        if gate is None or self.gate(gate).is_set():
            return reply
        self.reached.add(gate)
        return Hang(self.gate(gate), then=reply)
