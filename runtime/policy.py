"""What a fence lets through: values and pure rules. `runtime.sandbox` has the operating system hold them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from core.errors import ConfigurationError

OUTSIDE_PORTS = (22, 53, 80, 443)
SYSTEM_FOLDERS = ("bin", "games", "include", "lib", "lib32", "lib64", "libexec", "libx32", "local", "sbin", "share")
SYSTEM = (
    *(
        Path(place)
        for place in ("/bin", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/sbin", "/sys")
    ),
    *(Path("/usr") / name for name in SYSTEM_FOLDERS),
    Path("/", "tmp"),
)
KERNEL = (Path("/dev"), Path("/proc"), Path("/sys"))


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one command: seconds, bytes of memory of all its processes together, processes, bytes of output that are
    kept, and bytes of one file it may write."""

    seconds: float = 120.0
    memory_bytes: int = 2 * 1024**3
    processes: int = 128
    output_bytes: int = 48_000
    file_bytes: int = 1024**3


@dataclass(frozen=True, slots=True)
class Product:
    """Where the product itself lies: its checkout, its data files and folders (secrets too), its own ports."""

    root: Path
    data: tuple[Path, ...] = ()
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FencePolicy:
    """What the tools of one run may see and do. All paths are real ones (no links on the way).

    `network` is False, True (the ports of `network_ports` and no others) or host names, which no fence here can hold
    apart and which therefore count as False. `masked` paths do not exist for tools; `read_only` ones cannot change.
    """

    directory: Path
    network: bool | tuple[str, ...] = False
    masked: tuple[Path, ...] = ()
    read_only: tuple[Path, ...] = ()
    limits: Limits = field(default_factory=Limits)
    own_ports: tuple[int, ...] = ()

    @property
    def network_ports(self) -> tuple[int, ...]:
        """The ports outside that may be connected to: none without a network, never the product's own."""
        return tuple(port for port in OUTSIDE_PORTS if port not in self.own_ports) if self.network is True else ()

    def hides(self, path: Path) -> bool:
        """Whether `path`, beneath the directory, is or lies in what is masked, or is named after it (`.env.local`)."""
        near = [mask for mask in self.masked if mask.is_relative_to(self.directory)]
        return any(belongs_to(part, mask) for mask in near for part in (path, *path.parents))

    def protects(self, path: Path) -> bool:
        """Whether `path` may be read but not changed."""
        return any(path.is_relative_to(place) for place in self.read_only)


def policy_for(
    directory: Path, product: Product, *, network: bool | tuple[str, ...] = False, limits: Limits | None = None
) -> FencePolicy:
    """The policy of a workspace directory. Raises ConfigurationError for a directory that no fence can be built for.

    When the directory holds the product's checkout or is it, the running code is read-only and the data masked; when it
    lies inside, it is read-only too unless it is a worktree (has a `.git` of its own) or belongs to the data.
    """
    real, (root, data) = directory.resolve(), _really(product)
    _check_place(real)
    masked = tuple(place for place in data if not real.is_relative_to(place))
    read_only = (root,) if root.is_relative_to(real) else ()
    if real != root and real.is_relative_to(root):
        read_only = () if _is_work_place(real, root, data) else (real,)
    elif not read_only:
        masked = (root, *masked)
    return FencePolicy(real, network, masked, read_only, limits or Limits(), product.ports)


def belongs_to(path: Path, mask: Path) -> bool:
    """Whether `path` is `mask` or a sibling named after it, as SQLite's journals and copies of `.env` are."""
    if path.parent != mask.parent:
        return False
    return path.name == mask.name or path.name.startswith((f"{mask.name}-", f"{mask.name}."))


@cache
def _really(product: Product) -> tuple[Path, tuple[Path, ...]]:
    """Root and data without links. Looked at once a process: they do not move under a running product."""
    return product.root.resolve(), tuple(place.resolve() for place in product.data)


def _check_place(directory: Path) -> None:
    if any(place.is_relative_to(directory) for place in SYSTEM) or any(directory.is_relative_to(k) for k in KERNEL):
        raise ConfigurationError([f"{directory} is part of the system and cannot be a working directory."])


def _is_work_place(directory: Path, root: Path, data: tuple[Path, ...]) -> bool:
    between = (directory, *(parent for parent in directory.parents if parent.is_relative_to(root) and parent != root))
    return any((place / ".git").exists() for place in between) or any(directory.is_relative_to(p) for p in data)
