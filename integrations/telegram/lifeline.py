# pyright: basic
"""Keeps one connection to Telegram up: opens it, watches it, and opens the next one when it is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from core.clock import Clock
from core.errors import FrontError, SessionError, Unreachable
from integrations.telegram.budget import Budget
from integrations.telegram.directory import Account, Directory
from integrations.telegram.intake import guard
from integrations.telegram.line import Line
from integrations.telegram.session import TelegramAccess
from integrations.telegram.watch import Watch

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """Times in seconds: how long a call may take, how often the watch looks, how long to wait before each new attempt
    to connect (the last one repeats), how long a connection must have lived to count as a good one, and for how long
    news of gaps are gathered."""

    call: float = 20.0
    watch: float = 9.0
    retries: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
    good: float = 30.0
    gather: float = 0.5


class Health(NamedTuple):
    """`status` is starting, healthy, degraded, unhealthy or off; `sentence` says why."""

    status: str
    sentence: str


class Owner(Protocol):
    """What a connection is for. Its callbacks run on the loop."""

    def on_update(self, update: Any) -> None:
        """An update of Telethon's, in order."""
        ...

    def is_settled(self) -> bool:
        """Whether every update so far is written down."""
        ...

    async def on_connected(self, line: Line) -> None:
        """Before the connection counts as healthy."""
        ...

    async def on_gap(self, *, too_long: bool = False) -> None:
        """After a connection, and when something was missed; `too_long`: edits were lost with it."""
        ...


class Lifeline:
    """`line` is the connection in use. Ends for good only with a session that is not signed in any more."""

    def __init__(self, access: TelegramAccess, budget: Budget, pace: Pace, clock: Clock) -> None:
        self._access = access
        self._budget = budget
        self._pace = pace
        self._clock = clock
        self._line: Line | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._deeds: set[asyncio.Task[None]] = set()
        self._settled = asyncio.Event()
        self._gap_noticed = False
        self.directory: Directory | None = None
        self.health = Health("off", "The Telegram account is not started.")

    @property
    def line(self) -> Line:
        """The open connection. Raises Unreachable when there is none."""
        if self._line is None:
            raise Unreachable(self.health.sentence)
        return self._line

    def start(self, owner: Owner) -> None:
        self.health = Health("starting", "Connecting to Telegram.")
        self._keeper = asyncio.create_task(self._keep(owner))

    async def settled(self) -> None:
        """Wait until the first connection stands or the session has turned out to be lost."""
        await self._settled.wait()

    async def stop(self) -> None:
        tasks = [*self._deeds, *([self._keeper] if self._keeper else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.health = Health("off", "The Telegram account is stopped.")

    async def _keep(self, owner: Owner) -> None:
        failures = 0
        while True:
            begun = self._clock.boot()
            await guard(self._live(owner), "A connection to Telegram")
            if self.health.status == "unhealthy":
                self._settled.set()
                return
            if self.health.status != "degraded":
                self._degrade("The connection to Telegram failed.")
            failures = 0 if self._clock.boot() - begun > self._pace.good else failures + 1
            await self._clock.sleep(self._pace.retries[min(failures, len(self._pace.retries) - 1)])

    async def _live(self, owner: Owner) -> None:
        """One connection from its opening to its end."""
        try:
            reason = await self._use(owner)
        except SessionError as error:
            self.health = Health("unhealthy", str(error))
            log.critical("%s", error)
        except FrontError as error:
            self._degrade(str(error))
        else:
            self._degrade(f"The connection to Telegram was lost: {reason}.")

    def _degrade(self, sentence: str) -> None:
        self.health = Health("degraded", f"{sentence} Connecting again.")
        log.warning("%s", self.health.sentence)

    async def _use(self, owner: Owner) -> str:

        def reread() -> None:
            self._spawn(lambda: owner.on_gap(too_long=True))

        line = Line(self._access, self._budget, self._pace.call, reread, owner.is_settled)
        try:
            self.directory = await line.open(self.directory or Directory(Account(0), self._clock.boot), owner.on_update)
            self._line = line
            await owner.on_connected(line)
            self.health = Health("healthy", f"Connected as {self.directory.own.name or self.directory.own.id}.")
            log.info("%s", self.health.sentence)
            self._settled.set()
            line.listen()
            self._spawn(owner.on_gap)
            return await self._watch(line, owner)
        finally:
            self._line = None
            await line.close()

    async def _watch(self, line: Line, owner: Owner) -> str:
        """Why the connection is to be given up: it ended, or it has fallen silent."""

        def mend(keys: list[int]) -> None:
            line.ask_differences(keys)
            self._spawn(owner.on_gap)

        watch = Watch(lambda: line.standing(self._pace.watch), self._clock, self._pace.watch)
        ends = [asyncio.create_task(line.ended()), asyncio.create_task(watch.run(mend))]
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for task in ends:
                task.cancel()
            await asyncio.gather(*ends, return_exceptions=True)

    def notice_gap(self, owner: Owner) -> None:
        """Something may have been missed: have the histories read, once for all that is noticed within a moment."""

        async def read() -> None:
            await self._clock.sleep(self._pace.gather)
            self._gap_noticed = False
            await owner.on_gap()

        if not self._gap_noticed:
            self._gap_noticed = True
            self._spawn(read)

    def _spawn(self, deed: Callable[[], Awaitable[None]]) -> None:
        async def do() -> None:
            await guard(deed(), "Catching up")

        task = asyncio.create_task(do())
        self._deeds.add(task)
        task.add_done_callback(self._deeds.discard)
