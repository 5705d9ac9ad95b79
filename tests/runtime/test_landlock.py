from __future__ import annotations

import socket
import subprocess
import sys
import threading

import pytest

from runtime import landlock

needs_landlock = pytest.mark.skipif(landlock.abi() < landlock.NEEDED_ABI, reason="needs Linux 6.12 with Landlock")
CONNECT = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 2)"


def _connect(port: int, allowed: str) -> subprocess.CompletedProcess[str]:
    program = (sys.executable, "-c", CONNECT, str(port))
    start = (sys.executable, str(landlock.__file__), allowed, "--", *program)
    return subprocess.run(start, capture_output=True, text=True, timeout=20, check=False)


@needs_landlock
def test_w4_only_the_named_ports_can_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert _connect(port, f"80,{port}").returncode == 0
        refused = _connect(port, "80,443")
        assert "PermissionError" in refused.stderr
        assert "PermissionError" in _connect(port, "").stderr


@needs_landlock
def test_w4_a_rule_that_cannot_be_made_stops_the_start() -> None:
    refused = _connect(80, str(2**40))
    assert "OSError" in refused.stderr
    assert refused.returncode == 1


@needs_landlock
def test_w4_a_thread_that_was_held_cannot_reach_another_port() -> None:
    refusals: list[OSError] = []

    def be_held() -> None:
        try:
            landlock.main(["80,443", "--", "/no/such/program"])
        except FileNotFoundError:
            with pytest.raises(PermissionError) as refused, socket.create_server(("127.0.0.1", 0)) as server:
                socket.create_connection(server.getsockname(), 2)
            refusals.append(refused.value)

    thread = threading.Thread(target=be_held)
    thread.start()
    thread.join()
    assert len(refusals) == 1


def test_w4_an_older_kernel_gets_one_sentence() -> None:
    with pytest.raises(SystemExit, match=r"Linux 6\.12"):
        landlock.main(["80", "--", "true"], needed=10_000)
