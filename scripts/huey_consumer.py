"""The worker process: keeps promises until SIGTERM. Needs no arguments; the settings say where everything is."""

from __future__ import annotations

import sys
from pathlib import Path

from core.checks import worker_lock
from core.database import Database
from core.errors import Busy, OwnerError
from core.lock_file import held_together
from core.logs import configure_logging
from core.settings import Settings, load_settings
from promises.keeper import Work
from promises.promise import Retry
from promises.worker import Places, Plan, run_worker

PROJECT = Path(__file__).resolve().parent.parent


def plan_of(settings: Settings) -> Plan:
    places = Places(settings.huey_path, settings.data_dir, settings.edge)
    retry = Retry(attempts=settings.promise_attempts)
    return Plan(settings.database_address, places, settings.worker_jobs, settings.promise_lease_seconds, retry)


def main() -> int:
    try:
        settings = load_settings(PROJECT)
        serve(settings)
    except (OwnerError, Busy) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def serve(settings: Settings) -> None:
    """Be a worker, from start to end. Raises OwnerError."""
    configure_logging(settings, settings.logs_dir / "huey.log")

    def load(database: Database) -> Work:
        import main as composition  # the agents' whole stack: only when there is work

        return composition.build_work(settings, database)

    with held_together(worker_lock(settings)):  # what tells `/health` that a worker lives; more than one may
        run_worker(plan_of(settings), load)


if __name__ == "__main__":
    sys.exit(main())
