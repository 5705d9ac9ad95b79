from __future__ import annotations

import socket
from pathlib import Path

import pytest

from runtime import landlock
from runtime.policy import FencePolicy, Limits
from runtime.process import Finished, Job, run
from runtime.sandbox import Bubblewrap, OpenSandbox, Passage, examine, find_sandbox


async def _run(command: str, policy: FencePolicy) -> Finished:
    sandbox = find_sandbox()
    assert sandbox is not None
    return await run(sandbox, policy, Job(command, Passage("sandbox-test")))


async def test_w4_nobody_in_particular_without_capabilities_and_with_a_cleared_environment(tmp_path: Path) -> None:
    finished = await _run(
        "id -u; id -un; pwd; grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status; env", FencePolicy(tmp_path)
    )
    uid, user, place, *rest = finished.output.split("\n")
    assert (uid, user, place) == ("1000", "valor", str(tmp_path))
    assert rest[:3] == ["CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"]
    names = {line.split("=")[0] for line in rest[3:] if line}
    assert names <= {"PATH", "HOME", "USER", "LANG", "TERM", "TMPDIR", "PWD", "VALOR_RUN", "SHLVL", "OLDPWD", "_"}


async def test_w4_an_own_process_list(tmp_path: Path) -> None:
    finished = await _run("ls -d /proc/[0-9]* | wc -l", FencePolicy(tmp_path))
    assert int(finished.output) <= 5


async def test_w4_limits_hold_inside(tmp_path: Path) -> None:
    limits = Limits(memory_bytes=10**8, processes=40, file_bytes=10**6)
    finished = await _run("cat /proc/self/limits", FencePolicy(tmp_path, limits=limits))
    soft = {line[:26].strip(): line[26:].split()[0] for line in finished.output.splitlines()}
    assert soft["Max data size"] == "100000000"
    assert soft["Max file size"] == "1000000"
    assert soft["Max processes"] == "40"
    assert soft["Max core file size"] == "0"


@pytest.mark.skipif(landlock.abi() < landlock.NEEDED_ABI, reason="needs Linux 6.12 with Landlock")
async def test_w4_with_a_network_only_its_ports_are_reached(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connect = f"python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {port}), 2)'"
        finished = await _run(connect, FencePolicy(tmp_path, network=True))
        assert "Permission denied" in finished.output


def test_w4_the_lock_goes_to_the_fence_and_not_into_it(tmp_path: Path) -> None:
    command = Bubblewrap().command(FencePolicy(tmp_path), ("true",), Passage("m", lock_fd=7), {"/etc/passwd": 5})
    assert command[command.index("--sync-fd") + 1] == "7"
    assert "--seccomp" not in command
    assert "--share-net" not in command


def test_w4_the_open_double_has_no_fence(tmp_path: Path) -> None:
    with OpenSandbox().start(FencePolicy(tmp_path), ("true",), Passage("m", 7)) as start:
        assert start.argv == ("/usr/bin/env", "VALOR_RUN=m", "true")
        assert (start.pass_fds, start.environment) == ((7,), None)
    with OpenSandbox().start(FencePolicy(tmp_path), ("true",), Passage("m")) as start:
        assert start.pass_fds == ()


def test_s5_the_examination_of_this_machine_finds_a_fence() -> None:
    examination = examine()
    assert isinstance(examination.sandbox, Bubblewrap)
    assert examination.sentence.startswith("Commands run in a bubblewrap fence")


def test_s5_without_bubblewrap_the_examination_says_how_to_get_it(tmp_path: Path) -> None:
    assert "apt install bubblewrap" in examine(str(tmp_path)).sentence
    _program(tmp_path / "bwrap", "exit 0")
    assert "prlimit is missing" in examine(str(tmp_path)).sentence


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("echo 'bwrap: Unknown option --disable-userns' >&2; exit 1", "bubblewrap 0.8 or newer"),
        ("echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1", "allow user namespaces"),
        ("exit 1", "no reason given"),
    ],
)
def test_s5_a_fence_that_cannot_be_built_says_why(tmp_path: Path, script: str, sentence: str) -> None:
    _program(tmp_path / "bwrap", script)
    _program(tmp_path / "prlimit", "exit 0")
    examination = examine(str(tmp_path))
    assert examination.sandbox is None
    assert sentence in examination.sentence


def test_s5_other_systems_have_no_fence_here() -> None:
    assert examine(platform="darwin").sandbox is None


def _program(file: Path, script: str) -> None:
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
