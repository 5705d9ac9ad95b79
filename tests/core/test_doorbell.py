from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

from core.doorbell import (
    Doorbell,
    hush,
    listen,
    listeners,
    own_bell,
    ring,
    ring_all,
    ring_any,
    sweep,
    take_down,
    unhush,
)


async def test_a_ring_of_another_process_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "data" / "bell"
    doorbell = Doorbell(path)
    command = "import sys, pathlib, core.doorbell as bell; bell.ring(pathlib.Path(sys.argv[1]))"
    ringing = await asyncio.create_subprocess_exec(sys.executable, "-c", command, str(path))
    async with asyncio.timeout(20):
        await doorbell.rung.wait()
    assert await ringing.wait() == 0
    assert path.stat().st_mode & 0o777 == 0o600
    doorbell.close()


async def test_rings_that_nobody_takes_are_no_error(tmp_path: Path) -> None:
    path = tmp_path / "bell"
    ring(path)
    left = listen(path)
    for _ in range(2_000):
        ring(path)
    left.close()
    ring(path)
    doorbell = Doorbell(path)
    ring(path)
    ring(path)
    async with asyncio.timeout(5):
        assert await doorbell.rung.wait()
    doorbell.close()


async def test_a_path_too_long_for_a_socket_s_address_works_as_well(tmp_path: Path) -> None:
    path = tmp_path / ("deep" * 40) / "bell"
    doorbell = Doorbell(path)
    assert path.is_socket()
    ring(path)
    async with asyncio.timeout(5):
        await doorbell.rung.wait()
    doorbell.close()


async def test_every_bell_of_a_folder_is_rung_and_those_of_the_dead_are_taken_away(tmp_path: Path) -> None:
    folder = tmp_path / "bells"
    ring_all(folder)
    bells = [Doorbell(own_bell(folder)) for _ in range(2)]
    listen(own_bell(folder)).close()
    full = listen(own_bell(folder))
    (folder / "notes.txt").touch()
    assert len(list(folder.iterdir())) == 5
    for _ in range(1_000):
        ring_all(folder)
    async with asyncio.timeout(5):
        for bell in bells:
            await bell.rung.wait()
            bell.close()
    assert len(list(folder.iterdir())) == 4
    assert listeners(folder) == {os.getpid()}
    full.close()
    ring_all(folder)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_a_word_is_rung_at_one_bell_of_a_folder(tmp_path: Path) -> None:
    assert not ring_any(tmp_path / "nowhere", b"7")
    listen(own_bell(tmp_path)).close()
    assert not ring_any(tmp_path, b"7")
    assert not list(tmp_path.iterdir())
    bells = [listen(own_bell(tmp_path)) for _ in range(3)]
    for _ in range(30):
        assert ring_any(tmp_path, b"7")
        [(heard, _)] = [(bell, word) for bell in bells if (word := _word(bell)) is not None]
        assert heard in bells
    while ring_any(tmp_path, b"full"):
        pass
    assert {_word(bell) for bell in bells} == {b"full"}
    for bell in bells:
        bell.close()


def test_bad_input_a_folder_of_bells_that_cannot_be_read_is_one_without_bells(tmp_path: Path) -> None:
    """The database's writer rings: whatever the disk says, it is not to end over that."""
    no_folder = tmp_path / "bells"
    no_folder.write_text("")
    ring_all(no_folder)
    assert not ring_any(no_folder, b"7")
    assert listeners(no_folder) == set()


def test_a_hushed_bell_is_not_rung_until_it_is_heard_again(tmp_path: Path) -> None:
    path = own_bell(tmp_path)
    bell = listen(path)
    hush(path)
    assert not ring_any(tmp_path, b"7")
    unhush(path)
    assert ring_any(tmp_path, b"8")
    hush(path)
    assert _word(bell) == b"8"
    bell.close()
    take_down(path)
    assert not list(tmp_path.iterdir())
    hush(path)
    unhush(path)


def test_hushed_bells_of_the_dead_are_swept_away(tmp_path: Path) -> None:
    living, dead = own_bell(tmp_path), own_bell(tmp_path)
    bell = listen(living)
    listen(dead).close()
    for path in (living, dead):
        hush(path)
    sweep(tmp_path)
    assert [path.stem for path in tmp_path.iterdir()] == [living.stem]
    bell.close()


def _word(bell: socket.socket) -> bytes | None:
    try:
        return bell.recv(16)
    except BlockingIOError:
        return None


def test_the_bell_needs_no_other_module_of_ours() -> None:
    command = "import sys, core.doorbell; print([m for m in sys.modules if m.startswith(('core.', 'sqlalchemy'))])"
    told = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "['core.doorbell']"
