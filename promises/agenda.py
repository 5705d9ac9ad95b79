"""What is to come: the promises that wait for a moment, in its order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from core.protocols import PromiseView
from promises import store
from promises.promise import Promise, WaitingFor
from promises.schedule import next_occurrence

LATER = 2  # further moments of a repeated promise


class Cause(StrEnum):
    """Why a promise waits for its moment."""

    SCHEDULE = "schedule"  # it was ordered for then
    BACKOFF = "backoff"  # an attempt was in vain
    DEPENDENCY = "dependency"  # and it follows others


@dataclass(frozen=True, slots=True)
class Appointment:
    """A promise starts at `at`, and when it is repeated `later` again."""

    promise: PromiseView
    at: datetime
    cause: Cause
    later: tuple[datetime, ...]


def read_agenda(connection: Connection, limit: int) -> list[Appointment]:
    """The next appointments, the first to come first."""
    return [
        Appointment(promise.view, promise.not_before, _cause(promise), _later(promise, promise.not_before))
        for promise in store.appointed(connection, limit)
        if promise.not_before is not None
    ]


def _cause(promise: Promise) -> Cause:
    if promise.waiting_for is WaitingFor.DEPENDENCY:
        return Cause.DEPENDENCY
    return Cause.SCHEDULE if promise.error_message is None else Cause.BACKOFF


def _later(promise: Promise, at: datetime) -> tuple[datetime, ...]:
    moments = [at]
    while len(moments) <= LATER and (fires := next_occurrence(promise, moments[-1])) is not None:
        moments.append(fires)
    return tuple(moments[1:])
