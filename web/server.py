"""The server process behind the web's doors: the ledger, the fronts and what keeps them going, brought up in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime

import structlog

from conversations import turn_store
from core import checks
from core.checks import Status
from core.doorbell import Doorbell
from core.errors import DatabaseError, NewerDatabase, ValorError
from core.events import PromiseChanged
from core.loop_lag import LoopLag
from core.migrate import migrate
from core.owner import Owner
from core.protocols import Front
from promises import store as promise_store
from runtime.process import marker_of, sweep, sweep_orphans
from web.account_entrance import AccountEntrance
from web.bot_entrance import BotEntrance
from web.database_watch import DatabaseWatch
from web.doors import PingOutcome
from web.health import keep_watch, machine_probes
from web.services import Services

log = structlog.get_logger("valor.server")
RETRY = 2.0
LOOK_AGAIN = 2.0  # seconds after which tables are read even though nothing rang
CONFIGURATION_EVERY = 2.0


class Server:
    """Brings the services up, keeps them going, and lets them down in order."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self._tasks: set[asyncio.Task[None]] = set()
        self.account = AccountEntrance(services, self._attach, self._ping_all)
        self.bot = BotEntrance(services, self._attach, self._ping_all, self.account.is_clear)

    @asynccontextmanager
    async def up(self) -> AsyncGenerator[None]:
        """Within the block everything runs that can; what cannot says so on the board."""
        services = self.services
        async with AsyncExitStack() as stack:
            stack.push_async_callback(services.ground.database.close)
            await self._open_ledger()
            doorbell = Doorbell(services.ground.places.server)
            stack.callback(doorbell.close)
            stack.push_async_callback(self._let_down)
            self._begin(doorbell)
            yield

    def _begin(self, doorbell: Doorbell) -> None:
        services = self.services
        settings = services.ground.settings
        database = services.ground.database
        lock, trouble = checks.worker_lock(settings), lambda: database.trouble
        probes = machine_probes(settings.home, lock, settings.database_path, trouble)
        watch = DatabaseWatch(database, services.ground.clock, services.alerts.tell_owner)
        for name, work in (
            ("decisions", services.reception.decisions.run(services.reception.press)),
            ("outbox", services.outbox.run()),
            ("reconciler", services.reconciler.run()),
            ("retention", services.retention.run()),
            ("media", services.cleaning.run()),
            ("doorbell", self._listen(doorbell)),
            ("configuration", self._follow_configuration()),
            ("database watch", watch.run()),
            ("event loop", LoopLag(services.ground.board, services.ground.clock).watch()),
            ("probes", keep_watch(services.ground.board, probes, services.ground.clock)),
            ("agents", self._load_agents()),
            ("local", self._open_front(services.local)),
            ("account", self.account.open()),
            ("bot", self.bot.open()),
        ):
            self._spawn(name, work)

    def _spawn(self, name: str, work: Awaitable[None]) -> None:
        async def run() -> None:
            await work

        task = asyncio.create_task(run(), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("A part of the server ended.", part=task.get_name(), exc_info=error)
            self.services.ground.board.report(task.get_name(), Status.UNHEALTHY, f"It ended with an error: {error}")

    async def _let_down(self) -> None:
        """Work under way is left for the next start; what was shown stays shown."""
        await self.account.stop()
        await self.bot.stop()
        await self.services.turns.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.services.signs.close()

    async def _open_ledger(self) -> None:
        """Make the tables ready, however long the file is held by somebody else; a newer version ends the start."""
        board = self.services.ground.board
        board.report(checks.DATABASE, Status.STARTING, "The tables are being looked at.")
        while True:
            try:
                await migrate(self.services.ground.database)
                break
            except NewerDatabase:
                raise
            except DatabaseError as error:
                board.report(checks.DATABASE, Status.UNHEALTHY, str(error))
                log.warning("The database cannot be used yet.", error=str(error))
                await self.services.ground.clock.sleep(RETRY)
        board.report(checks.DATABASE, Status.HEALTHY, "system.db is up to date.")
        await self.services.moves.load()
        await self.services.inbox.note_configuration()
        await self.services.outbox.open()
        await self._sweep()
        await self.services.turns.recover()

    async def _sweep(self) -> None:
        """End the tools that a server which died left running."""
        mine = str(Owner.this_process())
        left = await self.services.ground.database.read(lambda connection: turn_store.interrupted(connection, mine))
        await sweep([marker_of(turn.run_id, turn.epoch) for turn in left])
        await sweep_orphans()

    async def _load_agents(self) -> None:
        board = self.services.ground.board
        board.report(checks.MODEL, Status.STARTING, "The model stack is being loaded.")
        for name, finding in (await self.services.agents.load()).items():
            board.post(name, finding)

    async def _open_front(self, front: Front) -> None:
        """Let a front be served, then show that its whole road works; others that come are pinged with it."""
        self._attach(front)
        await self.services.turns.begin_all([front.name])
        if not self.services.accounts.current.fronts:
            await self.ping()

    def _attach(self, front: Front) -> None:
        services = self.services
        if services.fronts.get(front.name) is not front:
            services.fronts[front.name] = front
            services.signs.attach(front)
            services.outbox.attach(front)

    async def ping(self) -> PingOutcome:
        """The self-ping of every front that is up; the slowest counts."""
        services, slowest = self.services, 0.0
        try:
            for front in tuple(services.fronts.values()):
                slowest = max(slowest, await services.self_ping.ping(front))
        except ValorError as error:
            services.ground.board.report(checks.SELF_PING, Status.UNHEALTHY, str(error))
            return PingOutcome(False, slowest, str(error))
        sentence = f"The nonce came back over {', '.join(services.fronts)} in {slowest * 1000:.0f} ms."
        services.ground.board.report(checks.SELF_PING, Status.HEALTHY, sentence)
        return PingOutcome(True, slowest, sentence)

    async def _ping_all(self) -> bool:
        return (await self.ping()).is_back

    async def _listen(self, doorbell: Doorbell) -> None:
        """The worker rings when it has written something to be told."""
        since = self.services.ground.clock.now()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN):
                    await doorbell.rung.wait()
            doorbell.rung.clear()
            self.services.outbox.wake()
            try:
                since = await self._tell_changes(since)
            except DatabaseError as error:
                log.warning("What changed cannot be read; it is tried again.", error=str(error))

    async def _tell_changes(self, since: datetime) -> datetime:
        changed, last = await self.services.ground.database.read(
            lambda connection: promise_store.changed_since(connection, since)
        )
        for promise in changed:
            self.services.events.publish(PromiseChanged(promise.view))
        return last

    async def _follow_configuration(self) -> None:
        """Take up a valid change of the file while running; tell the owner of one that is not."""
        services, told, has_changed = self.services, tuple[str, ...](), False
        while True:
            await services.ground.clock.sleep(CONFIGURATION_EVERY)
            has_changed |= await asyncio.to_thread(services.ground.configuration.check) is not None
            try:
                if has_changed:
                    await services.inbox.note_configuration()
                    log.info("The workspace configuration was taken up.")
                has_changed = False
                told = await self._tell_alert(told)
            except DatabaseError as error:
                log.warning("A change of the configuration waits to be noted.", error=str(error))

    async def _tell_alert(self, told: tuple[str, ...]) -> tuple[str, ...]:
        """Tell the owner why a changed configuration is not taken up, unless that was `told`; what is told now."""
        alert = self.services.ground.configuration.alert
        if alert and alert != told:
            problems = "; ".join(alert)
            await self.services.alerts.tell_owner(f"The changed workspace configuration is not taken up: {problems}.")
        return alert
