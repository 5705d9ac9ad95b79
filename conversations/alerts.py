"""What the owner must know: in the log, and in the owner's own chat where one is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import structlog
from sqlalchemy import Connection

from conversations.alert_store import Alert, hand_on, write_alert
from conversations.outbox import Outbox
from conversations.writable import when_writable
from core.clock import Clock
from core.database import Database
from core.message import Chat
from core.workspaces import WorkspaceConfig

log = structlog.get_logger("telegram.alerts")


class Silence:
    """The configuration as `written`, with the kinds of fronts that reach nobody now."""

    def __init__(self, written: Callable[[], WorkspaceConfig], kinds: Iterable[str] = ()) -> None:
        self._written = written
        self._kinds = frozenset(kinds)
        self._last: tuple[WorkspaceConfig, WorkspaceConfig] | None = None

    @property
    def config(self) -> WorkspaceConfig:
        written = self._written()  # asked for with every message, and changed hardly ever
        if self._last is None or self._last[0] is not written:
            self._last = (written, replace(written, silent=self._kinds))
        return self._last[1]

    def begin(self, kind: str) -> None:
        self._kinds, self._last = self._kinds | {kind}, None

    def end(self, kind: str) -> None:
        self._kinds, self._last = self._kinds - {kind}, None


@dataclass(frozen=True, slots=True)
class Alerts:
    """`config` is asked each time who the owner is, and which fronts are silent."""

    database: Database
    clock: Clock
    outbox: Outbox
    config: Callable[[], WorkspaceConfig]
    silence: Silence

    async def tell_owner(self, sentence: str) -> None:
        """Log it, and see to it that the owner's chat is told, once, by a front that works."""
        log.error(sentence)
        alert, config, now = Alert(sentence), self.config(), self.clock.now()

        def tell(connection: Connection) -> list[Chat]:
            write_alert(connection, alert, config, now)
            return hand_on(connection, config)

        left = await when_writable(lambda: self.database.write("alert", tell), "What the owner must know")
        for chat in left:
            self.outbox.wake(chat)  # its sender may wait for a row that is not its own any more
        self.outbox.wake()

    async def front_lost(self, kind: str, sentence: str) -> None:
        """Tell it, and whatever else the owner is to know from now on, by another front."""
        self.silence.begin(kind)
        await self.tell_owner(sentence)

    def front_works(self, kind: str) -> None:
        self.silence.end(kind)
