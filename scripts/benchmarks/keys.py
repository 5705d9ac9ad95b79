"""What is measured: every key with its unit and target, and how numbers become a table or JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

Numbers = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Key:
    """One number. `target` is the bound of a later issue (`at_least`: a lower one), None where there is none."""

    name: str
    unit: str
    meaning: str
    target: float | None = None
    at_least: bool = False

    def judge(self, value: float) -> str:
        if self.target is None:
            return ""
        is_met = value >= self.target if self.at_least else value <= self.target
        return f"{'≥' if self.at_least else '≤'} {self.target:g} {'yes' if is_met else 'NO'}"


KEYS = (
    Key("echo_ms_p50", "ms", "a message to an echoing client in a process of its own, and its reply"),
    Key("echo_ms_p95", "ms", "the same"),
    Key("first_sign_ms_p50", "ms", "message said → 👀 shown at the person's client, less echo_ms_p50", 20),
    Key("first_sign_ms_p95", "ms", "the same", 60),
    Key("first_sign_seen_ms_p50", "ms", "as seen, the echo not taken away"),
    Key("first_sign_seen_ms_p95", "ms", "the same"),
    Key("answer_ms_p50", "ms", "message said → answer shown at the person's client, less echo_ms_p50", 40),
    Key("answer_ms_p95", "ms", "the same", 80),
    Key("answer_seen_ms_p50", "ms", "as seen, the echo not taken away"),
    Key("answer_seen_ms_p95", "ms", "the same"),
    Key(
        "turns_per_s_20",
        "1/s",
        "answers a second with 20 DMs at once, each asking again when answered",
        50,
        at_least=True,
    ),
    Key("product_cpu_ms_per_turn", "ms", "user and system time of all product processes a turn, in the same run"),
    Key("stop_ms_p50", "ms", "`stop` said → the chat is told and the turn's command with its children is dead", 1000),
    Key("stop_ms_max", "ms", "the slowest of them", 1000),
    Key("cancel_ms_p50", "ms", "the same of `/cancel` and a promise", 1000),
    Key("cancel_ms_max", "ms", "the slowest of them", 1000),
    Key("health_s", "s", "exec → first 200 of /health", 1),
    Key("ready_s", "s", "exec → /health says that the self-ping came back over Telegram"),
    Key("pss_cold_mb", "MB", "PSS of all product processes at the first 200, before the model stack is loaded"),
    Key("pss_warm_mb", "MB", "the same after the first answer and the first promise"),
    Key("first_request_bytes", "B", "body of the first model request of a plain DM"),
    Key("first_request_tokens", "", "the same in tokens, estimated as bytes / 4"),
    Key("pickup_idle_ms_p50", "ms", "commit of a promise → its claim by an idle worker process", 2),
    Key("pickup_idle_ms_p99", "ms", "the same", 10),
    Key("worker_idle_cpu_pct", "%", "processor time of the idle worker", 1),
    Key(
        "promises_per_s",
        "1/s",
        "create → claim → settle → delivered rows, synchronous FULL, many chats",
        500,
        at_least=True,
    ),
    Key("promise_create_ms_p99", "ms", "making one promise, bell included, nothing else going on", 5),
    Key("recovery_worker_s_p50", "s", "kill -9 of a worker → another worker has claimed its promise", 0.5),
    Key("recovery_worker_cold_s", "s", "kill -9 of the only worker and start of a new one → claimed again", 3),
    Key("recovery_server_s", "s", "kill -9 of the server in a turn and start of a new one → answer in the chat", 5),
    Key("catchup_10k_s", "s", "Telegram is back → 10,000 messages missed in 100 chats (half DMs) are all stored", 20),
    Key("catchup_10k_answered_s", "s", "the same → every DM among them is answered"),
    Key("catchup_10k_pss_ratio", "", "highest PSS of the product meanwhile, against that before", 1.2),
    Key("cli_list_ms_p50", "ms", "`valor promises list` against a running server, exec → exit", 300),
    Key("scale_ratio_max", "", "worst query with 100,000 promises and 1,000,000 messages, against one page of each", 2),
)
NAMES = tuple(key.name for key in KEYS)


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)]


def merge(runs: Iterable[Numbers]) -> dict[str, float]:
    """The median of each key over the runs, in the order of KEYS."""
    found: dict[str, list[float]] = {}
    for run in runs:
        for name, value in run.items():
            found.setdefault(name, []).append(value)
    return {name: trim(median(found[name])) for name in NAMES if name in found}


def trim(value: float) -> float:
    """Four digits that say something."""
    return round(value) if abs(value) >= 1000 else float(f"{value:.4g}")


def render(numbers: Numbers) -> str:
    """The table for people."""
    rows = [(key, numbers[key.name]) for key in KEYS if key.name in numbers]
    width = max((len(key.name) for key, _ in rows), default=0)
    return "\n".join(
        f"{key.name:{width}}  {value:>10g} {key.unit:3}  {key.judge(value):10}  {key.meaning}" for key, value in rows
    )
