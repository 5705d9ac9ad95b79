"""`scripts/bench`: numbers of the running product, measured from outside."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import tempfile
import time
from pathlib import Path

import structlog

from scripts.benchmarks.keys import NAMES, Numbers, merge, render
from scripts.benchmarks.procfs import describe_machine
from scripts.benchmarks.stage import RAISED
from scripts.benchmarks.suites import FULL, QUICK, SUITES, Effort

METHODS = {
    "first_sign, answer": "seen at the person's own Telethon client, less echo_ms_p50; *_seen_*: nothing taken away",
    "turns_per_s_20": "20 DMs, each asking again when answered; world, model and product share the cores",
    "first_request_tokens": "bytes / 4: no tokenizer is at hand offline",
    "pickup_idle": "wall clock after COMMIT in this process → the worker's log line after its claim's COMMIT",
    "repeats": "each key is the median of the runs; recovery_* and scale_* are measured in the first one only",
}


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="exactly one JSON object on standard output")
    parser.add_argument("--only", nargs="+", metavar="KEY", choices=NAMES, help=f"of {', '.join(NAMES)}")
    parser.add_argument("--runs", type=int, default=0, help="medians of so many runs (3; with --quick 1)")
    parser.add_argument("--quick", action="store_true", help="fewer samples: to see that it works, not to compare")
    return parser.parse_args(arguments)


async def run_once(wanted: frozenset[str], effort: Effort, number: int) -> Numbers:
    """Every suite that has a wanted key, in fresh folders; `number` counts the runs from 0."""
    numbers: dict[str, float] = {}
    for suite in SUITES:
        if not suite.keys.isdisjoint(wanted) and not (suite.once and number):
            began = time.perf_counter()
            with tempfile.TemporaryDirectory(prefix="valor-bench-") as folder:
                numbers |= await suite.measure(Path(folder), effort, wanted)
            print(f"# {suite.name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return {name: value for name, value in numbers.items() if name in wanted}


def speak_on_stderr() -> None:
    """The product's own lines, as far as its code runs here, are not of the result: warnings go to standard error."""
    warnings_only = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=warnings_only, logger_factory=structlog.PrintLoggerFactory(sys.stderr))


def main(arguments: list[str]) -> int:
    asked = read_arguments(arguments)
    speak_on_stderr()
    effort, wanted = (QUICK if asked.quick else FULL), frozenset(asked.only or NAMES)
    repeats = asked.runs or (1 if asked.quick else 3)
    machine = describe_machine()
    numbers = merge(asyncio.run(run_once(wanted, effort, number)) for number in range(repeats))
    if asked.json:
        print(json.dumps({**numbers, "machine": machine, "repeats": repeats, "raised": RAISED, "methods": METHODS}))
        return 0
    print(f"{', '.join(f'{name} {value}' for name, value in machine.items())}; medians of {repeats} run(s)")
    print(f"raised by settings: {', '.join(f'{name}={value}' for name, value in RAISED.items())}\n")
    print(render(numbers))
    print("\n" + "\n".join(f"{name}: {text}" for name, text in METHODS.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
