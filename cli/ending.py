"""Ending processes: asked first, then by force, with what they started, and nobody else."""

from __future__ import annotations

import signal
import time
from collections.abc import Collection

import psutil

from cli.records import Part, Records, send
from core.errors import Busy
from core.owner import Owner

GRACE_SECONDS = 12.0  # the supervisor gives its children ten
FORCE_SECONDS = 5.0
PAUSE_SECONDS = 0.02


def end_all(records: Records, grace: float = GRACE_SECONDS) -> dict[Part, Owner]:
    """End what runs of the installation and its tools, by force after `grace` seconds; what was ended.

    Raises Busy when something will not die.
    """
    running = records.running()
    tools = [tool for owner in running.values() for tool in descendants(owner)]
    ask(running)
    if not wait_for_end([*running.values()], grace):
        running |= records.running()  # a supervisor may have started one in the meantime
    for owner in [*running.values(), *tools]:
        send(owner, signal.SIGKILL)
    if not wait_for_end([*running.values(), *tools], FORCE_SECONDS):
        alive = ", ".join(str(owner.pid) for owner in running.values() if owner.is_seen_alive())
        raise Busy(f"Process {alive} does not end, not even by force: it hangs in the kernel.")
    for part in Part:
        records.forget(part)
    return running


def ask(running: dict[Part, Owner]) -> None:
    """Ask the supervisor, which asks its children; without one, each of them."""
    supervisor = running.get(Part.SUPERVISOR)
    for owner in [supervisor] if supervisor else running.values():
        send(owner, signal.SIGTERM)


def descendants(owner: Owner) -> list[Owner]:
    """Every process below this one, as it is now."""
    try:
        children = psutil.Process(owner.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [Owner.of(child.pid) for child in children if child.is_running()]


def wait_for_end(owners: Collection[Owner], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while any(owner.is_seen_alive() for owner in owners):
        if time.monotonic() >= until:
            return False
        time.sleep(PAUSE_SECONDS)
    return True
