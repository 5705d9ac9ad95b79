"""What a fenced program sees of the file system, as a list of bubblewrap's mounts.

Nothing is there unless it is named here. A path deeper in the tree comes later, and a later mount wins.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from runtime.policy import SYSTEM_FOLDERS, FencePolicy, belongs_to

SCRATCH = Path("/", "tmp")
SHARED_MEMORY = Path("/dev", "shm")
HOME = SCRATCH / "home"
SCRATCH_BYTES = 512 * 1024**2
SHARED_MEMORY_BYTES = 64 * 1024**2
LINKS = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")
ETC = (
    "alternatives",
    "debian_version",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "magic",
    "mime.types",
)
ETC_NETWORK = (
    *("ca-certificates", "gai.conf", "hosts", "nsswitch.conf", "pki/ca-trust", "pki/tls/certs", "protocols"),
    *("resolv.conf", "services", "ssl/certs", "ssl/openssl.cnf"),
)

Mounts = dict[Path, tuple[str, ...]]


def mount_arguments(policy: FencePolicy, files: Mapping[str, int]) -> list[str]:
    """bubblewrap's arguments for the whole view: mounts from the root to the leaves, then what is sealed.

    `files` maps made-up files to descriptors of their text.
    """
    mounts = system_mounts(bool(policy.network_ports)) | workspace_mounts(policy)
    mounts |= mask_mounts(policy, mounts)
    mounts |= {Path(place): ("--perms", "0444", "--ro-bind-data", str(fd), place) for place, fd in files.items()}
    sealed = (place for place in sorted(mounts, reverse=True) if _is_sealed(place, mounts[place]))
    arguments = ["--tmpfs", "/"]
    for place in sorted(mounts):
        arguments += mounts[place]
    for place in (*sealed, Path("/")):
        arguments += ("--remount-ro", str(place))
    return arguments


def system_mounts(network: bool, root: Path = Path("/")) -> Mounts:
    """Programs, libraries and a few files of /etc, read-only; an own process list, devices and temporary folder.

    `root` is where this machine's own layout (links or folders) is looked up.
    """
    mounts = {place: read_only(place) for place in _system_files(network) if place.exists()}
    for name in LINKS:
        place, seen = Path("/", name), root / name
        if seen.is_symlink():
            mounts[place] = ("--symlink", str(seen.readlink()), str(place))
        elif seen.is_dir():
            mounts[place] = read_only(place)
    return mounts | {
        Path("/proc"): ("--proc", "/proc"),
        Path("/dev"): ("--dev", "/dev"),
        SHARED_MEMORY: temporary(SHARED_MEMORY, SHARED_MEMORY_BYTES),
        SCRATCH: (*temporary(SCRATCH, SCRATCH_BYTES), "--dir", str(HOME)),
        Path("/var", "tmp"): ("--symlink", str(SCRATCH), "/var" + str(SCRATCH)),
    }


def workspace_mounts(policy: FencePolicy) -> Mounts:
    """The directory at its own path, read-only parts of it, and the product's checkout picked apart."""
    bind = read_only if policy.protects(policy.directory) else writable
    mounts = {policy.directory: bind(policy.directory)}
    for place in policy.read_only:
        if place.is_dir():
            mounts |= pick(place, policy)
        elif place.exists():
            mounts[place] = read_only(place)
    for place in (*policy.read_only, *policy.masked):
        mounts |= {pin: writable(pin) for pin in pins(place, policy) if pin not in mounts}
    return mounts


def pick(directory: Path, policy: FencePolicy) -> Mounts:
    """A read-only directory without what is masked in it; what appears there later is not seen either."""
    if not _holds_masks(directory, policy):
        return {directory: read_only(directory)}
    mounts: Mounts = {directory: ("--perms", "0755", "--tmpfs", str(directory))}
    for entry in _entries(directory):
        if policy.hides(entry):
            continue
        if entry.is_symlink():
            mounts[entry] = link(entry)
        else:
            mounts |= pick(entry, policy) if entry.is_dir() else {entry: read_only(entry)}
    return mounts


def pins(place: Path, policy: FencePolicy) -> Iterator[Path]:
    """The directories between the workspace and `place`. Each becomes a mount: what is one cannot be renamed, and a
    renamed parent would carry its secrets out from under their mask before the next run."""
    for parent in place.parents:
        if parent == policy.directory or not parent.is_relative_to(policy.directory):
            return
        if policy.protects(parent) or not parent.is_dir() or parent.resolve() != parent:
            continue
        yield parent


def mask_mounts(policy: FencePolicy, mounts: Mounts) -> Mounts:
    """Emptiness over every masked path that one of `mounts` would show."""
    return {place: cover(place) for mask in policy.masked for place in _shown(mask, policy, mounts)}


def _shown(mask: Path, policy: FencePolicy, mounts: Mounts) -> Iterator[Path]:
    source = next((parent for parent in (mask, *mask.parents) if parent in mounts), None)
    if source is None or mounts[source][0] not in {"--bind", "--ro-bind"}:
        return
    for place in _entries(mask.parent):
        if belongs_to(place, mask) and not place.is_symlink() and not policy.directory.is_relative_to(place):
            yield place


def cover(place: Path) -> tuple[str, ...]:
    if place.is_dir():
        return ("--perms", "0000", "--tmpfs", str(place))
    return ("--ro-bind", os.devnull, str(place))


def read_only(place: Path) -> tuple[str, ...]:
    return ("--ro-bind", str(place), str(place))


def writable(place: Path) -> tuple[str, ...]:
    return ("--bind", str(place), str(place))


def link(place: Path) -> tuple[str, ...]:
    return ("--symlink", str(place.readlink()), str(place))


def temporary(place: Path, size: int) -> tuple[str, ...]:
    return ("--perms", "0700", "--size", str(size), "--tmpfs", str(place))


def _system_files(network: bool) -> Iterator[Path]:
    yield from (Path("/usr", name) for name in SYSTEM_FOLDERS)
    yield from (Path("/etc", name) for name in (*ETC, *(ETC_NETWORK if network else ())))


def _is_sealed(place: Path, mount: tuple[str, ...]) -> bool:
    # /proc too: its /proc/sys is the host's, and root's files there stay writable for root without any capability.
    return place in {Path("/dev"), Path("/proc")} or ("--tmpfs" in mount and "--size" not in mount)


def _holds_masks(directory: Path, policy: FencePolicy) -> bool:
    return any(mask.parent.is_relative_to(directory) for mask in policy.masked)


def _entries(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.is_dir() else []
