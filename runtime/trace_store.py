"""Queries that look at a run from outside. Each function runs inside the caller's transaction."""

from __future__ import annotations

from sqlalchemy import Connection, exists, func, or_, select

from core.schema import llm_calls, runs, steps
from runtime.store import StepStatus


def is_spent(connection: Connection, run_id: str) -> bool:
    """Whether the run came to an end of its own, to which it would only come again if it were to go on.

    One that failed goes on where a tool call or a request to the model was left without an answer; where all were
    answered, what failed was the run itself.
    """
    status = connection.execute(select(runs.c.status).where(runs.c.id == run_id)).scalar()
    if status != "failed":
        return status == "done"
    last = select(func.max(steps.c.ended_at)).where(steps.c.run_id == run_id).scalar_subquery()
    is_lost = exists().where(llm_calls.c.run == run_id, or_(last.is_(None), llm_calls.c.started_at > last))
    is_open = exists().where(steps.c.run_id == run_id, steps.c.status == StepStatus.INTENT)
    return not connection.execute(select(is_lost | is_open)).scalar()
