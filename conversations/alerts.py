"""What the owner must know: in the log, and in the owner's own chat where one is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from conversations.alert_store import Alert, write_alert
from conversations.outbox import Outbox
from conversations.writable import when_writable
from core.clock import Clock
from core.database import Database
from core.workspaces import WorkspaceConfig

log = structlog.get_logger("telegram.alerts")


@dataclass(frozen=True, slots=True)
class Alerts:
    """`config` is asked each time who the owner is."""

    database: Database
    clock: Clock
    outbox: Outbox
    config: Callable[[], WorkspaceConfig]

    async def tell_owner(self, sentence: str, without_front: str | None = None) -> None:
        """Log it, and see to it that the owner's chat is told, once; not on a front that does not work."""
        log.error(sentence)
        alert, config, now = Alert(sentence, without=without_front), self.config(), self.clock.now()
        await when_writable(
            lambda: self.database.write("alert", lambda connection: write_alert(connection, alert, config, now)),
            "What the owner must know",
        )
        self.outbox.wake()
