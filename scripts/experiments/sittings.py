"""A full run takes hours: it may be gone through in several sittings, whose counts add up in a file."""

from __future__ import annotations

import json
import subprocess
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scripts.experiments.tally import Tally

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Sitting:
    """What one process added. `version` is the commit that it tried."""

    seed: int
    version: str
    deaths: int
    seconds: float

    def __str__(self) -> str:
        return f"seed {self.seed} on {self.version}: {self.deaths:,} deaths in {self.seconds / 60:.0f} minutes"


@dataclass(frozen=True, slots=True)
class Record:
    """The sittings so far, and all that came of them."""

    sittings: list[Sitting] = field(default_factory=list[Sitting])
    tally: Tally = field(default_factory=Tally)

    def add(self, seed: int, seconds: float) -> None:
        """The sitting that has just ended, whose counts are in the tally already."""
        before = sum(sitting.deaths for sitting in self.sittings)
        self.sittings.append(Sitting(seed, version_here(), self.tally.deaths - before, seconds))


def read_record(file: Path | None) -> Record:
    """An empty one where there is no file yet. Raises ValueError for what is no record."""
    if file is None or not file.exists():
        return Record()
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return Record([Sitting(**sitting) for sitting in found["sittings"]], _read_tally(found["tally"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} is no record of earlier sittings: name another file.") from error


def write_record(record: Record, file: Path) -> None:
    tally = {name: getattr(record.tally, name) for name in Tally.__slots__}
    kept = {"sittings": [asdict(sitting) for sitting in record.sittings], "tally": tally}
    file.write_text(json.dumps(kept, indent=1), encoding="utf-8")


def _read_tally(found: dict[str, Any]) -> Tally:
    counts = {name for name in Tally.__slots__ if isinstance(getattr(Tally(), name), Counter)}
    read: dict[str, Any] = {name: Counter(value) if name in counts else value for name, value in found.items()}
    read["cpu"] = defaultdict(float, found["cpu"])
    return Tally(**read)


def version_here() -> str:
    """The commit of this checkout, marked where files differ from it; "unknown" outside of one."""
    described = ("git", "describe", "--always", "--dirty", "--exclude", "*")
    told = subprocess.run(described, cwd=PROJECT, capture_output=True, text=True, check=False)
    return told.stdout.strip() or "unknown"
