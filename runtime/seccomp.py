"""Kernel calls that need no capability and that no tool of ours needs, refused by a filter bubblewrap installs.

Key rings belong to the real user, whatever the namespace; `ptrace` and its kin would let a tool take the directory
lock out of its fence's first process; the others are a wide door to the kernel.
"""

from __future__ import annotations

import errno
import platform
import struct

REFUSED = {
    "x86_64": (101, 248, 249, 250, 298, 310, 311, 321, 323, 425, 426, 427, 438),
    "aarch64": (117, 217, 218, 219, 241, 270, 271, 280, 282, 425, 426, 427, 438),
}
"""ptrace, add_key, request_key, keyctl, perf_event_open, process_vm_readv, process_vm_writev, bpf, userfaultfd,
io_uring_setup, io_uring_enter, io_uring_register, pidfd_getfd."""
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32_BIT = 0x40000000
LOAD, JUMP_EQUAL, JUMP_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
NUMBER_OFFSET, ARCH_OFFSET = 0, 4


def write_filter(machine: str = platform.machine()) -> bytes:
    """The filter's program (`struct sock_filter`s); empty for a machine whose call numbers are not listed here."""
    if machine not in REFUSED:
        return b""
    refused = REFUSED[machine]
    steps = [
        (LOAD, 0, 0, ARCH_OFFSET),
        (JUMP_EQUAL, 0, len(refused) + 3, AUDIT_ARCH[machine]),
        (LOAD, 0, 0, NUMBER_OFFSET),
        (JUMP_AT_LEAST, len(refused) + 1, 0, X32_BIT),
        *((JUMP_EQUAL, len(refused) - place, 0, number) for place, number in enumerate(refused)),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, REFUSE),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
