"""What an experiment came to, in words."""

from __future__ import annotations

import platform
import sqlite3
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from scripts.benchmarks.procfs import describe_machine
from scripts.experiments.experiment import Plan
from scripts.experiments.nursery import BUSY_SECONDS, DEATHS
from scripts.experiments.ordeals import ORDEALS
from scripts.experiments.sittings import Sitting
from scripts.experiments.stage import SETTINGS
from scripts.experiments.tally import Tally
from scripts.experiments.wrappers import find_unreached, names_in_code

MARKS = "<!-- run: begin -->", "<!-- run: end -->"
LIBRARIES = (
    "telethon",
    "python-telegram-bot",
    "pydantic-ai-slim",
    "anthropic",
    "huey",
    "SQLAlchemy",
    "uvicorn",
    "fastapi",
)


@dataclass(frozen=True, slots=True)
class Run:
    """One run that is over, after one sitting or several. `code` is its exit code."""

    plan: Plan
    tally: Tally
    sittings: tuple[Sitting, ...]
    code: int

    @property
    def seconds(self) -> float:
        return sum(sitting.seconds for sitting in self.sittings)

    @property
    def command(self) -> str:
        """What plays it again: the same people, ordeals and kinds of death; the moments are the machine's."""
        plan = self.plan
        much = f"--minutes {plan.minutes:g}" if plan.minutes else f"--kills {plan.kills} --failpoints {plan.points}"
        rest = f" --plant {plan.plant}" if plan.plant else f" --ordeal '{plan.ordeal}'" if plan.ordeal else ""
        return f"scripts/chaos {much} --seed {plan.seed} --stands {plan.stands}{rest}"


def tell_terms(plan: Plan) -> str:
    much = f"{plan.minutes:g} minutes" if plan.minutes else f"{plan.kills} kills, {plan.points} fail points"
    planted = f", planted: {plan.plant}" if plan.plant else ""
    return f"seed {plan.seed}: {much}, {plan.stands} side by side{planted}\n{tell_limits()}"


def tell_limits() -> str:
    raised = ", ".join(f"{name}={value}" for name, value in SETTINGS.items())
    return (
        f"limits raised and times changed: {raised}, wait for a taken directory {BUSY_SECONDS:g} s, "
        f"deaths over one message or promise {DEATHS}"
    )


def tell_points(tally: Tally) -> str:
    """A line per fail point: how often a process died there, how often it was reached."""
    names = sorted(tally.points)
    return "\n".join(f"{tally.died_at[name]:6} {tally.points[name]:8}  {name}" for name in names)


def count(tally: Tally) -> dict[str, str]:
    known, never = len(tally.points), [name for name in ORDEALS if not tally.ordeals[name]]
    cpu = (f"{part} {tally.cpu[part] / max(tally.lives[part], 1):.2f}" for part in sorted(tally.lives))
    return {
        "killed from outside": f"{tally.kills.total()} ({_list(tally.kills)})",
        "killed with nothing open (not counted)": f"{tally.idle_kills}; share with work open {tally.share_open:.1%}",
        "died at a fail point": f"{tally.died_at.total()} at {len(tally.died_at)} of {known} known points",
        "armed in vain": str(tally.missed.total()),
        "ordeals": _list(tally.ordeals) + (f"; never: {', '.join(never)}" if never else ""),
        "looks at everything at rest": f"{tally.looks}, in {tally.plays} plays",
        "messages": str(tally.messages),
        "buttons pressed": str(tally.presses),
        "promises asked for": f"{tally.promises}, {tally.share_appending:.0%} of them append a line",
        "outcomes": _list(tally.outcomes),
        "model requests": f"{tally.requests}, {tally.repeated} of them again after a death before the step was on disk",
        "CPU seconds of a life": ", ".join(cpu),
        "run in-process": "nothing: every death is a process's",
    }


def tell_counts(tally: Tally) -> str:
    return "\n".join(f"  {name}: {value}" for name, value in count(tally).items())


def summarise(run: Run) -> str:
    """The last line."""
    plan, tally = run.plan, run.tally
    return (
        f"chaos seed {plan.seed}: {len(tally.violations)} violations{bound(run)}; {tally.kills.total()} kills "
        f"({tally.share_open:.0%} with work open), {tally.died_at.total()} deaths at {len(tally.died_at)} of "
        f"{len(tally.points)} fail points, {tally.messages} messages, {tally.looks} looks, {run.seconds:.0f} s, "
        f"exit code {run.code}"
    )


def bound(run: Run) -> str:
    """What no violation in so many trials says at 95 %: the rule of three."""
    if run.tally.violations or not run.tally.deaths:
        return ""
    return f" (< {3 / run.tally.deaths:.2%} of deaths)"


def write_report(run: Run, file: Path) -> None:
    write_between(MARKS, render(run), file)


def write_between(marks: tuple[str, str], section: str, file: Path) -> None:
    """Put a section into a file: between its marks where it has them, else at its end."""
    begin, end = marks
    text = file.read_text(encoding="utf-8") if file.exists() else f"{begin}\n{end}\n"
    if begin not in text:
        text += f"\n{begin}\n{end}\n"
    before, _, rest = text.partition(begin)
    after = rest.partition(end)[2]
    file.write_text(f"{before}{begin}\n{section}\n{end}{after}", encoding="utf-8")


def render(run: Run) -> str:
    """The run as a section of Markdown."""
    tally, machine = run.tally, describe_machine()
    versions = {"Python": platform.python_version(), "SQLite": sqlite3.sqlite_version}
    versions |= {name: version(name) for name in LIBRARIES}
    facts = {
        "command": f"`{run.command}`",
        "result": f"{len(tally.violations)} violations, exit code {run.code}",
        "bounds (95 %)": bounds(tally),
        "duration": f"{run.seconds / 60:.0f} minutes on {machine['cores']} cores of {machine['cpu']}",
        "sittings": "; ".join(map(str, run.sittings)),
        "system": f"Linux {machine['kernel']}, {machine['memory_gb']} GB",
        "versions": ", ".join(f"{name} {number}" for name, number in versions.items()),
        **count(tally),
        "wrappers in the code that no process came to": ", ".join(find_unreached(names_in_code(), tally.points)),
    }
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    points = "\n".join(f"| {name} | {tally.died_at[name]} | {tally.points[name]} |" for name in sorted(tally.points))
    table = f"| fail point | deaths | arrivals |\n|---|---|---|\n{points}"
    return f"| | |\n|---|---|\n{rows}\n\n{tell_limits().capitalize()}.\n\n{table}"


def bounds(tally: Tally) -> str:
    """What no violation says, for deaths and for what was asked."""
    if tally.violations:
        return "none: there are violations"
    of = {"deaths": tally.deaths, "messages": tally.messages, "promises": tally.promises}
    return ", ".join(f"0 of {n:,} {name}: < {3 / n:.3%}" for name, n in of.items() if n)


def _list(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counts.items())) or "none"
