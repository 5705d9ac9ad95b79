"""An answer that grows before its chat's eyes while the model writes it (B3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from conversations import answer_store
from conversations.buttons import stop_button
from conversations.delivery import ANSWER, Draft
from conversations.delivery_store import OWED
from conversations.outbox import Outbox
from conversations.turn import Turn
from core.clock import Clock
from core.database import Database
from core.errors import DatabaseError

SEEN = 5_000  # characters that surely fill a message
Hear = Callable[[str], Awaitable[None]]
log = structlog.get_logger("agents.growth")


class Growth:
    """Shows what is written by rows that the outbox tells; one that is done in time costs nothing."""

    def __init__(self, database: Database, clock: Clock, outbox: Outbox) -> None:
        self._database = database
        self._clock = clock
        self._outbox = outbox

    @asynccontextmanager
    async def of(self, turn: Turn) -> AsyncGenerator[Hear]:
        """Show what is heard within the block. What it is not quick enough for, the turn's end tells."""
        text = _Text()

        async def hear(said: str) -> None:
            text.grow(said)
            if text.showing is None:
                text.showing = asyncio.create_task(self._show(turn, text), name=f"growth {turn.id}")

        try:
            yield hear
        finally:
            if text.showing is not None:
                text.showing.cancel()
                await asyncio.gather(text.showing, return_exceptions=True)

    async def _show(self, turn: Turn, text: _Text) -> None:
        pace = self._outbox.pace
        await self._clock.sleep(pace.first)
        try:
            while await self._is_shown(turn, await text.newest()):
                await self._clock.sleep(pace.gap(turn.chat))
        except DatabaseError as error:
            log.warning("An answer is not seen growing.", turn=turn.id, error=str(error))

    async def _is_shown(self, turn: Turn, text: _Text) -> bool:
        """Show so much, unless it is on its way still; False when nothing more is to be shown."""
        row = await self._database.read(lambda connection: answer_store.begun(connection, turn.id))
        if row is not None and row.status != "open":
            return row.status in OWED
        text.is_new.clear()
        draft = _begin(turn, text.said)
        if not draft.pieces or (row is not None and row.text.startswith(draft.pieces[0].text)):
            return True
        now = self._clock.now()
        grown = await self._database.write(
            "turn.grow", lambda connection: answer_store.grow(connection, turn, draft, now)
        )
        self._outbox.wake(turn.chat)
        return grown


def _begin(turn: Turn, said: str) -> Draft:
    """An answer as far as it is written, and what ends it here."""
    reply_to, buttons = turn.reply_to or None, stop_button(turn.id)
    return Draft(turn.chat, ANSWER, said[:SEEN], reply_to=reply_to, turn_id=turn.id, buttons=buttons)


class _Text:
    """What a model has written so far."""

    def __init__(self) -> None:
        self.said = ""
        self.is_new = asyncio.Event()
        self.showing: asyncio.Task[None] | None = None

    def grow(self, said: str) -> None:
        self.said = said
        self.is_new.set()

    async def newest(self) -> _Text:
        """Wait until there is more than was shown."""
        await self.is_new.wait()
        return self
