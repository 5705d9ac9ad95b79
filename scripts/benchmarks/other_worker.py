"""A second worker on the same table, with a bell and a log of its own: it hears of work by the reconciler alone."""

from __future__ import annotations

import sys
from dataclasses import replace

from core.database import Database
from core.logs import configure_logging
from core.settings import Settings, load_settings
from promises.keeper import Work
from promises.worker import Places, run_worker
from scripts.huey_consumer import PROJECT, plan_of

LOG = "other.log"


def places_of(settings: Settings) -> Places:
    folder = settings.data_dir / "other"
    return Places(folder / "huey.db", folder)


def main() -> int:
    settings = load_settings(PROJECT)
    configure_logging(settings, settings.logs_dir / LOG)

    def load(database: Database) -> Work:
        import main as composition

        return composition.build_work(settings, database)

    run_worker(replace(plan_of(settings), places=places_of(settings)), load)
    return 0


if __name__ == "__main__":
    sys.exit(main())
