"""Opening what lies beneath one directory, so that a link swapped between check and use gains nothing.

The kernel does the check while it opens (openat2 with RESOLVE_BENEATH): there is no moment between. Where it has no
openat2 (macOS, older kernels, some containers) every component is opened by itself and no link is followed at all.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import functools
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

SYS_OPENAT2 = 437
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_BENEATH = 0x08
UNSUPPORTED = frozenset({errno.ENOSYS, errno.EPERM, errno.EINVAL})
ATTEMPTS = 64

Opener = Callable[[int, str, int, int], int]


class OpenHow(ctypes.Structure):
    """`struct open_how` of linux/openat2.h."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


class Beneath:
    """A directory that was opened once; what it opens lies beneath it. Calls raise OSError, EXDEV for a way out."""

    def __init__(self, directory: Path, opener: Opener | None = None) -> None:
        self.directory = directory
        self.fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._open = opener or (open_by_kernel if kernel_opens_beneath() else open_by_steps)

    def open(self, path: str, flags: int, mode: int = 0) -> int:
        """A descriptor of `path` (relative, or absolute within the directory); the caller closes it."""
        return self._open(self.fd, self.relative(path), flags | os.O_CLOEXEC | os.O_NOCTTY, mode)

    def relative(self, path: str) -> str:
        """`path` as seen from the directory: absolute paths that begin with it are accepted, others stay absolute."""
        if "\0" in path:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path.replace("\0", "?"))
        if Path(path).is_absolute() and Path(path).is_relative_to(self.directory):
            return str(Path(path).relative_to(self.directory))
        return path or "."

    def close(self) -> None:
        os.close(self.fd)

    def __enter__(self) -> Beneath:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_by_kernel(directory: int, path: str, flags: int, mode: int) -> int:
    """openat2; a rename under way makes it ask again (EAGAIN), which is bounded."""
    opened, error = _openat2(directory, path, flags, mode)
    for _ in range(ATTEMPTS):
        if error != errno.EAGAIN:
            break
        opened, error = _openat2(directory, path, flags, mode)
    if opened < 0:
        raise OSError(error, os.strerror(error), path)
    return opened


def open_by_steps(directory: int, path: str, flags: int, mode: int) -> int:
    """Component by component, following no link: links are refused even when they lead inside."""
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
    *parents, name = Path(path).parts or (".",)
    here = os.dup(directory)
    try:
        for parent in parents:
            here, done = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here), here
            os.close(done)
        return os.open(name, flags | os.O_NOFOLLOW, mode, dir_fd=here)
    finally:
        os.close(here)


def make_directories(beneath: Beneath, path: str) -> None:
    """Every missing directory of `path`, each made in a parent that was opened beneath."""
    made = ""
    for part in Path(beneath.relative(path)).parts:
        parent = beneath.open(made or ".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.mkdir(part, 0o777, dir_fd=parent)
        except FileExistsError:
            pass
        finally:
            os.close(parent)
        made = f"{made}/{part}" if made else part


def real_path(fd: int) -> Path:
    """Where an open descriptor really lies, whatever links led to it."""
    link = Path(f"/proc/self/fd/{fd}")
    return link.readlink() if link.is_symlink() else real_path_by_fcntl(fd)


def real_path_by_fcntl(fd: int) -> Path:
    """`real_path` where there is no /proc (macOS)."""
    get_path = getattr(fcntl, "F_GETPATH", 50)
    return Path(os.fsdecode(fcntl.fcntl(fd, get_path, bytes(1024)).rstrip(b"\0")))


def is_regular(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode)


@functools.cache
def kernel_opens_beneath() -> bool:
    if sys.platform != "linux":
        return False
    here = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        opened, error = _openat2(here, ".", os.O_RDONLY | os.O_CLOEXEC, 0)
        if opened >= 0:
            os.close(opened)
        return error not in UNSUPPORTED
    finally:
        os.close(here)


def _openat2(directory: int, path: str, flags: int, mode: int) -> tuple[int, int]:
    how = OpenHow(flags, mode if flags & os.O_CREAT else 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)
    opened = _libc().syscall(SYS_OPENAT2, directory, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how))
    return opened, 0 if opened >= 0 else ctypes.get_errno()


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
