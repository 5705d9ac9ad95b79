"""What an experiment came to, in words."""

from __future__ import annotations

from collections import Counter

from scripts.experiments.experiment import Plan
from scripts.experiments.nursery import BUSY_SECONDS, DEATHS
from scripts.experiments.play import Tally
from scripts.experiments.stage import SETTINGS

FULL = 1_000  # fail points; in a run of so many each point that is known must have been died at


def tell_terms(plan: Plan) -> str:
    raised = ", ".join(f"{name}={value}" for name, value in SETTINGS.items())
    planted = f", planted: {plan.plant}" if plan.plant else ""
    return (
        f"seed {plan.seed}: {plan.kills} kills, {plan.points} fail points{planted}\n"
        f"limits raised and times shortened: {raised}, "
        f"wait for a taken directory {BUSY_SECONDS:g} s, deaths over one message or promise {DEATHS}"
    )


def tell_points(tally: Tally) -> str:
    """A line per fail point: how often a process died there, how often it was reached."""
    names = sorted(tally.points)
    return "\n".join(f"{tally.died_at[name]:6} {tally.points[name]:8}  {name}" for name in names)


def tell_counts(tally: Tally) -> str:
    rows = [
        ("killed from outside", _list(tally.kills)),
        ("killed with nothing open (not counted)", str(tally.idle_kills)),
        (
            "died at a fail point",
            f"{tally.died_at.total()} at {len(tally.died_at)} of {len(tally.points)} known points",
        ),
        ("armed in vain", str(tally.missed.total())),
        ("ordeals", _list(tally.ordeals)),
        ("messages", f"{tally.messages}; share of promises that append a line {tally.share_appended:.0%}"),
        ("outcomes", _list(tally.outcomes_in_all)),
        (
            "model",
            f"{tally.requests} requests, {tally.repeated} of them again after a death before the step was on disk",
        ),
        ("run in-process", "nothing: every death is a process's"),
    ]
    return "\n".join(f"  {name}: {value}" for name, value in rows)


def summarise(plan: Plan, tally: Tally, seconds: float) -> str:
    """The last line."""
    deaths = tally.kills.total() + tally.died_at.total()
    share = tally.kills.total() / max(tally.kills.total() + tally.idle_kills, 1)
    found = f"{len(tally.violations)} violations" if tally.violations else f"0 violations (< {3 / max(deaths, 1):.2%})"
    return (
        f"chaos seed {plan.seed}: {found}; {tally.kills.total()} kills ({share:.0%} with work open), "
        f"{tally.died_at.total()} deaths at {len(tally.died_at)} of {len(tally.points)} fail points, "
        f"{tally.messages} messages, {tally.looks} looks, {seconds:.0f} s"
    )


def _list(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counts.items())) or "none"
