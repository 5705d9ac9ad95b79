"""S4 and S5: how the parts are, and what the doctor finds."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from core import checks
from core.checks import Board, Check, Finding, Status
from core.clock import FakeClock
from core.errors import DatabaseError
from core.lock_file import held
from core.settings import Settings


def settings_of(home: Path, **values: object) -> Settings:
    return Settings.model_validate({"project": home, "env_file": home / ".env", **values})


def test_s4_since_moves_only_when_the_status_does() -> None:
    clock = FakeClock()
    board = Board(clock)
    board.report("bot", Status.STARTING, "It connects.")
    clock.advance(5)
    board.report("bot", Status.HEALTHY, "It listens.")
    since = clock.now()
    clock.advance(5)
    board.report("bot", Status.HEALTHY, "It listens still.")
    (bot,) = board.snapshot().components
    assert (bot.since, bot.heard_at, bot.finding.sentence) == (since, clock.now(), "It listens still.")


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        (["healthy", "off"], "healthy"),
        ([], "healthy"),
        (["healthy", "starting"], "starting"),
        (["starting", "degraded"], "degraded"),
        (["degraded", "unhealthy", "healthy"], "unhealthy"),
    ],
)
def test_s4_the_whole_is_as_its_worst_part(parts: list[str], whole: str) -> None:
    board = Board(FakeClock())
    for part in parts:
        board.report(f"part {part}", Status(part), "So.")
    assert board.snapshot().status == whole


def test_s5_every_ground_check_has_a_finding(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = {check.name: check.run() for check in checks.ground_checks(settings_of(tmp_path, api_port=port))}
    assert not [name for name, finding in found.items() if finding.status is Status.UNHEALTHY]
    assert found["worker"].status is Status.DEGRADED
    assert all(finding.sentence.endswith(".") for finding in found.values())


def test_s6_each_missing_key_names_what_is_off(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, notion_api_key="x")
    found = {check.name: check.run() for check in checks.key_checks(settings)}
    assert found["NOTION_API_KEY"].status is Status.HEALTHY
    assert found["PERPLEXITY_API_KEY"] == Finding(
        Status.OFF,
        "PERPLEXITY_API_KEY is not set, so this is off: web search.",
        "echo 'PERPLEXITY_API_KEY=…' >> .env",
    )


def test_a_check_that_raises_for_the_owner_is_unhealthy() -> None:
    def look() -> Finding:
        raise DatabaseError("It is newer.")

    assert Check("database", look).run() == Finding(Status.UNHEALTHY, "It is newer.")


def test_settings_that_do_not_do_what_they_seem_degrade(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, telegram_allow_dms="1")
    assert checks.check_warnings(settings.warnings).status is Status.DEGRADED


def test_a_python_too_old_is_named() -> None:
    assert "99.0 or newer is needed" in checks.check_python((99, 0)).sentence


def test_s1_a_full_disk_is_named(tmp_path: Path) -> None:
    most = 2**80
    found = [checks.check_disk(tmp_path, low, full).status for low, full in ((0, 0), (most, 0), (most, most))]
    assert found == [Status.HEALTHY, Status.DEGRADED, Status.UNHEALTHY]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    finding = checks.check_folder(tmp_path / "none")
    assert (finding.status, finding.mend) == (Status.UNHEALTHY, f"mkdir -p '{tmp_path / 'none'}'")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs a folder nobody can write")
def test_a_folder_that_cannot_be_written_is_named() -> None:
    assert checks.check_folder(Path("/proc/self")).status is Status.UNHEALTHY


def test_s9_a_token_that_others_can_read_is_named(tmp_path: Path) -> None:
    token = tmp_path / ".token"
    token.write_text("x")
    token.chmod(0o640)
    open_to_others = checks.check_token(token)
    token.chmod(0o600)
    assert (open_to_others.status, checks.check_token(token).status) == (Status.UNHEALTHY, Status.HEALTHY)


def test_s1_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        finding = checks.check_port("127.0.0.1", taken.getsockname()[1])
    assert finding.status is Status.DEGRADED
    assert "in use" in finding.sentence


def test_s1_an_address_that_is_not_ours_is_named() -> None:
    assert checks.check_port("203.0.113.1", 9).status is Status.UNHEALTHY


def test_s5_a_living_worker_is_named_by_its_pid(tmp_path: Path) -> None:
    lock = checks.worker_lock(settings_of(tmp_path))
    with held(lock):
        alive = checks.check_worker(lock)
    assert alive == Finding(Status.HEALTHY, f"The worker runs (pid {os.getpid()}).")
    assert checks.check_worker(lock).mend == "scripts/start.sh"
