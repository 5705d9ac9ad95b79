"""When a promise starts that was ordered for a moment, and when a repeated one comes again."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cronsim import CronSim, CronSimError

from core.errors import RequestError
from core.moments import find_zone, tell_moment
from core.protocols import PromiseOrder

FIELDS = 5
INTERVAL = re.compile(r"(\d{1,5})\s*([mhdw])")
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
EXAMPLES = "write an interval such as 30m, 2h, 1d, 1w, or five cron fields such as 0 9 * * mon-fri"
START = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Schedule:
    """`every` is an interval of elapsed time (`30m`, `2h`, `1d`, `1w`) or five cron fields, read in the zone's time."""

    every: str
    zone: str

    @classmethod
    def read(cls, every: str, zone: str | None) -> Schedule:
        """Raises RequestError for what is no schedule, Unknown for a zone that does not exist."""
        schedule = cls(" ".join(every.split()).lower(), find_zone(zone).key)
        interval = schedule._interval()
        try:
            if interval is None and len(schedule.every.split()) == FIELDS:
                CronSim(schedule.every, START)
                return schedule
        except CronSimError as error:
            raise RequestError(f"{every!r} is no schedule ({error}): {EXAMPLES}.") from error
        if not interval:
            raise RequestError(f"{every!r} is no schedule: {EXAMPLES}.")
        return schedule

    def next_after(self, now: datetime, due_at: datetime) -> datetime | None:
        """The first moment after `now` (UTC); an interval counts from `due_at`. Those that were missed are left out.

        None when there is none in the next fifty years.
        """
        interval = self._interval()
        if interval is not None:
            return due_at + (max((now - due_at) // interval, 0) + 1) * interval
        fires = next(CronSim(self.every, now.astimezone(find_zone(self.zone))), None)
        return None if fires is None else fires.astimezone(UTC)

    def _interval(self) -> timedelta | None:
        found = INTERVAL.fullmatch(self.every)
        return int(found[1]) * UNITS[found[2]] if found else None


def read_schedule(order: PromiseOrder) -> PromiseOrder:
    """The order with its schedule and zone spelled as they are kept. Raises RequestError for what cannot be."""
    if order.every is None:
        return replace(order, zone=find_zone(order.zone).key) if order.zone else order
    if order.after:
        raise RequestError("A repeated promise cannot follow others: promise it by itself.")
    schedule = Schedule.read(order.every, order.zone)
    return replace(order, every=schedule.every, zone=schedule.zone)


def plan(order: PromiseOrder, now: datetime) -> PromiseOrder:
    """The order with the moment of its first start as `at`. Raises RequestError for one that never comes."""
    if order.at is not None and order.at <= now:
        raise RequestError(f"{tell_moment(order.at, order.zone)} has passed: name a moment to come.")
    if order.every is None or order.at is not None:
        return order
    first = Schedule.read(order.every, order.zone).next_after(now, now)
    if first is None:
        raise RequestError(f"The schedule {order.every!r} never comes.")
    return replace(order, at=first)
