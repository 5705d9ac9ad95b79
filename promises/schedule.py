"""When a promise starts that was ordered for a moment, and when a repeated one comes again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count

import structlog
from cronsim import CronSim, CronSimError

from core.errors import RequestError
from core.moments import UTC_NAME, find_zone, tell_moment
from core.protocols import PromiseOrder
from promises.promise import Promise

FIELDS = 5
INTERVAL = re.compile(r"(\d{1,5})\s*([mhdw])")
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
EXAMPLES = "write an interval such as 30m, 2h, 1d, 1w, or five cron fields such as 0 9 * * mon-fri"
BY_THE_CLOCK = "dw"
START = datetime(2000, 1, 1, tzinfo=UTC)
FARTHEST = timedelta(days=100 * 365)
FIRST = "first"  # in `metadata` of a repeated promise: when its first occurrence was due
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Schedule:
    """`every` is an interval (`30m`, `2h`, `1d`, `1w`) or five cron fields.

    Days, weeks and cron go by the zone's clock, minutes and hours by elapsed time.
    """

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

    def next_after(self, now: datetime, first: datetime) -> datetime | None:
        """The moment (UTC) after `now` and `first`, from which intervals count. Those that were missed are left out.

        None when there is none in the next fifty years.
        """
        interval = self._interval()
        if interval is not None:
            return self._count(interval, now, first)
        fires = next(CronSim(self.every, now.astimezone(find_zone(self.zone))), None)
        return None if fires is None else fires.astimezone(UTC)

    def _count(self, interval: timedelta, now: datetime, first: datetime) -> datetime:
        """The first whole number of intervals after `first` that ends after `now`."""
        times = max((now - first) // interval, 0) + 1
        if self.every[-1] not in BY_THE_CLOCK:
            return first + times * interval
        there = first.astimezone(find_zone(self.zone))
        days = ((there + n * interval).astimezone(UTC) for n in count(max(times - 1, 1)))  # of 23 to 25 hours
        return next(day for day in days if day > now)

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
    if order.every is not None:
        since = order.at or now
        following = Schedule.read(order.every, order.zone).next_after(since, since)
        if following is None:
            raise RequestError(f"The schedule {order.every!r} never comes.")
        order = replace(order, at=order.at or following)
    if order.at is not None and order.at <= now:
        raise RequestError(f"{tell_moment(order.at, order.zone)} has passed: name a moment to come.")
    if order.at is not None and order.at > now + FARTHEST:
        raise RequestError(
            f"{tell_moment(order.at, order.zone)} lies more than a hundred years ahead: name a nearer one."
        )
    return order


def note_first(order: PromiseOrder) -> Mapping[str, str]:
    """What `metadata` keeps of a planned order, so that a clock change shifts one day's moment and not all to come."""
    return {FIRST: order.at.isoformat()} if order.at and order.every else {}


def next_occurrence(promise: Promise, now: datetime) -> datetime | None:
    """When a repeated promise comes again; None, and a line in the log, when it cannot."""
    if promise.every is None:
        return None
    first = datetime.fromisoformat(promise.metadata[FIRST]) if FIRST in promise.metadata else promise.due_at
    with suppress(RequestError, CronSimError):  # a zone or a spelling that an update has taken away
        fires = Schedule(promise.every, promise.zone or UTC_NAME).next_after(now, first or promise.created_at)
        if fires is not None:
            return fires
    log.error("a schedule has ended", promise=promise.id, every=promise.every, zone=promise.zone)
    return None
