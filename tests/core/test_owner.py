"""Who holds a lease: told apart from a later process of the same number, whatever the clock does."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import psutil
import pytest

from core.owner import Owner


def test_this_process_is_seen_alive_also_when_read_back() -> None:
    read = Owner.parse(str(Owner.this_process()))
    assert read.is_seen_alive()
    assert not read.is_seen_dead()


def test_a_later_process_of_the_same_number_is_another() -> None:
    earlier = replace(Owner.this_process(), started=1.0)
    assert earlier.is_seen_dead()
    assert not earlier.is_seen_alive()


def test_a_zombie_and_a_number_of_nobody_are_dead() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        owner = Owner.of(child.pid)
        child.kill()
        while not owner.is_seen_dead():  # killed, not waited for: a zombie
            pass
        child.wait()
    assert owner.is_seen_dead()
    with pytest.raises(psutil.NoSuchProcess):
        Owner.of(2**22 + 1)


@pytest.mark.parametrize("elsewhere", [{"boot": "another"}, {"namespace": "another"}])
def test_a_process_elsewhere_is_neither_seen_alive_nor_dead(elsewhere: dict[str, str]) -> None:
    owner = replace(Owner.this_process(), started=1.0, **elsewhere)
    assert not owner.is_seen_dead()
    assert not owner.is_seen_alive()
