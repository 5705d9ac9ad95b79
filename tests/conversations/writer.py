"""A scripted model whose answer is seen growing, at the pace of a played clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from conversations.turn import Turn
from conversations.turns import Gate
from core.clock import FakeClock
from core.message import Chat
from tests.conversations.stage import DM, Stage
from tests.waiting import until_found

End = Callable[[], Awaitable[str]]


def count(stage: Stage, call: str) -> int:
    return [name for name, _ in stage.front.calls].count(call)


class Writer:
    """A model that writes what the test says, when it says so. Time goes by as far as somebody waits for it.

    Who waits on the clock is the growth, or a sender: typing has a clock that stands still.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.heard: asyncio.Queue[str | End] = asyncio.Queue()
        self.over: asyncio.Queue[Turn] = asyncio.Queue()
        self.turns: list[Turn] = []
        self.changed: list[float] = []  # when the chat saw something
        stage.front._edge = self.note
        stage.agent.script = self.answer
        stage.signs._clock = FakeClock()

    def note(self, point: str) -> None:
        if point in {"front.send", "front.edit"}:
            self.changed.append(self.stage.clock.boot())

    async def answer(self, turn: Turn, gate: Gate) -> str:
        self.turns.append(turn)
        try:
            async with self.stage.growth.of(turn) as hear:
                while isinstance(said := await self.heard.get(), str):
                    await hear(said)
                    self.heard.task_done()
                self.heard.task_done()
                return await said()
        finally:
            self.over.put_nowait(turn)

    async def writes(self, text: str) -> None:
        self.heard.put_nowait(text)
        await self.heard.join()

    async def pauses(self) -> None:
        """Time goes by until the next who waits for it."""
        await self.stage.clock.until_asleep()
        self.stage.clock.advance(min(self.stage.clock.naps))

    async def shows(self, text: str, chat: Chat = DM) -> None:
        """The model writes, and after a while the chat reads so."""
        await self.writes(text)
        await self.pauses()
        await self.stage.front.until(lambda: self.stage.front.texts(chat.key)[-1:] == [text])
        await self.has(text, "open")

    async def has(self, *wanted: str) -> None:
        """The row has this text and status."""

        async def is_so() -> bool:
            return any((row.text, row.status) == wanted for row in await self.stage.rows("deliveries", kind="answer"))

        await until_found(is_so)

    async def ends(self, end: str | End) -> None:
        self.heard.put_nowait(end if callable(end) else partial(_itself, end))
        await self.is_over()

    async def is_over(self) -> None:
        async with asyncio.timeout(10):
            await self.over.get()

    async def told(self) -> None:
        """Time goes by until nothing is to be done."""
        quiet = asyncio.create_task(self.stage.quiet())
        while not quiet.done():
            asleep = asyncio.create_task(self.stage.clock.until_asleep())
            await asyncio.wait({quiet, asleep}, return_when=asyncio.FIRST_COMPLETED)
            asleep.cancel()
            self.stage.clock.advance(min(self.stage.clock.naps, default=0))
        await quiet


async def _itself(text: str) -> str:
    return text


async def gives_up() -> None:
    """Nothing grows any more."""
    growing = [task for task in asyncio.all_tasks() if task.get_name().startswith("growth")]
    async with asyncio.timeout(10):
        await asyncio.gather(*growing)
