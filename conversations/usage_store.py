"""Queries of `llm_calls` for people: what was used and by whom. Each function runs inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, func, or_, select

from core.message import Chat
from core.schema import llm_calls, runs, turns


@dataclass(frozen=True, slots=True)
class Used:
    """What one person's questions used. `unpriced` are the calls whose cost nobody knows."""

    person_id: int
    calls: int
    tokens: int
    cost: float
    unpriced: int


def used_since(connection: Connection, workspace: str, chat: Chat, since: datetime) -> list[Used]:
    """What a workspace used, by who asked, the most expensive first.

    A call outside every run, such as a transcription's, counts where its chat is.
    """
    of_run = llm_calls.outerjoin(runs, runs.c.id == llm_calls.c.run)
    is_here = or_(runs.c.workspace == workspace, and_(runs.c.id.is_(None), llm_calls.c.chat == chat.key))
    cost = func.coalesce(func.sum(llm_calls.c.cost), 0.0).label("cost")
    calls = func.count().label("calls")
    query = (
        select(
            llm_calls.c.requester,
            calls,
            func.coalesce(func.sum(_tokens()), 0).label("tokens"),
            cost,
            (calls - func.count(llm_calls.c.cost)).label("unpriced"),
        )
        .select_from(of_run)
        .where(llm_calls.c.started_at >= since, is_here)
        .group_by(llm_calls.c.requester)
        .order_by(cost.desc(), calls.desc())
    )
    return [
        Used(int(row.requester or 0), row.calls, row.tokens, row.cost, row.unpriced)
        for row in connection.execute(query)
    ]


def names_of(connection: Connection, people: Iterable[int]) -> dict[int, str]:
    """What these people were last called."""
    latest = select(func.max(turns.c.id)).where(turns.c.requester_id.in_(tuple(people))).group_by(turns.c.requester_id)
    query = select(turns.c.requester_id, turns.c.requester_name).where(turns.c.id.in_(latest))
    return {row.requester_id: row.requester_name for row in connection.execute(query)}


def cost_of(connection: Connection, run_id: str) -> float | None:
    """US dollars that a run has cost until now; None where no call of it has a price."""
    return connection.execute(select(func.sum(llm_calls.c.cost)).where(llm_calls.c.run == run_id)).scalar()


def _tokens() -> object:
    return func.coalesce(llm_calls.c.tokens_in, 0) + func.coalesce(llm_calls.c.tokens_out, 0)
