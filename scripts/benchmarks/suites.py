"""The measurements, grouped by what they have to start."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmarks.away import measure_return
from scripts.benchmarks.command_line import measure_command_line
from scripts.benchmarks.crowd import measure_crowd
from scripts.benchmarks.ending import measure_endings
from scripts.benchmarks.ledger_speed import measure_lives, measure_making
from scripts.benchmarks.pickup import measure_pickup
from scripts.benchmarks.recovery import measure_server, measure_workers
from scripts.benchmarks.road import measure_road
from scripts.benchmarks.scale import measure_scale
from scripts.benchmarks.service import measure_first, measure_start, warm_caches
from scripts.benchmarks.stage import open_stage


@dataclass(frozen=True, slots=True)
class Effort:
    """How many samples each measurement takes; `idle` in seconds."""

    road: int
    turns: int
    endings: int
    pickups: int
    lives: int
    makings: int
    idle: float
    deaths: int
    promises: int
    messages: int
    missed: int  # in each chat


FULL = Effort(200, 600, 30, 300, 3000, 500, 10, 3, 100_000, 1_000_000, 100)
QUICK = Effort(20, 60, 3, 20, 300, 50, 2, 1, 50_000, 200_000, 5)
Wanted = frozenset[str]
Measure = Callable[[Path, Effort, Wanted], Awaitable[dict[str, float]]]


@dataclass(frozen=True, slots=True)
class Suite:
    """Keys that are measured together."""

    name: str
    keys: frozenset[str]
    measure: Measure
    once: bool = False  # not repeated: it takes long and says the same again


ROAD = frozenset(
    {"echo_ms_p50", "echo_ms_p95"}
    | {
        f"{name}{seen}_ms_{share}"
        for name in ("first_sign", "answer")
        for seen in ("", "_seen")
        for share in ("p50", "p95")
    }
)
CROWD = frozenset({"turns_per_s_20", "product_cpu_ms_per_turn"})
ENDINGS = frozenset({f"{name}_ms_{share}" for name in ("stop", "cancel") for share in ("p50", "max")})
START = frozenset({"health_s", "ready_s", "pss_cold_mb"})
SERVER, WORKERS = frozenset({"recovery_server_s"}), frozenset({"recovery_worker_s_p50", "recovery_worker_cold_s"})
FIRST = frozenset({"pss_warm_mb", "first_request_bytes", "first_request_tokens"})


async def measure_product(folder: Path, effort: Effort, wanted: Wanted) -> dict[str, float]:
    """Server, worker, world, model: one installation for everything that needs them all."""
    async with open_stage(folder) as stage:
        await warm_caches(stage.product)
        numbers = await measure_start(stage.product)
        numbers |= await measure_first(stage)
        if not wanted.isdisjoint(ROAD):
            numbers |= await measure_road(stage, effort.road)
        if not wanted.isdisjoint(CROWD):
            numbers |= await measure_crowd(stage, effort.turns)
        if not wanted.isdisjoint(ENDINGS):
            numbers |= await measure_endings(stage, effort.endings)
    return numbers


async def measure_worker(folder: Path, effort: Effort, _wanted: Wanted) -> dict[str, float]:
    return await measure_pickup(folder, effort.pickups, effort.idle)


async def measure_stores(folder: Path, effort: Effort, _wanted: Wanted) -> dict[str, float]:
    lives = await measure_lives(folder / "lives", effort.lives)
    return lives | await measure_making(folder / "making", effort.makings)


async def measure_lists(folder: Path, effort: Effort, _wanted: Wanted) -> dict[str, float]:
    return await measure_command_line(folder / "home", effort.pickups)


async def measure_away(folder: Path, effort: Effort, _wanted: Wanted) -> dict[str, float]:
    return await measure_return(folder, effort.missed)


async def measure_recovery(folder: Path, effort: Effort, wanted: Wanted) -> dict[str, float]:
    server = {} if SERVER.isdisjoint(wanted) else await measure_server(folder / "server", effort.deaths)
    workers = {} if WORKERS.isdisjoint(wanted) else await measure_workers(folder / "workers", effort.deaths)
    return server | workers


async def measure_growth(folder: Path, effort: Effort, _wanted: Wanted) -> dict[str, float]:
    return await measure_scale(folder, effort.promises, effort.messages)


SUITES = (
    Suite("product", ROAD | CROWD | ENDINGS | START | FIRST, measure_product),
    Suite("worker", frozenset({"pickup_idle_ms_p50", "pickup_idle_ms_p99", "worker_idle_cpu_pct"}), measure_worker),
    Suite("stores", frozenset({"promises_per_s", "promise_create_ms_p99"}), measure_stores),
    Suite("command line", frozenset({"cli_list_ms_p50"}), measure_lists),
    Suite("away", frozenset({"catchup_10k_s", "catchup_10k_answered_s", "catchup_10k_pss_ratio"}), measure_away),
    Suite("recovery", SERVER | WORKERS, measure_recovery, once=True),
    Suite("scale", frozenset({"scale_ratio_max"}), measure_growth, once=True),
)
