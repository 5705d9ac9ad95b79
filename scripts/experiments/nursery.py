"""The warm parent: all of the product imported, nothing of it opened. Each life of a process is a fork of this one.

It hears orders on its standard input, a line of JSON each, and tells on its standard output who was born and who has
ended: `{"born": pid, "number": n}`, `{"ended": pid, "status": s, "cpu": seconds}` (a negative status: which signal).
"""

from __future__ import annotations

import gc
import json
import mmap
import os
import select
import signal
import struct
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from core.clock import SystemClock
from core.settings import load_settings
from promises import keeper, retry_store, settle_store
from scripts.experiments import plants
from scripts.experiments.warmth import preload

BUSY_SECONDS = 0.3  # instead of 5: how long a promise waits that found its directory taken
DEATHS = 1_000_000  # instead of 3: how many deaths over one message or promise make the product give up on it
FAILED_TO_LIVE = 71
PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Order:
    """One life to begin. `die_at` is a fail point's name and, after a `#`, at which arrival; '' for none."""

    number: int
    part: str
    die_at: str
    plant: str
    log: str
    arrivals: str

    def to_json(self) -> str:
        return json.dumps(asdict(self))


class Skew:
    """By how many seconds the clocks of all lives are wrong: eight bytes that they share."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 8)

    def set(self, seconds: float) -> None:
        self._shared[:8] = struct.pack("d", seconds)

    def get(self) -> float:
        return struct.unpack("d", self._shared[:8])[0]

    def bend(self) -> None:
        """Let the product's clock in this process tell the wrong time."""
        right: Callable[[SystemClock], datetime] = SystemClock.now

        def now(clock: SystemClock) -> datetime:
            return right(clock) + timedelta(seconds=self.get())

        plants.patch(SystemClock, "now", now)


def be_born(order: Order, skew: Skew) -> int:
    """Live as a process of the product, in the child of a fork; its exit code."""
    import main as composition
    from scripts import huey_consumer

    skew.bend()
    loosen()
    plants.plant(order.plant)
    points = {"fail_points": order.die_at or None, "fail_points_log": Path(order.arrivals)}
    settings = load_settings(PROJECT).model_copy(update=points)
    (composition.run_server if order.part == "server" else huey_consumer.serve)(settings)
    return 0


def loosen() -> None:
    """What is no setting and would keep an experiment from dying often."""
    from conversations import turns

    turns.DEATHS = settle_store.DEATHS = retry_store.DEATHS = DEATHS
    keeper.BUSY_SECONDS = BUSY_SECONDS


class Nursery:
    """Forks and reaps on one thread."""

    def __init__(self) -> None:
        self._skew = Skew()
        self._orders = b""
        self._woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, plants.do_nothing)
        signal.set_wakeup_fd(wake)

    def run(self) -> None:
        """Until the standard input ends."""
        tell({"ready": threading.active_count()})
        while True:
            ready, _, _ = select.select([0, self._woken], [], [])
            if self._woken in ready:
                os.read(self._woken, 4096)
                self._reap()
            if 0 in ready and not self._hear():
                return

    def _hear(self) -> bool:
        heard = os.read(0, 65_536)
        *lines, self._orders = (self._orders + heard).split(b"\n")
        for line in lines:
            wanted = json.loads(line)
            if "skew" in wanted:
                self._skew.set(wanted["skew"])
            else:
                self._fork(Order(**wanted))
        return bool(heard)

    def _fork(self, order: Order) -> None:
        child = os.fork()
        if child == 0:
            self._become(order)
        tell({"born": child, "number": order.number})

    def _become(self, order: Order) -> None:
        status = FAILED_TO_LIVE
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.close(self._woken)
            log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            nothing = os.open(os.devnull, os.O_RDONLY)
            for target, source in enumerate((nothing, log, log)):
                os.dup2(source, target)
            status = be_born(order, self._skew)
        finally:  # whatever it was, the parent's code is not this process's to run on
            if status == FAILED_TO_LIVE:
                traceback.print_exc()
            os._exit(status)

    def _reap(self) -> None:
        while True:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            cpu = used.ru_utime + used.ru_stime
            tell({"ended": pid, "status": os.waitstatus_to_exitcode(status), "cpu": cpu})


def tell(fact: dict[str, object]) -> None:
    os.write(1, json.dumps(fact).encode() + b"\n")


def main() -> None:
    preload()
    gc.collect()
    gc.freeze()
    Nursery().run()


if __name__ == "__main__":
    sys.exit(main())
