"""How the parts of Valor are: what each says of itself while running, and what the doctor finds before a start."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from core.clock import Clock
from core.errors import OwnerError
from core.lock_file import is_held

if TYPE_CHECKING:
    from core.settings import Settings

SERVER = "server"
DATABASE = "database"
WORKER = "worker"
ACCOUNT = "telegram account"
BOT = "telegram bot"
MODEL = "model"
FENCE = "fence"
DISK = "disk"
OUTBOX = "outbox"
SELF_PING = "self-ping"
LOOP = "event loop"

DISK_LOW = 500_000_000
DISK_FULL = 50_000_000
PYTHON = (3, 11)
KEYS = (
    ("ANTHROPIC_API_KEY", "the Anthropic models (without any model key the offline model answers)"),
    ("OPENAI_API_KEY", "transcription of voice messages"),
    ("TELEGRAM_API_ID", "the Telegram account"),
    ("TELEGRAM_BOT_TOKEN", "the Telegram bot"),
    ("PERPLEXITY_API_KEY", "web search"),
    ("NOTION_API_KEY", "Notion"),
)


class Status(StrEnum):
    """How a part is. `off` is no fault: something that nobody asked for, or whose key is missing."""

    STARTING = "starting"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    OFF = "off"


WORST_FIRST = (Status.UNHEALTHY, Status.DEGRADED, Status.STARTING)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found: one sentence, the exact command that mends it where there is one, and what was counted for it."""

    status: Status
    sentence: str
    mend: str | None = None
    counts: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the running product: in this status `since`, last heard of at `heard_at`."""

    name: str
    finding: Finding
    since: datetime
    heard_at: datetime


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All parts at one moment."""

    taken_at: datetime
    components: tuple[Component, ...]

    @property
    def status(self) -> Status:
        """The worst of the parts; parts that are off do not count."""
        seen = {component.finding.status for component in self.components}
        return next((status for status in WORST_FIRST if status in seen), Status.HEALTHY)


class Board:
    """What is known of each part. Whoever learns something reports it; reading it asks nobody anything."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._components: dict[str, Component] = {}

    def report(self, name: str, status: Status, sentence: str, mend: str | None = None) -> None:
        self.post(name, Finding(status, sentence, mend))

    def post(self, name: str, finding: Finding) -> None:
        """Keep `finding` as the newest of part `name`; `since` moves only when the status does."""
        now = self._clock.now()
        before = self._components.get(name)
        unchanged = before is not None and before.finding.status is finding.status
        since = before.since if before is not None and unchanged else now
        self._components[name] = Component(name, finding, since, now)

    def snapshot(self) -> Snapshot:
        return Snapshot(self._clock.now(), tuple(self._components.values()))


@dataclass(frozen=True, slots=True)
class Check:
    """One look before or beside a start. `look` may raise OwnerError, whose sentence is then the finding."""

    name: str
    look: Callable[[], Finding]

    def run(self) -> Finding:
        try:
            return self.look()
        except OwnerError as error:
            return Finding(Status.UNHEALTHY, str(error))


def ground_checks(settings: Settings) -> tuple[Check, ...]:
    """The checks that need nothing but the machine and the settings; `main` adds those of the floors above."""
    return (
        Check("python", check_python),
        Check("settings", lambda: check_warnings(settings.warnings)),
        Check("folder", lambda: check_folder(settings.home)),
        Check(DISK, lambda: check_disk(settings.home)),
        Check("token", lambda: check_token(settings.token_path)),
        Check("port", lambda: check_port(settings.host, settings.http_port)),
        Check(WORKER, lambda: check_worker(worker_lock(settings))),
        *key_checks(settings),
    )


def key_checks(settings: Settings) -> Iterable[Check]:
    for name, use in KEYS:
        found = Finding(Status.HEALTHY, f"{name} is set: {use}.")
        missing = Finding(Status.OFF, f"{name} is not set, so this is off: {use}.", f"echo '{name}=…' >> .env")
        finding = found if settings.is_set(name) else missing
        yield Check(name, lambda finding=finding: finding)


def check_python(needed: tuple[int, int] = PYTHON) -> Finding:
    spelled = ".".join(str(number) for number in sys.version_info[:3])
    if sys.version_info[:2] < needed:
        return Finding(
            Status.UNHEALTHY,
            f"Python {spelled} is too old: {needed[0]}.{needed[1]} or newer is needed.",
            "scripts/setup",
        )
    return Finding(Status.HEALTHY, f"Python {spelled}.")


def check_warnings(warnings: tuple[str, ...]) -> Finding:
    if warnings:
        return Finding(Status.DEGRADED, " ".join(warnings))
    return Finding(Status.HEALTHY, "The settings are valid.")


def check_folder(home: Path) -> Finding:
    """Whether the installation's folder can be written."""
    if not home.is_dir():
        return Finding(Status.UNHEALTHY, f"The folder {home} does not exist.", f"mkdir -p '{home}'")
    if not os.access(home, os.W_OK | os.X_OK):
        return Finding(Status.UNHEALTHY, f"The folder {home} cannot be written.", f"sudo chown -R $USER '{home}'")
    return Finding(Status.HEALTHY, f"Data lies in {home}.")


def check_disk(home: Path, low: int = DISK_LOW, full: int = DISK_FULL) -> Finding:
    """`low` and `full` are in bytes free."""
    free = shutil.disk_usage(home).free
    sentence = f"{free / 1e9:.1f} GB are free."
    if free < full:
        return Finding(
            Status.UNHEALTHY, f"The disk is full: {free / 1e6:.0f} MB are free.", f"du -xh '{home}' | sort -h"
        )
    return Finding(Status.DEGRADED if free < low else Status.HEALTHY, sentence)


def check_database(path: Path, first: os.stat_result, trouble: str | None) -> Finding:
    """Whether the database at `path` is still the file that it was at `first`: SQLite goes on writing to a lost one.

    `trouble` is why it cannot be written, if so.
    """
    if trouble is not None:
        return Finding(Status.UNHEALTHY, trouble)
    try:
        is_same = os.path.samestat(path.stat(), first)
    except FileNotFoundError:
        is_same = False
    if is_same:
        return Finding(Status.HEALTHY, f"{path.name} is up to date.")
    return Finding(
        Status.UNHEALTHY,
        f"{path.name} was deleted or replaced while Valor runs: what is written now is lost. Stop it, put a backup in "
        "its place if there is one, and start again.",
        "scripts/stop.sh && scripts/start.sh",
    )


def check_token(path: Path) -> Finding:
    """Whether nobody else can read the token of the page and the API."""
    if not path.exists():
        return Finding(Status.HEALTHY, "The token will be made by the first start.")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        return Finding(Status.UNHEALTHY, f"{path} can be read by others.", f"rm '{path}' && scripts/start.sh")
    return Finding(Status.HEALTHY, "The token is readable for its owner alone.")


def check_port(host: str, port: int) -> Finding:
    """Whether the port can be listened on, without listening."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return _explain_port(error, host, port)
    return Finding(Status.HEALTHY, f"Port {port} is free.")


def _explain_port(error: OSError, host: str, port: int) -> Finding:
    if error.errno == errno.EADDRINUSE:
        return Finding(Status.DEGRADED, f"Port {port} is in use (by a running Valor?).", f"lsof -i :{port}")
    return Finding(Status.UNHEALTHY, f"Port {port} of {host} cannot be listened on: {error.strerror}.")


def worker_lock(settings: Settings) -> Path:
    """The file whose lock each worker holds, beside the others, as long as it lives; the last one's pid is inside."""
    return settings.data_dir / "worker.lock"


def check_worker(lock: Path) -> Finding:
    if is_held(lock):
        return Finding(Status.HEALTHY, f"The worker runs (pid {lock.read_text().strip() or 'unknown'}).")
    sentence = "No worker runs: promises are kept in the table and wait for one."
    return Finding(Status.DEGRADED, sentence, "scripts/start.sh")
