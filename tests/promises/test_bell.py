"""The bell: woken at once, from any process, carrying a number and nothing else."""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from core import doorbell
from promises import bell as bells
from promises.bell import HueyBell, WokenStorage

DEADLINE = 4  # shorter than the look that needs no ring


@contextlib.contextmanager
def locked(path: Path) -> Generator[None]:
    """Held by another process, as it seems."""
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    yield
    holder.execute("ROLLBACK")
    holder.close()


class Heard:
    """What a consumer was told, in order."""

    def __init__(self, bell: HueyBell, jobs: int = 2) -> None:
        self.numbers: queue.Queue[int] = queue.Queue()
        bell.consume(self.numbers.put, jobs)

    def next(self) -> int:
        return self.numbers.get(timeout=DEADLINE)


@pytest.fixture
def bell(tmp_path: Path) -> Iterator[HueyBell]:
    opened = HueyBell(tmp_path / "data" / "huey.db", tmp_path / "data" / "bells")
    yield opened
    opened.close()


def test_p2_a_ring_is_heard_by_an_idle_consumer_without_polling(bell: HueyBell) -> None:
    heard = Heard(bell)
    for number in (7, 8):
        bell.ring(number)
        assert heard.next() == number
    assert bell.waiting() == 0


def test_p2_a_ring_from_another_process_is_heard(bell: HueyBell, tmp_path: Path) -> None:
    heard = Heard(bell)
    program = (
        "from pathlib import Path; from promises.bell import HueyBell; "
        f"p = Path({str(tmp_path)!r}, 'data'); HueyBell(p / 'huey.db', p / 'bells').ring(41)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
    assert heard.next() == 41


def test_p3_rings_without_a_consumer_wait_and_the_urgent_come_first(bell: HueyBell) -> None:
    for number, priority in ((1, 0), (2, 5), (3, 0)):
        bell.ring(number, priority)
    assert bell.waiting() == 3
    heard = Heard(bell, jobs=1)
    assert [heard.next() for _ in range(3)] == [2, 1, 3]


def test_p2_an_offer_reaches_a_free_hand_though_the_file_is_locked(bell: HueyBell, tmp_path: Path) -> None:
    assert not bell.offer(6)
    heard = Heard(bell)
    bell.ring(7)
    assert heard.next() == 7
    with sqlite3.connect(tmp_path / "data" / "huey.db", isolation_level=None) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        until = time.monotonic() + DEADLINE
        while not bell.offer(8):  # the hand that took the 7 is on its way back
            assert time.monotonic() < until
        assert heard.next() == 8
        connection.execute("ROLLBACK")
    connection.close()
    bell.ring(9)
    assert heard.next() == 9


def test_p7_what_comes_while_every_hand_is_at_work_waits_and_the_urgent_go_first(bell: HueyBell) -> None:
    let_go = threading.Event()
    begun: queue.Queue[int] = queue.Queue()

    def work(number: int) -> None:
        begun.put(number)
        let_go.wait(DEADLINE)

    bell.consume(work, 1)
    bell.ring(1)
    assert begun.get(timeout=DEADLINE) == 1
    for number, priority in ((2, 0), (3, -5), (4, 5), (5, 0)):
        assert not bell.offer(number, priority)
        bell.ring(number, priority)
    assert bell.waiting() == 4
    let_go.set()
    assert [begun.get(timeout=DEADLINE) for _ in range(4)] == [4, 2, 5, 3]


def test_p7_what_was_rung_to_a_hand_that_is_not_free_any_more_is_put_back(tmp_path: Path) -> None:
    storage = WokenStorage("promises", tmp_path / "huey.db", tmp_path / "bells")
    storage.listen()
    for number, priority in ((1, 0), (2, 0), (3, 5)):
        assert storage.offer(b"%d" % number, priority)
    doorbell.ring_all(tmp_path / "bells")
    storage.enqueue(b"4", 1)
    assert [storage.dequeue() for _ in range(2)] == [b"4", b"3"]
    assert storage.length() == 2
    assert storage.offer(b"5", 9) is False
    storage.deafen()
    assert storage.dequeue() is None
    assert storage.length() == 2
    assert not list((tmp_path / "bells").iterdir())


def test_p3_more_offers_than_a_bell_holds_are_all_heard(bell: HueyBell) -> None:
    heard = Heard(bell, jobs=3)
    for number in range(200):
        if not bell.offer(number):
            bell.ring(number)
    assert sorted(heard.next() for _ in range(200)) == list(range(200))
    assert heard.numbers.empty()


def test_p2_the_queue_carries_only_the_number(bell: HueyBell, tmp_path: Path) -> None:
    bell.ring(12345)
    with sqlite3.connect(tmp_path / "data" / "huey.db") as connection:
        [(data,)] = connection.execute("SELECT data FROM task").fetchall()
    connection.close()
    assert bytes(data) == b"12345"


def test_a_task_that_fails_leaves_the_consumer_listening(tmp_path: Path) -> None:
    bell = HueyBell(tmp_path / "huey.db", tmp_path / "bells")
    heard: queue.Queue[int] = queue.Queue()

    def keep(number: int) -> None:
        heard.put(number)
        raise ZeroDivisionError

    bell.consume(keep, 1)
    bell.ring(1)
    bell.ring(2)
    assert [heard.get(timeout=DEADLINE) for _ in range(2)] == [1, 2]
    bell.revive()
    bell.close()


def test_a_closed_bell_lets_its_threads_go_at_once(tmp_path: Path) -> None:
    bell = HueyBell(tmp_path / "huey.db", tmp_path / "bells")
    bell.revive()
    before = set(threading.enumerate())
    bell.consume(lambda _: None, 4)
    threads = set(threading.enumerate()) - before
    bell.close()
    for thread in threads:
        thread.join(DEADLINE / 4)
    assert not any(thread.is_alive() for thread in threads)
    bell.close()


def test_p3_a_ring_that_cannot_be_written_is_lost_and_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bells, "LOCKED_SECONDS", 0.01)
    bell = HueyBell(tmp_path / "huey.db", tmp_path / "bells")
    with locked(tmp_path / "huey.db"):
        bell.ring(7)
        assert bell.waiting() is None
    assert "ring lost" in capsys.readouterr().out
    assert bell.waiting() == 0


@pytest.mark.parametrize("harm", ["garbled", "torn", "a stranger's"])
def test_p2_a_broken_queue_is_set_aside_and_all_go_on_with_a_new_one(
    bell: HueyBell, tmp_path: Path, capsys: pytest.CaptureFixture[str], harm: str
) -> None:
    path = tmp_path / "data" / "huey.db"
    other = HueyBell(path, tmp_path / "data" / "bells")
    bell.ring(1)
    assert other.waiting() == 1
    broken = spoil(path, harm)
    late = HueyBell(path, tmp_path / "data" / "bells")
    assert late.waiting() == 0
    assert path.with_name("huey.db.broken").read_bytes()[:100] == broken[:100]
    assert "is set aside" in capsys.readouterr().out
    bell.ring(7)
    other.ring(8)
    assert [opened.waiting() for opened in (bell, other, late)] == [2, 2, 2]
    heard = Heard(other, jobs=1)
    assert [heard.next(), heard.next()] == [7, 8]
    other.close()


def spoil(path: Path, harm: str) -> bytes:
    """What the file is then."""
    connection = sqlite3.connect(path)
    if harm == "a stranger's":
        connection.execute("ALTER TABLE task RENAME COLUMN queue TO line")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    if harm != "a stranger's":
        whole = path.read_bytes()
        good = whole[:4096] if harm == "torn" else b""
        path.write_bytes(good + b"x" * (len(whole) - len(good)))
    return path.read_bytes()


def test_p2_a_new_queue_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening locks it for a moment, and whoever is halted in that keeps it locked for all."""
    opened: list[WokenStorage] = []
    create = WokenStorage._create_connection

    def note(storage: WokenStorage) -> sqlite3.Connection:
        opened.append(storage)
        return create(storage)

    monkeypatch.setattr(WokenStorage, "_create_connection", note)
    bell = HueyBell(tmp_path / "huey.db", tmp_path / "bells")
    assert opened == []
    for number in (1, 2):
        bell.ring(number)
    assert (bell.waiting(), len(opened)) == (2, 1)


def test_p3_a_consumer_hears_offers_and_rings_though_its_queue_broke_under_it(bell: HueyBell, tmp_path: Path) -> None:
    heard = Heard(bell)
    bell.ring(1)
    assert heard.next() == 1
    spoil(tmp_path / "data" / "huey.db", "garbled")
    HueyBell(tmp_path / "data" / "huey.db", tmp_path / "data" / "bells").ring(2)
    assert heard.next() == 2


def test_p2_a_queue_that_can_be_neither_read_nor_moved_costs_rings_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "huey.db").write_bytes(b"no database at all " * 400)
    monkeypatch.setattr(Path, "rename", refuse)
    bell = HueyBell(tmp_path / "huey.db", tmp_path / "bells")
    bell.ring(1)
    assert bell.waiting() is None
    assert "cannot be moved: remove it" in capsys.readouterr().out


def test_p2_a_ring_reaches_every_consumer_and_each_number_goes_to_one(bell: HueyBell, tmp_path: Path) -> None:
    """Both threads of the first are at work: the other one hears."""
    let_go = threading.Event()
    begun: queue.Queue[int] = queue.Queue()

    def hang(number: int) -> None:
        begun.put(number)
        let_go.wait(DEADLINE)

    bell.consume(hang, 2)
    for number in (1, 2):
        bell.ring(number)
        assert begun.get(timeout=DEADLINE) == number
    other = HueyBell(tmp_path / "data" / "huey.db", tmp_path / "data" / "bells")
    heard = Heard(other)
    bell.ring(3)
    assert heard.next() == 3
    let_go.set()
    other.close()


def test_p3_a_worker_hears_offers_however_long_a_halted_process_holds_the_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bells, "LOCKED_SECONDS", 0.01)
    with locked(tmp_path / "huey.db"):
        bell = HueyBell(tmp_path / "huey.db", tmp_path / "bells")
        heard = Heard(bell)
        until = time.monotonic() + DEADLINE
        while not bell.offer(8):  # the hands are on their way to listen
            assert time.monotonic() < until
        assert heard.next() == 8
    bell.ring(9)
    assert heard.next() == 9
    bell.close()
