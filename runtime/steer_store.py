"""Queries of those steps by which somebody steers a run. Each function runs inside the caller's transaction.

A steer is written while its run goes on, waits, and is taken by exactly one model request; what the run ends without
having taken is handed back.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    Text,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)

from core.schema import messages, steps
from runtime.store import Run, Step, StepStatus, step_of, write_step

STEER = "steer"
# What is asked of every turn is built once, since building it costs more than running it.
IS_OF_RUN = steps.c.run_id == bindparam("run")
WAITS = (IS_OF_RUN, steps.c.kind == STEER, steps.c.status == StepStatus.INTENT)
WAITING = select(steps).where(*WAITS).order_by(steps.c.id)
IS_STEERED = select(exists(select(steps.c.id).where(*WAITS)))
DROP_WAITING = delete(steps).where(*WAITS)
MESSAGE, CORRECTION, RESTART = "message", "correction", "restart"  # the names of steers


@dataclass(frozen=True, slots=True)
class Said:
    """A message that steers; `text` is what the model reads."""

    chat: str
    message: int
    text: str

    @property
    def key(self) -> str:
        return f"{STEER}:{self.chat}:{self.message}"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a steer was told: before which model request, and after how many others there."""

    request: int
    number: int


def place_of(taken: Step) -> Place:
    return Place(**taken.response)


def add_message(connection: Connection, run_id: str, said: Said, now: datetime) -> None:
    """A message steers."""
    _add(connection, run_id, Step(said.key, STEER, MESSAGE, StepStatus.INTENT, asdict(said)), now)


def add_correction(connection: Connection, run_id: str, said: Said, now: datetime) -> None:
    """A message that the run was given already says something else now."""
    before = steps.c.run_id == run_id, steps.c.key.startswith(f"{said.key}:", autoescape=True)
    number = (connection.execute(select(func.count()).select_from(steps).where(*before)).scalar() or 0) + 1
    _add(connection, run_id, Step(f"{said.key}:{number}", STEER, CORRECTION, StepStatus.INTENT, asdict(said)), now)


def reword(connection: Connection, run_id: str, said: Said) -> bool:
    """Change what a message that waits to be taken says; False when it does not wait."""
    changed = update(steps).where(steps.c.key == said.key, *WAITS)
    return connection.execute(changed, {"run": run_id, "request": asdict(said)}).rowcount == 1


def waiting(connection: Connection, run_id: str) -> list[Step]:
    """What no model request has taken yet, oldest first."""
    return [step_of(row) for row in connection.execute(WAITING, {"run": run_id})]


def is_steered(connection: Connection, run_id: str) -> bool:
    """Whether anything waits."""
    return bool(connection.execute(IS_STEERED, {"run": run_id}).scalar())


def take(connection: Connection, run: Run, place: Place, now: datetime) -> list[Step]:
    """The same, told from `place` on. Raises Cancelled when the run is another process's now."""
    taken = [
        replace(steer, status=StepStatus.DONE, response=asdict(Place(place.request, place.number + number)))
        for number, steer in enumerate(waiting(connection, run.id))
    ]
    for steer in taken:
        write_step(connection, run, steer, now)
    return taken


def drop_waiting(connection: Connection, run_id: str) -> None:
    """Nothing will take it any more."""
    connection.execute(DROP_WAITING, {"run": run_id})


def steers(*, waiting_only: bool = False) -> ColumnElement[bool]:
    """Whether a row of `messages` reaches the run that the statement calls `run` as a steer."""
    key = f"{STEER}:" + messages.c.chat_id + ":" + func.cast(messages.c.message_id, Text)
    return exists().where(steps.c.key == key, *(WAITS if waiting_only else (IS_OF_RUN,)))


def _add(connection: Connection, run_id: str, step: Step, now: datetime) -> None:
    row = {name: getattr(step, name) for name in ("key", "kind", "name", "status", "request")}
    connection.execute(insert(steps), {**row, "run_id": run_id, "started_at": now})
