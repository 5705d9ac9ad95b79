"""The web's doors onto a server that is up."""

from __future__ import annotations

from conversations.dead_letters import DeadLetters
from core.audit import Audit
from web.late import Opened
from web.ledger import LedgerAudit, LedgerChat, LedgerFeed, LedgerPromises, LedgerRuns, LedgerWhy
from web.server import Server


def open_doors(server: Server) -> Opened:
    services = server.services
    ground = services.ground
    return Opened(
        chat=LedgerChat(
            ground.database,
            ground.clock,
            services.events,
            services.reception,
            services.local,
            lambda: ground.configuration.config,
        ),
        promises=LedgerPromises(ground.database, services.promises),
        letters=DeadLetters(ground.database, services.outbox.wake),
        runs=LedgerRuns(ground.database),
        why=LedgerWhy(ground.database),
        feed=LedgerFeed(services.events),
        groups=server.account,
        pinger=server,
        webhook=server.bot,
        audit=LedgerAudit(Audit(ground.database, ground.clock)),
    )
