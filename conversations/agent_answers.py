"""A turn's answer by an agent, whose stack takes seconds to load."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from conversations.growth import Growth, Hear
from conversations.history import WORDLESS
from conversations.turn import Turn
from conversations.turns import Gate
from conversations.typeset import LOCAL
from core.attachment import Picture
from core.errors import ConsentNeeded
from core.events import Events, TurnGrew
from core.protocols import Call, Parked

if TYPE_CHECKING:
    from runtime.manifest import AgentManifest
    from runtime.workplace import Workplace

Pictures = Callable[[Turn], Awaitable[tuple[Picture, ...]]]


@dataclass(frozen=True, slots=True)
class Seen:
    """How an answer is seen as it grows: on the local page by events, elsewhere by messages that change."""

    events: Events
    growth: Growth

    def of(self, turn: Turn, gate: Gate) -> AbstractAsyncContextManager[Hear]:
        """What is to hear the text, as far as it is written."""
        return self._by_events(turn, gate) if turn.chat.front == LOCAL else self.growth.of(turn)

    @asynccontextmanager
    async def _by_events(self, turn: Turn, gate: Gate) -> AsyncGenerator[Hear]:
        async def tell(text: str) -> None:
            await gate()
            self.events.publish(TurnGrew(turn.id, text))

        yield tell


class AgentAnswers:
    """Implements conversations.turns.Answer and DoneSoFar, and conversations.diffs.Preview.

    Whoever comes first waits for `load`, in a thread.

    `reader` is the agent that summarises pages.
    """

    def __init__(self, load: Callable[[], Workplace], seen: Seen, pictures: Pictures, reader: AgentManifest) -> None:
        self._load = load
        self._seen = seen
        self._pictures = pictures
        self._reader = reader
        self._loaded: Workplace | None = None
        self._loading = asyncio.Lock()

    async def workplace(self) -> Workplace:
        async with self._loading:
            if self._loaded is None:
                self._loaded = await asyncio.to_thread(self._load)
        return self._loaded

    async def summarise(self, turn: Turn, place: int, page: str) -> str:
        """What the page at that place of a turn says, in short, by the reader of links, in a run of its own; '' where
        only the offline model is there."""
        workplace = await self.workplace()
        from runtime.workplace import Errand  # loaded by now

        if workplace.runner.is_offline(self._reader):
            return ""
        errand = Errand(
            run_id=f"{turn.run_id}.{place}",
            who=f"turn {turn.id}",
            asker=turn.asker,
            prompt=page,
            turn_id=turn.id,
            epoch=turn.epoch,
        )
        return (await replace(workplace, manifest=self._reader).run(errand)).text

    async def __call__(self, turn: Turn, prompt: str, gate: Gate) -> str:
        workplace, pictures = await self.workplace(), await self._pictures(turn)
        from runtime.workplace import Errand  # loaded by now

        errand = Errand(
            run_id=turn.run_id,
            who=f"{turn.requester_name or 'somebody'}'s turn {turn.id}",
            asker=turn.asker,
            prompt=prompt,
            pictures=pictures,
            gate=gate,
            turn_id=turn.id,
            epoch=turn.epoch,
        )
        try:
            async with self._seen.of(turn, gate) as hear:
                return (await workplace.run(replace(errand, on_text=hear))).text
        except ConsentNeeded as needed:
            await gate()
            places = tuple(picture.place for picture in pictures)
            parked = Parked(turn.run_id, turn.prompt.strip() or WORDLESS, prompt, needed, places)
            call = Call(turn.run_id, f"consent {needed.key}", turn_id=turn.id)
            await workplace.promises.park(parked, turn.asker, call)
            return ""  # the promise's question is the answer

    async def preview(self, workspace: str, tool: str, arguments: Mapping[str, Any]) -> str:
        return await (await self.workplace()).preview(workspace, tool, arguments)

    async def done_so_far(self, run_id: str) -> list[str]:
        return await (await self.workplace()).runner.done_so_far(run_id)
