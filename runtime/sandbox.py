"""The operating system's fence around everything that runs on a workspace.

Linux: bubblewrap with a view built from nothing (`runtime.view`), own namespaces for processes, network, users, host
name and IPC, no capabilities, a cleared environment, no further namespaces, a session of its own. The commands it
starts are `nobody in particular` (uid 1000) whoever started the product.

A network is the host's, held to a few TCP ports by Landlock (`runtime.landlock`), so that the product's own port stays
out of reach. Host names as a rule would need a proxy in between, which is not built: they count as no network.

Memory, files and processes are limited inside by `prlimit`; since Linux does not hold root to a number of processes,
and the limit of memory is per process, `runtime.process` counts all processes of a command as well.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.owner import Owner
from runtime import landlock
from runtime.policy import FencePolicy, Limits, Product, policy_for
from runtime.seccomp import write_filter
from runtime.view import HOME, SCRATCH, mount_arguments

__all__ = [
    "Bubblewrap",
    "FencePolicy",
    "Limits",
    "OpenSandbox",
    "Passage",
    "Product",
    "Sandbox",
    "examine",
    "find_sandbox",
    "policy_for",
]

MARKER = "VALOR_RUN"
STARTER = "VALOR_OWNER"  # which process built the fence; what runs inside is not given it
INSIDE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
UID = "1000"
PASSWD = (
    f"root:x:0:0:::/usr/sbin/nologin\nvalor:x:{UID}:{UID}::{HOME}:/bin/sh\nnobody:x:65534:65534:::/usr/sbin/nologin\n"
)
GROUP = f"root:x:0:\nvalor:x:{UID}:\nnogroup:x:65534:\n"
FILTER = "system calls"
MADE_UP = {"/etc/passwd": PASSWD.encode(), "/etc/group": GROUP.encode()}
ISOLATION = (
    *("--unshare-user", "--unshare-all", "--disable-userns", "--uid", UID, "--gid", UID, "--hostname", "fence"),
    *("--cap-drop", "ALL", "--clearenv", "--new-session", "--die-with-parent"),
)
INSTALL = "install it with `apt install bubblewrap util-linux`"


@dataclass(frozen=True, slots=True)
class Start:
    """How a fenced program is started: what a `Popen` wants. `environment` None means the parent's own."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] | None
    pass_fds: tuple[int, ...] = ()
    directory: Path | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """What goes with a program: the marker of its attempt, by which strays are found, and the descriptor of the lock of
    the directory, which the fence (and nothing inside it) keeps open until its last process has ended."""

    marker: str
    lock_fd: int | None = None


class Sandbox(Protocol):
    """Turns a policy and a program into what is really started. The context is left once the program has started."""

    def start(self, policy: FencePolicy, argv: Sequence[str], passage: Passage) -> AbstractContextManager[Start]: ...


@dataclass(frozen=True, slots=True)
class Bubblewrap:
    """bubblewrap ≥ 0.8; `landlock` starts the program when the policy allows a network."""

    bwrap: str = "/usr/bin/bwrap"
    prlimit: str = "/usr/bin/prlimit"
    landlock: tuple[str, ...] = (sys.executable, "-I", "-S", str(landlock.__file__))

    @contextmanager
    def start(self, policy: FencePolicy, argv: Sequence[str], passage: Passage) -> Generator[Start]:
        """See Sandbox. The users' list is made up, so that the host's own is not told."""
        with ExitStack() as stack:
            texts = MADE_UP | ({FILTER: system_calls} if (system_calls := write_filter()) else {})
            files = {place: stack.enter_context(_in_memory(text)) for place, text in texts.items()}
            lock = () if passage.lock_fd is None else (passage.lock_fd,)
            command = self.command(policy, argv, passage, files)
            outside = {"PATH": INSIDE_PATH, MARKER: passage.marker, STARTER: str(Owner.this_process())}
            yield Start(command, outside, (*files.values(), *lock), Path("/"))

    def command(
        self, policy: FencePolicy, argv: Sequence[str], passage: Passage, files: Mapping[str, int]
    ) -> tuple[str, ...]:
        """The whole command line; `files` maps made-up files of the view to descriptors of their text."""
        return (
            *self._ports(policy),
            self.bwrap,
            *mount_arguments(policy, {place: fd for place, fd in files.items() if place != FILTER}),
            *(("--seccomp", str(files[FILTER])) if FILTER in files else ()),
            *(ISOLATION if not policy.network_ports else (*ISOLATION, "--share-net")),
            *(() if passage.lock_fd is None else ("--sync-fd", str(passage.lock_fd))),
            *_environment(policy, passage.marker),
            *("--chdir", str(policy.directory), "--"),
            *self._limits(policy.limits),
            *argv,
        )

    def _ports(self, policy: FencePolicy) -> tuple[str, ...]:
        if not policy.network_ports:
            return ()
        ports = ",".join(str(port) for port in policy.network_ports)
        return (*self.landlock, ports, "--")

    def _limits(self, limits: Limits) -> tuple[str, ...]:
        return (
            self.prlimit,
            f"--data={limits.memory_bytes}",
            f"--fsize={limits.file_bytes}",
            f"--nproc={limits.processes}",
            *("--core=0", "--nofile=4096", "--"),
        )


class OpenSandbox:
    """No fence at all: the public test double that shows what the fence is there for. Never used by the product."""

    @contextmanager
    def start(self, policy: FencePolicy, argv: Sequence[str], passage: Passage) -> Generator[Start]:
        lock = () if passage.lock_fd is None else (passage.lock_fd,)
        yield Start(("/usr/bin/env", f"{MARKER}={passage.marker}", *argv), None, lock, policy.directory)


@dataclass(frozen=True, slots=True)
class Examination:
    """The fence of this machine, or None, and one sentence that says so: why not, and what mends it."""

    sandbox: Sandbox | None
    sentence: str


def find_sandbox() -> Sandbox | None:
    """The fence of this machine; `examine` says why there is none."""
    return examine().sandbox


def examine(search_path: str = INSIDE_PATH, platform: str = sys.platform) -> Examination:
    """Try the fence once with a harmless program (blocks for about 10 ms)."""
    if platform != "linux":
        return Examination(None, "Commands are off: only Linux has a fence here (bubblewrap).")
    bwrap, prlimit = shutil.which("bwrap", path=search_path), shutil.which("prlimit", path=search_path)
    if bwrap is None or prlimit is None:
        return Examination(None, f"Commands are off: {'prlimit' if bwrap else 'bubblewrap'} is missing; {INSTALL}.")
    complaint = _try(bwrap)
    if complaint:
        return Examination(
            None, f"Commands are off: bubblewrap cannot build a fence ({complaint}); {_mend(complaint)}."
        )
    network = "with" if landlock.abi() >= landlock.NEEDED_ABI else "no network for tools: that needs Linux 6.12 with"
    return Examination(Bubblewrap(bwrap, prlimit), f"Commands run in a bubblewrap fence ({network} Landlock).")


def _try(bwrap: str) -> str:
    argv = (bwrap, *ISOLATION, "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--", "/bin/true")
    tried = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False, env={})
    return "" if tried.returncode == 0 else (tried.stderr.strip() or "no reason given").splitlines()[-1]


def _mend(complaint: str) -> str:
    if "Unknown option" in complaint:
        return "bubblewrap 0.8 or newer is needed"
    return (
        "allow user namespaces (`sysctl kernel.unprivileged_userns_clone=1`, on Ubuntu also "
        "`kernel.apparmor_restrict_unprivileged_userns=0`; in a container a seccomp profile that lets them through)"
    )


def _environment(policy: FencePolicy, marker: str) -> list[str]:
    known = {
        "PATH": INSIDE_PATH,
        "HOME": str(HOME),
        "USER": "valor",
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "TMPDIR": str(SCRATCH),
        "PWD": str(policy.directory),
        MARKER: marker,
    }
    return [argument for name, value in known.items() for argument in ("--setenv", name, value)]


@contextmanager
def _in_memory(content: bytes) -> Generator[int]:
    fd = os.memfd_create("view", os.MFD_CLOEXEC)
    try:
        os.write(fd, content)
        os.lseek(fd, 0, os.SEEK_SET)
        yield fd
    finally:
        os.close(fd)
