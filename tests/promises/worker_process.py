"""A worker process whose work is told by the promise's description.

Run with: FOLDER LEASE_SECONDS PATIENCE_SECONDS LOOKS_EVERY_SECONDS
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from core.database import Database, sqlite_url
from core.protocols import Progress
from promises import reconciler
from promises.keeper import Outcome, Work
from promises.promise import Promise, Retry
from promises.worker import Places, Plan, run_worker


class ToldWork:
    """`quick` ends at once, `hang` tells its pid and never ends, `die` kills its process, `stubborn` stays."""

    async def __call__(self, promise: Promise, progress: Progress) -> Outcome:
        await progress.report(f"pid {os.getpid()}")
        match promise.task_description:
            case "hang":
                await asyncio.Event().wait()
            case "hang first" if promise.attempts == 1:
                await asyncio.Event().wait()
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "stubborn":
                await hold_on()
            case _:
                pass
        return Outcome(f"by {os.getpid()}")


async def hold_on() -> None:
    while True:
        await asyncio.wait({asyncio.shield(asyncio.ensure_future(asyncio.Event().wait()))})


def load(_database: Database) -> Work:
    return ToldWork()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    folder = Path(sys.argv[1])
    places = Places(folder / "huey.db", folder)
    lease, patience, reconciler.INTERVAL_SECONDS = (float(given) for given in sys.argv[2:])
    run_worker(
        Plan(sqlite_url(folder / "system.db"), places, jobs=4, lease=lease, retry=Retry(), patience=patience), load
    )
