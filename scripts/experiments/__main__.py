"""scripts/chaos: end the product's processes again and again, and look whether anything was lost or repeated.

Exit code: 0 clean, 1 a violation (named, with the seed), 2 the experiment itself did not run as it should.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from types import TracebackType

from runtime.sandbox import examine
from scripts.experiments import report
from scripts.experiments.experiment import Experiment, Plan
from scripts.experiments.lives import BrokenError
from scripts.experiments.ordeals import ORDEALS
from scripts.experiments.plants import PLANTS
from scripts.experiments.sittings import Record, read_record, write_record
from scripts.experiments.tally import Tally
from scripts.experiments.wrappers import find_missed

CLEAN, VIOLATED, BROKEN = 0, 1, 2
WORTH_SHARING = 200  # deaths; fewer are over before a second stand is up
MANY = 1_000_000


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="deaths by SIGKILL from outside while work is open")
    parser.add_argument("--failpoints", type=int, default=300, help="deaths at fail points")
    parser.add_argument("--minutes", type=float, help="for so long instead, however many die")
    parser.add_argument("--seed", type=int, help="what to do when and to whom; a fresh one is drawn and printed")
    parser.add_argument("--stands", type=int, help="plays side by side; as many as there are processors, at most 2")
    parser.add_argument("--plant", choices=["list", *PLANTS], metavar="BUG", help="plant a bug; `list` names them")
    parser.add_argument("--ordeal", choices=list(ORDEALS), help="undergo this one alone, three times")
    parser.add_argument("--points", action="store_true", help="print a line per fail point")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the run into this file, between its marks")
    parser.add_argument(
        "--tally", type=Path, metavar="FILE", help="go on from what earlier sittings came to; SIGTERM ends a sitting"
    )
    parser.add_argument("--keep", action="store_true", help="keep the installation's folder")
    return parser.parse_args(arguments)


def plan_of(asked: argparse.Namespace) -> Plan:
    is_long = asked.minutes or asked.kills + asked.failpoints >= WORTH_SHARING
    alone = bool(asked.plant or asked.ordeal or not is_long)
    return Plan(
        kills=MANY if asked.minutes else asked.kills,
        points=3 * MANY if asked.minutes else asked.failpoints,
        seed=secrets.randbelow(1_000_000) if asked.seed is None else asked.seed,
        plant=asked.plant or "",
        ordeal=asked.ordeal,
        minutes=asked.minutes,
        stands=asked.stands or (1 if alone else min(2, os.cpu_count() or 1)),
    )


async def experiment(plan: Plan, folder: Path, record: Record) -> report.Run:
    """Run it and judge what came of it, and of the sittings before."""
    run = Experiment(plan, folder, note, record.tally)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, run.call_off)
    await run.run()
    record.add(plan.seed, time.monotonic() - run.began)
    return report.Run(plan, run.tally, tuple(record.sittings), judge(plan, run.tally))


def judge(plan: Plan, tally: Tally) -> int:
    """The exit code. What has shown nothing is not clean."""
    if tally.violations:
        return VIOLATED
    doubts = find_doubts(plan, tally)
    for doubt in doubts:
        print(f"DOUBT {doubt}")
    return BROKEN if doubts else CLEAN


def find_doubts(plan: Plan, tally: Tally) -> list[str]:
    """Why a run without a violation does not count as clean."""
    doubts: list[str] = []
    if not tally.looks or not (tally.deaths or plan.ordeal):
        doubts.append("nobody died, or nobody looked")
    if plan.is_full and (tally.kills.total() < plan.kills or tally.died_at.total() < plan.points):
        doubts.append("it was ended before all that was asked for: go on with the same --tally")
    if plan.is_full and tally.never_died_at:
        doubts.append(f"points at which nobody died: {', '.join(tally.never_died_at)}")
    if plan.is_full and (missed := find_missed(tally.points)):
        doubts.append(f"wrappers that no process came to: {', '.join(missed)}")
    if plan.is_full and tally.share_appending < 0.5:
        doubts.append("fewer than half of the promises append a line")
    if plan.is_full and not tally.outcomes["lines"]:
        doubts.append("no line was appended")
    return doubts


def tell(run: report.Run, *, points: bool) -> None:
    for line in run.tally.violations:
        print(f"VIOLATION {line}")
    if points:
        print(report.tell_points(run.tally))
    print(report.tell_counts(run.tally))
    if run.plan.plant and run.code == VIOLATED:
        is_it = PLANTS[run.plan.plant].is_shown_by(run.tally.violations)
        print(f"The planted bug was found {'by its own sign' if is_it else 'by another sign than its own'}.")
    if run.code == VIOLATED:
        print(f"Replay: {run.command}")
    print(report.summarise(run), flush=True)


def note(line: str) -> None:
    """How far it is, for who looks on."""
    print(f"  {line}", file=sys.stderr, flush=True)


def break_off(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An error of the experiment's own is no violation."""
    traceback.print_exception(kind, error, trace)
    print(f"The experiment did not run: {error!r}", file=sys.stderr, flush=True)
    os._exit(BROKEN)


def open_fence() -> None:
    """Raises BrokenError where tools cannot be fenced."""
    fence = examine()
    if fence.sandbox is None:
        raise BrokenError(fence.sentence)


def main() -> int:
    asked = read_arguments(sys.argv[1:])
    if asked.plant == "list":
        print("\n".join(PLANTS))
        return CLEAN
    sys.excepthook = break_off
    open_fence()
    folder = Path(tempfile.mkdtemp(prefix="valor-chaos-"))
    try:
        plan = plan_of(asked)
        print(report.tell_terms(plan), flush=True)
        record = read_record(asked.tally)
        run = asyncio.run(experiment(plan, folder, record))
        if asked.tally:
            write_record(record, asked.tally)
        if asked.report:
            report.write_report(run, asked.report)
        tell(run, points=asked.points)
        return run.code
    finally:
        if asked.keep:
            note(f"Kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
