"""scripts/chaos: end the product's processes again and again, and look whether anything was lost or repeated.

Exit code: 0 clean, 1 a violation (named, with the seed), 2 the experiment itself did not run as it should.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

from scripts.experiments import report
from scripts.experiments.experiment import Experiment, Plan
from scripts.experiments.lives import nursing, start_parent
from scripts.experiments.ordeals import ORDEALS
from scripts.experiments.plants import PLANTS
from scripts.experiments.play import BrokenError
from tests.acceptance.installation import Installation

CLEAN, VIOLATED, BROKEN = 0, 1, 2


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="deaths by SIGKILL from outside while work is open")
    parser.add_argument("--failpoints", type=int, default=300, help="deaths at fail points")
    parser.add_argument("--seed", type=int, help="what to do when and to whom; a fresh one is drawn and printed")
    parser.add_argument("--plant", choices=["list", *PLANTS], metavar="BUG", help="plant a bug; `list` names them")
    parser.add_argument("--ordeal", choices=list(ORDEALS), help="undergo this one alone, three times")
    parser.add_argument("--points", action="store_true", help="print a line per fail point")
    parser.add_argument("--keep", action="store_true", help="keep the installation's folder")
    return parser.parse_args(arguments)


async def experiment(plan: Plan, folder: Path, *, points: bool) -> int:
    print(report.tell_terms(plan), flush=True)
    began = time.monotonic()
    installation = Installation(folder / "home", {})
    parent = await start_parent(installation)
    async with nursing(parent, installation, plan.plant) as lives:
        run = Experiment(plan, lives, folder, note)
        code = BROKEN
        try:
            await run.run()
            code = VIOLATED if run.tally.violations else CLEAN
        except (BrokenError, TimeoutError, OSError) as error:
            print(f"The experiment did not run: {error!r}", file=sys.stderr)
    for line in run.tally.violations:
        print(f"VIOLATION {line}")
    never = run.tally.never_died_at
    if points:
        print(report.tell_points(run.tally))
    print(report.tell_counts(run.tally))
    if code == CLEAN and plan.points >= report.FULL and never:
        print(f"Points at which nobody died: {', '.join(never)}")
        code = BROKEN
    if code == VIOLATED:
        print(f"Replay: scripts/chaos --kills {plan.kills} --failpoints {plan.points} --seed {plan.seed}")
    print(report.summarise(plan, run.tally, time.monotonic() - began))
    return code


def note(line: str) -> None:
    """How far it is, for who looks on."""
    print(f"  {line}", file=sys.stderr, flush=True)


def main() -> int:
    wanted = read_arguments(sys.argv[1:])
    if wanted.plant == "list":
        print("\n".join(PLANTS))
        return CLEAN
    seed = secrets.randbelow(1_000_000) if wanted.seed is None else wanted.seed
    folder = Path(tempfile.mkdtemp(prefix="valor-chaos-"))
    try:
        plan = Plan(wanted.kills, wanted.failpoints, seed, wanted.plant or "", wanted.ordeal)
        return asyncio.run(experiment(plan, folder, points=wanted.points))
    finally:
        if wanted.keep:
            print(f"Kept: {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
