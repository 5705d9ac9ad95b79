"""What one agent run is given: who asks, where, and the doors its tools may use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.access import Action, may
from core.clock import Clock
from core.protocols import Asker, Call, ChatFiles, HistorySearch, LinkSearch, Progress, PromiseMaker, PromiseView
from core.workspaces import Workspace

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from runtime.fence import Fence
    from runtime.journal import OpenCall

INTERRUPTED = (
    "Valor was restarted while this call was under way: whether it took effect is not known. "
    "Look at what is there before you call it again."
)

OPEN_CALL: ContextVar[OpenCall | None] = ContextVar("open_call", default=None)  # the tool call that this task runs

Gate = Callable[[], Awaitable[None]]


async def open_gate() -> None:
    """The gate of a run that nothing can join."""


class SilentProgress:
    """The Progress of a run that has no live line."""

    async def report(self, line: str) -> None:
        """Nobody looks."""

    async def finished(self, tool: str) -> None:
        """Nobody looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """The deps of every agent: `RunContext[Deps]` is what a tool takes.

    A tool raises RequestError (or NotAllowed, Unknown, Busy) for what it cannot do: the model reads the sentence, the
    journal keeps the step as refused. A tool with evidence (P10) returns
    `ToolReturn("what the model reads", metadata=[item, …])` with items such as
    `{"kind": "file", "path", "before", "after", "diff"}`, `{"kind": "command", "command", "exit_code"}`,
    `{"kind": "source", "url"}`: JSON, which the model never sees.

    `gate` is awaited before the first tool runs; it may raise to end the run.
    `epoch` is that of the turn or promise which runs: an older one writes no steps.
    """

    workspace: Workspace
    asker: Asker
    run_id: str
    promises: PromiseMaker
    history: HistorySearch
    files: ChatFiles
    links: LinkSearch
    clock: Clock
    progress: Progress
    fence: Fence | None = None
    gate: Gate = open_gate
    turn_id: int | None = None
    promise_id: int | None = None
    epoch: int = 0

    @property
    def may_run_code(self) -> bool:
        return self.fence is not None and may(self.asker.role, Action.CODE)

    def call(self, tool_call_id: str, told: Callable[[PromiseView], str] | None = None) -> Call:
        """The key under which a tool's effect on our database is unique.

        With `told`, which says what the tool returns of its effect, the tool's step is committed with the effect.
        """
        open_call = OPEN_CALL.get()
        if open_call is None:
            return Call(self.run_id, tool_call_id, self.turn_id, self.promise_id)

        def note(connection: Connection, effect: PromiseView) -> None:
            if told is not None:
                open_call.finish(connection, told(effect))

        return Call(self.run_id, open_call.key, self.turn_id, self.promise_id, note)
