from __future__ import annotations

import struct
from pathlib import Path

import pytest

from runtime.policy import FencePolicy
from runtime.process import Job, run
from runtime.sandbox import Passage, find_sandbox
from runtime.seccomp import ALLOW, REFUSE, REFUSED, write_filter


def _decide(program: bytes, arch: int, number: int) -> int:
    """Run the filter as the kernel would."""
    steps = list(struct.iter_unpack("=HBBI", program))
    place, value = 0, 0
    while True:
        code, yes, no, operand = steps[place]
        place += 1
        if code == 0x20:
            value = {0: number, 4: arch}[operand]
        elif code == 0x06:
            return operand
        else:
            holds = value == operand if code == 0x15 else value >= operand
            place += yes if holds else no


@pytest.mark.parametrize(("machine", "arch"), [("x86_64", 0xC000003E), ("aarch64", 0xC00000B7)])
def test_w4_the_filter_refuses_what_is_listed_and_nothing_else(machine: str, arch: int) -> None:
    program = write_filter(machine)
    decided = {number: _decide(program, arch, number) for number in range(450)}
    assert {number for number, decision in decided.items() if decision == REFUSE} == set(REFUSED[machine])
    assert set(decided.values()) == {ALLOW, REFUSE}
    assert _decide(program, arch, 0x40000001) == REFUSE
    assert _decide(program, 0x40000003, 1) == REFUSE


def test_w4_a_machine_without_a_list_gets_no_filter() -> None:
    assert write_filter("mips") == b""


async def test_w4_the_lock_cannot_be_taken_from_the_first_process(tmp_path: Path) -> None:
    sandbox = find_sandbox()
    assert sandbox is not None
    trace = "python3 -c 'import ctypes; print(ctypes.CDLL(None).ptrace(16, 1, None, None))'"
    finished = await run(sandbox, FencePolicy(tmp_path), Job(trace, Passage("seccomp-test")))
    assert finished.output == "-1\n"
