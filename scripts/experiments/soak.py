"""scripts/soak: twenty chats for a long time, with floods and lost connections, and a look at what it costs.

Exit code: 0 when nothing was lost or repeated and memory and the event loop stayed within their limits, 1 when not
(each is named), 2 when the run itself did not come about.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmarks.procfs import describe_machine
from scripts.experiments.__main__ import BROKEN, CLEAN, VIOLATED, break_off, note, open_fence
from scripts.experiments.checker import DOUBTS
from scripts.experiments.lateness import Told, late_99, looks_within, worst_minute
from scripts.experiments.lives import nursing
from scripts.experiments.neighbours import standing_by
from scripts.experiments.pace import Pace
from scripts.experiments.play import Terms
from scripts.experiments.report import write_between
from scripts.experiments.soaking import CHATS, Sample, Soak, bystander_told, growth, loop_told, others
from scripts.experiments.stage import GROUPS
from scripts.experiments.stand import be_up, set_up
from scripts.experiments.tally import Tally
from tests.acceptance.installation import Installation

PATIENCE = 75.0
GROWTH = 0.10
LAG_MS = 50.0
LONG = 10.0  # minutes: in less, memory has not come to rest, and how late the loop is says more of the machine
MARKS = "<!-- soak: begin -->", "<!-- soak: end -->"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run came to: what is wrong, and the row of facts."""

    faults: tuple[str, ...]
    facts: dict[str, str]

    @property
    def code(self) -> int:
        return VIOLATED if self.faults else CLEAN


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="how long people write (30)")
    parser.add_argument("--seed", type=int, help="who says what and what goes wrong; a fresh one is drawn and printed")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the run into this file, between its marks")
    return parser.parse_args(arguments)


async def soak(minutes: float, seed: int, folder: Path) -> Soak:
    """The run, when it is over. Raises BrokenError when the product does not come up."""
    pace = Pace()
    terms = Terms(str(seed), PATIENCE, pace, Tally())
    async with pace.measured(), standing_by() as bystander, nursing(Installation(folder / "home", {}), "") as lives:
        async with set_up(lives, terms, CHATS - len(GROUPS)) as stand:
            await stand.play.ensure()
            await be_up(stand.play)
            run = Soak(stand, minutes, note, bystander)
            await run.run()
        return run


def judge(run: Soak, seed: int) -> Verdict:
    tally, machine = run.play.tally, describe_machine()
    memory = f"{growth(run.samples):+.1%}; {run.samples[-1].memory_mb:.0f} MB in the end"
    facts = {
        "command": f"`scripts/soak --minutes {run.minutes:g} --seed {seed}`",
        "machine": f"{machine['cores']} cores of {machine['cpu']}, Linux {machine['kernel']}",
        "chats": str(CHATS),
        "messages": str(tally.messages),
        **tell_outcomes(tally),
        "went wrong for the account": tell_counts(run.troubles.account),
        "went wrong for the bot": tell_counts(run.troubles.bot),
        "at rest after the last word": f"within {max(run.rests):.0f} s",
        "memory (PSS), end against beginning": memory,
        "event loop late, 99 of 100 below": tell_late(loop_told(run.samples)),
        "a process that only looks, beside it": tell_late(bystander_told(run.samples)),
        "processors, used by others": f"{others(run.samples):.0%}",
    }
    return Verdict((*tally.violations, *find_excess(run.samples, run.minutes)), facts)


def find_excess(samples: list[Sample], minutes: float) -> Iterator[str]:
    """What is too much of memory or of the event loop's time, in a long run, whatever else the machine had to do."""
    if minutes < LONG:
        return
    grown, late = growth(samples), late_99(looks_within(loop_told(samples)))
    if grown >= GROWTH:
        yield f"memory grew by {grown:.1%}; the limit is {GROWTH:.0%}"
    if late >= LAG_MS:
        yield f"the event loop was late by {late} ms in 1 of 100 looks; the limit is {LAG_MS:.0f} ms"


def tell_outcomes(tally: Tally) -> dict[str, str]:
    """What nobody can know of the bot's sends stands apart."""
    doubts = Counter({name: tally.outcomes[name] for name in DOUBTS})
    return {
        "outcomes": tell_counts(tally.outcomes - doubts),
        "lost or doubled": str(len(tally.violations)),
        "the bot's sends in doubt": ", ".join(f"{name} {number}" for name, number in doubts.items()),
    }


def tell_counts(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))


def tell_late(told: Sequence[Told]) -> str:
    """Of the whole run, and of its worst minute."""
    looks = looks_within(told)
    return f"{late_99(looks)} ms of {looks.total():,} looks; worst minute {worst_minute(told)} ms"


def main() -> int:
    asked = read_arguments(sys.argv[1:])
    sys.excepthook = break_off
    open_fence()
    seed = secrets.randbelow(1_000_000) if asked.seed is None else asked.seed
    print(f"seed {seed}: {asked.minutes:g} minutes, {CHATS} chats", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="valor-soak-"))
    try:
        run = asyncio.run(soak(asked.minutes, seed, folder))
    finally:
        with suppress(OSError):
            shutil.rmtree(folder)
    if not run.samples or not run.rests or not run.play.tally.messages:
        return BROKEN
    verdict = judge(run, seed)
    if asked.report:
        rows = "\n".join(f"| {name} | {value} |" for name, value in verdict.facts.items())
        write_between(MARKS, f"| | |\n|---|---|\n{rows}", asked.report)
    for fault in verdict.faults:
        print(f"VIOLATION {fault}")
    print("; ".join(f"{name}: {value}" for name, value in verdict.facts.items()), f"; exit code {verdict.code}", sep="")
    return verdict.code


if __name__ == "__main__":
    sys.exit(main())
