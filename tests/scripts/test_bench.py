from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.benchmarks.__main__ import read_arguments
from scripts.benchmarks.keys import NAMES, merge, quantile, render, trim
from scripts.benchmarks.procfs import cpu_seconds, cpu_seconds_exactly, describe_machine, pss_mb
from scripts.benchmarks.recovery import find_claim
from scripts.benchmarks.suites import SUITES
from tests.acceptance.installation import PROJECT

PROMISED = """
    first_sign_ms_p50 first_sign_ms_p95 answer_ms_p50 answer_ms_p95 turns_per_s_20 product_cpu_ms_per_turn
    pickup_idle_ms_p50 pickup_idle_ms_p99 promises_per_s health_s ready_s pss_cold_mb pss_warm_mb first_request_bytes
    first_request_tokens stop_ms_p50 stop_ms_max cancel_ms_p50 cancel_ms_max recovery_worker_s_p50
    recovery_worker_cold_s recovery_server_s promise_create_ms_p99 worker_idle_cpu_pct scale_ratio_max catchup_10k_s
    catchup_10k_pss_ratio
"""


def test_every_promised_key_is_measured_by_exactly_one_suite() -> None:
    measured = [name for suite in SUITES for name in suite.keys]
    assert sorted(measured) == sorted(NAMES)
    assert set(PROMISED.split()) <= set(NAMES)


def test_a_quantile_is_a_value_that_was_measured() -> None:
    values = [float(value) for value in range(1, 101)]
    assert [quantile(values, share) for share in (0.5, 0.95, 0.99, 1.0)] == [50, 95, 99, 100]
    assert quantile([7.0], 0.5) == 7


def test_runs_are_merged_to_medians_in_the_order_of_the_keys() -> None:
    runs = [{"health_s": 3.0, "echo_ms_p50": 1.0}, {"health_s": 1.0}, {"health_s": 2.0}]
    assert list(merge(runs).items()) == [("echo_ms_p50", 1.0), ("health_s", 2.0)]
    assert (trim(0.0123456), trim(1234.5)) == (0.01235, 1234)


def test_the_table_says_whether_a_target_is_met() -> None:
    table = render({"answer_ms_p50": 41.0, "turns_per_s_20": 51.0, "ready_s": 2.0})
    assert re.search(r"answer_ms_p50 +41 ms +≤ 40 NO", table)
    assert re.search(r"turns_per_s_20 +51 1/s +≥ 50 yes", table)
    assert len(table.splitlines()) == 3


def test_only_known_keys_can_be_asked_for() -> None:
    assert read_arguments(["--only", "health_s", "ready_s"]).only == ["health_s", "ready_s"]
    with pytest.raises(SystemExit):
        read_arguments(["--only", "beauty"])


def test_a_process_is_seen_to_use_time_and_memory() -> None:
    with subprocess.Popen([sys.executable, "-c", "sum(range(10**7)); input()"], stdin=subprocess.PIPE) as process:
        own = [process.pid]
        assert process.stdin is not None
        while cpu_seconds(own) < 0.05:
            assert process.poll() is None
        assert cpu_seconds_exactly(process.pid) > 0.04
        assert 1 < pss_mb(own) < 200
        process.stdin.write(b"\n")
        process.stdin.close()
    assert cpu_seconds(own) == pss_mb(own) == 0


def test_the_machine_is_named() -> None:
    machine = describe_machine()
    assert machine["cores"]
    assert set(machine) == {"cpu", "cores", "memory_gb", "python", "kernel", "load_1m"}


def test_a_claim_is_read_from_the_log_of_a_worker(tmp_path: Path) -> None:
    log = tmp_path / "huey.log"
    assert find_claim(log, 7, 0) is None
    lines = [("00", 7), ("01", 8), ("02", 7)]
    facts = [
        {"time": f"2026-01-01T00:00:{second}.5Z", "message": "promise claimed", "promise": number}
        for second, number in lines
    ]
    log.write_text("".join(json.dumps(fact) + "\n" for fact in facts))
    first = find_claim(log, 7, 0)
    assert first is not None
    assert find_claim(log, 7, first) == first + 2
    assert find_claim(log, 9, 0) is None


def run_bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.benchmarks", "--quick", *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=100, check=True)


def test_json_is_exactly_one_object_with_the_keys_that_were_asked_for() -> None:
    told = json.loads(run_bench("--json", "--only", "promises_per_s", "promise_create_ms_p99").stdout)
    assert set(told) == {"promises_per_s", "promise_create_ms_p99", "machine", "repeats", "raised", "methods"}
    assert told["promises_per_s"] > 0
    assert told["raised"]["ANSWERS_PER_MINUTE"] == "1000000"
    assert told["repeats"] == 1


def test_the_product_is_measured_on_its_whole_road() -> None:
    road = ("echo_ms_p50", "first_sign_ms_p50", "first_sign_seen_ms_p50", "answer_ms_p50", "first_request_bytes")
    told = json.loads(run_bench("--json", "--only", *road, "pss_cold_mb", "pss_warm_mb", "health_s", "ready_s").stdout)
    assert told["echo_ms_p50"] > 0
    assert told["first_sign_seen_ms_p50"] > 0
    assert told["first_sign_ms_p50"] > 0
    assert told["answer_ms_p50"] > 0
    assert 0 < told["health_s"] < told["ready_s"]  # the one is on the way to the other
    assert told["pss_cold_mb"] < told["pss_warm_mb"]
    assert told["first_request_bytes"] > 500
