"""Moments and zones as people and agents write them."""

from __future__ import annotations

import difflib
import zoneinfo
from contextlib import suppress
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.errors import RequestError, Unknown

UTC_NAME = "UTC"
SHOWN = 60  # characters of what makes no sense
YEARS = range(1970, 9_000)  # later and earlier ones have no time in every zone


def find_zone(name: str | None) -> ZoneInfo:
    """The IANA zone of that name; None is UTC. Raises Unknown with the nearest names."""
    wanted = (name or UTC_NAME).strip()
    with suppress(ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones is an OSError
        return ZoneInfo(wanted)
    known = {zone.lower(): zone for zone in zoneinfo.available_timezones()}
    if wanted.lower() in known:
        return ZoneInfo(known[wanted.lower()])
    near = [known[found] for found in difflib.get_close_matches(wanted.lower(), known, 3, 0.5)]
    # Etc/GMT+2 is what people call UTC-2: no help to anybody.
    near = [zone for zone in near if not zone.startswith("Etc/")]
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise Unknown(f"There is no time zone {wanted[:SHOWN]!r}: name it like Europe/Berlin.{hint}")


def read_moment(text: str, zone: str | None = None) -> datetime:
    """A moment (UTC) from ISO 8601, such as `2026-12-01 09:00`, which is in `zone` where it names no offset. An hour
    that a change of the clock leaves out is an hour later; of one that comes twice it is the first.

    Raises RequestError for what is no moment, Unknown for a zone that does not exist.
    """
    moment = None
    with suppress(ValueError):
        moment = datetime.fromisoformat(text.strip())
    if moment is None or moment.year not in YEARS:
        raise RequestError(f"{text[:SHOWN]!r} is no moment: write it like 2026-12-01 09:00.")
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=find_zone(zone))).astimezone(UTC)


def tell_moment(moment: datetime, zone: str | None = None) -> str:
    """As people read it: `2026-12-01 09:00 (Europe/Berlin)`."""
    there = find_zone(zone)
    return f"{moment.astimezone(there):%Y-%m-%d %H:%M} ({there.key})"
