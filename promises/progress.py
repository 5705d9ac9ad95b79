"""The live line of a promise: steps taken and what the agent reports, never more than one edit a second."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable

import structlog

from core.clock import Clock
from core.errors import DatabaseError
from promises.wording import shorten
from runtime.store import Step

PAUSE_SECONDS = 1.0
REPORT = "report_progress"
Tell = Callable[[str], Awaitable[None]]
log = structlog.get_logger(__name__)


class ProgressLine:
    """The Progress of core.protocols: hands the newest line to `tell`, the first at once, later ones after a pause."""

    def __init__(self, tell: Tell, clock: Clock) -> None:
        self._tell = tell
        self._clock = clock
        self._said = ""
        self._steps = 0
        self._tool = ""
        self._told = ""
        self._telling: asyncio.Task[None] | None = None

    def resume(self, steps: Iterable[Step]) -> None:
        """Go on from what earlier attempts have done; nothing is told for that alone."""
        for step in steps:
            self._steps += 1
            self._tool = step.name
            self._said = shorten(str(step.request["line"])) if step.name == REPORT else self._said
        self._told = self.line

    async def report(self, line: str) -> None:
        self._said = shorten(line)
        self._change()

    async def finished(self, tool: str) -> None:
        self._steps += 1
        self._tool = tool
        self._change()

    async def close(self) -> None:
        """Tell nothing more: the result follows."""
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.wait({self._telling})
            if not self._telling.cancelled() and (error := self._telling.exception()):
                log.error("progress could not be told", exc_info=error)

    @property
    def line(self) -> str:
        steps = f"{self._steps} step{'s' if self._steps > 1 else ''}, last: {self._tool}" if self._steps else ""
        return " · ".join(part for part in (self._said, steps) if part)

    def _change(self) -> None:
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell_all())

    async def _tell_all(self) -> None:
        while self._told != self.line:
            self._told = self.line
            with contextlib.suppress(DatabaseError):  # the next change tries again
                await self._tell(self._told)
            await self._clock.sleep(PAUSE_SECONDS)
