"""A promise: a long job that outlives the turn that made it, and how one attempt at it can end."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from conversations.delivery import Draft
from core.access import Role
from core.errors import ConsentNeeded
from core.message import Chat
from core.protocols import PromiseView

TASK_TYPES = ("code", "search", "analysis")
CONSENT_PATIENCE = timedelta(hours=24)  # then silence is a refusal
PROMPT = "prompt"  # in `metadata` of a promise that goes on with a turn: how its run began
PICTURES = "pictures"  # likewise: what the prompt shows, as places in data/media
DEATHS = 3  # workers that may die over one promise before it fails

Evidence = Mapping[str, Any]


class Status(StrEnum):
    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    WAITING = "waiting"
    CANCELLED = "cancelled"

    @property
    def is_settled(self) -> bool:
        return self in SETTLED


SETTLED = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})


class WaitingFor(StrEnum):
    DEPENDENCY = "dependency"
    SCHEDULE = "schedule"
    APPROVAL = "approval"
    DIRECTORY = "directory"  # somebody else writes there


@dataclass(frozen=True, slots=True)
class Promise:
    """A row of `promises`. `attempts` counts starts, those that a shutdown cut short excepted; `deaths` workers."""

    id: int
    chat: Chat
    message_id: int | None
    task_description: str
    task_type: str
    status: Status
    workspace: str
    requester_id: int
    requester_name: str
    role: Role
    run_id: str
    priority: int
    created_at: datetime
    completed_at: datetime | None
    result_summary: str | None
    error_message: str | None
    waiting_for: WaitingFor | None
    not_before: datetime | None
    due_at: datetime | None
    every: str | None
    zone: str | None
    attempts: int
    deaths: int
    epoch: int
    lease_until: float | None
    progress: str | None
    cancel_requested_by: str | None
    evidence: tuple[Evidence, ...]
    metadata: Mapping[str, Any]

    @property
    def view(self) -> PromiseView:
        return PromiseView(
            id=self.id,
            task_description=self.task_description,
            task_type=self.task_type,
            status=self.status.value,
            progress=self.progress,
            result_summary=self.result_summary,
            error_message=self.error_message,
            created_at=self.created_at,
            completed_at=self.completed_at,
            waiting_for=self.waiting_for.value if self.waiting_for else None,
            due_at=self.due_at,
            every=self.every,
            zone=self.zone,
        )

    @property
    def failures(self) -> int:
        """Attempts that were not cut short by a worker's death, the one under way included."""
        return self.attempts - self.deaths


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds a promise: `epoch` fences out earlier holders; `until` is in seconds of the owner's boot clock."""

    promise_id: int
    run_id: str
    epoch: int
    owner: str
    until: float
    renewed_at: datetime


@dataclass(frozen=True, slots=True)
class Ending:
    """What one attempt leaves in the row. `draft` is what the chat is told in the same transaction.

    `whole` is a result that is too long for its row. With `needed` the promise waits until somebody allows that call,
    at most until `not_before`.

    `attempts` and `deaths` are added to the row's: a shutdown takes its attempt back, a dead worker counts as a death.
    An empty `progress` leaves the row's as it is.
    """

    status: Status
    result_summary: str | None = None
    error_message: str | None = None
    evidence: tuple[Evidence, ...] = ()
    waiting_for: WaitingFor | None = None
    not_before: datetime | None = None
    attempts: int = 0
    deaths: int = 0
    draft: Draft | None = None
    needed: ConsentNeeded | None = None
    whole: str | None = None
    progress: str = ""


RELEASED = Ending(Status.PENDING, attempts=-1)


@dataclass(frozen=True, slots=True)
class Retry:
    """When to try again what may pass. Times are in seconds; `jitter` is the share that chance may take away."""

    attempts: int = 5
    first: float = 2.0
    factor: float = 3.0
    most: float = 300.0
    jitter: float = 0.5

    def delay(self, failures: int, chance: random.Random) -> float | None:
        """Seconds until the next attempt after so many failures; None when there is none."""
        if failures >= self.attempts:
            return None
        full = min(self.first * self.factor ** max(failures - 1, 0), self.most)
        return full * (1 - self.jitter * chance.random())
