"""Queries of those steps by which somebody steers a run. Each function runs inside the caller's transaction.

A steer is written while its run goes on, waits, and is taken by exactly one model request; what the run ends without
having taken is handed back.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, bindparam, delete, exists, func, insert, select, update

from core.schema import messages, steps
from runtime.store import JSON, Run, Step, StepStatus, step_of, write_step

STEER = "steer"
# Asked before every model request of a turn: built once, since building it costs more than running it.
IS_STEERED = select(
    exists(
        select(steps.c.id).where(
            steps.c.run_id == bindparam("run"), steps.c.kind == STEER, steps.c.status == StepStatus.INTENT
        )
    )
)
MESSAGE, CORRECTION, RESTART = "message", "correction", "restart"  # the names of steers


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a steer was told: before which model request, and after how many others there."""

    request: int
    number: int


def place_of(taken: Step) -> Place:
    return Place(**taken.response)


def add_message(connection: Connection, run_id: str, message_id: int, text: str, now: datetime) -> None:
    """A message steers; `text` is what the model reads."""
    _add(connection, run_id, Step(key_of(message_id), STEER, MESSAGE, StepStatus.INTENT, _said(message_id, text)), now)


def add_correction(connection: Connection, run_id: str, message_id: int, text: str, now: datetime) -> None:
    """A message that the run was given already says something else now."""
    before = steps.c.run_id == run_id, steps.c.key.startswith(f"{key_of(message_id)}:", autoescape=True)
    number = (connection.execute(select(func.count()).select_from(steps).where(*before)).scalar() or 0) + 1
    key = f"{key_of(message_id)}:{number}"
    _add(connection, run_id, Step(key, STEER, CORRECTION, StepStatus.INTENT, _said(message_id, text)), now)


def reword(connection: Connection, run_id: str, message_id: int, text: str) -> bool:
    """Change what a message that waits to be taken says; False when it does not wait."""
    waits = (steps.c.key == key_of(message_id), *_waiting(run_id))
    changed = update(steps).where(*waits).values(request=_said(message_id, text))
    return connection.execute(changed).rowcount == 1


def waiting(connection: Connection, run_id: str) -> list[Step]:
    """What no model request has taken yet, oldest first."""
    return [step_of(row) for row in connection.execute(select(steps).where(*_waiting(run_id)).order_by(steps.c.id))]


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


def drop_waiting(connection: Connection, run_id: str) -> list[int]:
    """Nothing will take it any more: the numbers of the messages among it, in order."""
    left = waiting(connection, run_id)
    connection.execute(delete(steps).where(*_waiting(run_id)))
    return [steer.request["message"] for steer in left if steer.name == MESSAGE]


def steers(run_id: str) -> ColumnElement[bool]:
    """Whether a row of `messages` reaches that run as a steer."""
    key = key_of("") + func.cast(messages.c.message_id, steps.c.key.type)
    return exists().where(steps.c.run_id == run_id, steps.c.key == key)


def key_of(message_id: int | str) -> str:
    return f"{STEER}:{message_id}"


def _waiting(run_id: str) -> tuple[ColumnElement[bool], ...]:
    return steps.c.run_id == run_id, steps.c.kind == STEER, steps.c.status == StepStatus.INTENT


def _said(message_id: int, text: str) -> JSON:
    return {"message": message_id, "text": text}


def _add(connection: Connection, run_id: str, step: Step, now: datetime) -> None:
    row = {name: getattr(step, name) for name in ("key", "kind", "name", "status", "request")}
    connection.execute(insert(steps), {**row, "run_id": run_id, "started_at": now})
