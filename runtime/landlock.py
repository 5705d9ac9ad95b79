"""Start a program that may connect to a few TCP ports only: `python landlock.py 80,443 -- PROGRAM ARGUMENT…`.

Run as a file of its own with the bare interpreter (`-I -S`), before bubblewrap, whose children inherit the rule.
A tool with a network shares the host's, so that the product's own port is one `connect` away; Landlock (Linux 6.12,
ABI 6) is what needs neither root nor a helper: connecting is allowed to the named ports alone, listening to none but
those the kernel chooses, and abstract sockets and signals of processes outside are out of reach. It rules no file, so
bubblewrap can still mount. Without it there is no network: one sentence and exit code 1.
"""

from __future__ import annotations

import ctypes
import os
import sys

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
BIND_TCP, CONNECT_TCP = 1, 2
RULE_NET_PORT = 2
SCOPE_ABSTRACT_SOCKETS, SCOPE_SIGNALS = 1, 2
NEEDED_ABI = 6
PR_SET_NO_NEW_PRIVS = 38


class Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class PortRule(ctypes.Structure):
    _fields_ = (("allowed", ctypes.c_uint64), ("port", ctypes.c_uint64))


def abi() -> int:
    """The kernel's Landlock version; -1 or 0 without."""
    return int(ctypes.CDLL(None, use_errno=True).syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1)))


def restrict(ports: list[int]) -> None:
    """Hold the calling thread, and all it starts, to connecting to `ports`; raises OSError when it cannot be held."""
    libc = ctypes.CDLL(None, use_errno=True)
    rules = Ruleset(0, BIND_TCP | CONNECT_TCP, SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS)
    ruleset = _checked(libc.syscall(CREATE_RULESET, ctypes.byref(rules), ctypes.sizeof(rules), 0))
    for rule in (PortRule(BIND_TCP, 0), *(PortRule(CONNECT_TCP, port) for port in ports)):
        _checked(libc.syscall(ADD_RULE, ruleset, RULE_NET_PORT, ctypes.byref(rule), 0))
    _checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked(libc.syscall(RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def main(arguments: list[str], needed: int = NEEDED_ABI) -> None:
    """Replace this process by the program behind `--`."""
    ports, _, *program = arguments
    if abi() < needed:
        sys.exit("A network for tools needs Linux 6.12 with Landlock.")
    restrict([int(port) for port in ports.split(",") if port])
    os.execvp(program[0], program)


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


if __name__ == "__main__":
    main(sys.argv[1:])
