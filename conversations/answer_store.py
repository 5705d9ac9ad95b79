"""The rows that a turn's answer is told by. Each function runs inside the caller's transaction.

A row that grows while the model writes is `ready` until its chat shows it, then `open` until there is more; the turn's
end writes the whole to it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, exists, or_, select, update

from conversations import turn_store
from conversations.delivery import ANSWER, Draft
from conversations.delivery_store import (
    CHANGEABLE,
    IS_HELD,
    SENDS,
    buttons_of,
    change,
    content_of,
    following,
    owe,
    promises_of,
    write_parts,
)
from conversations.turn import Turn
from core.message import Button
from core.schema import deliveries

HELD = select(deliveries).where(deliveries.c.turn_id == bindparam("turn"), IS_HELD).order_by(deliveries.c.id)
BEGUN = select(deliveries).where(
    deliveries.c.turn_id == bindparam("turn"), deliveries.c.kind == ANSWER, deliveries.c.part == 0
)
ANSWERING = deliveries.alias("answering")
IS_OVER = or_(
    ANSWERING.c.status.in_(("sent", "dead")),
    and_(ANSWERING.c.status == "ambiguous", ANSWERING.c.sends >= SENDS),
)
COVERS = (ANSWERING.c.kind == ANSWER, ANSWERING.c.part == 0, ANSWERING.c.promise_id.is_not(None))
UNCOVER = (
    update(deliveries)
    .where(IS_HELD, exists().where(ANSWERING.c.turn_id == deliveries.c.turn_id, *COVERS, IS_OVER))
    .values(status="dropped")
)
ASKS = "I need a permission before I go on."  # stands where a turn that showed something ends in a question


def begun(connection: Connection, turn_id: int) -> Row[Any] | None:
    """The row that a turn's answer grows in, or has grown in."""
    return connection.execute(BEGUN, {"turn": turn_id}).first()


def grow(connection: Connection, turn: Turn, draft: Draft, now: datetime) -> bool:
    """Let the chat see a draft's first piece, with its buttons; False when nothing may be shown: something has joined
    the turn, or it is over.

    What has shown something is joined by nothing more. One change is told after the other.
    """
    if not turn_store.seal(connection, turn):
        return False
    row = begun(connection, turn.id)
    if row is None:
        write_parts(connection, following(connection, draft), [(0, draft.pieces[0])], now)
    elif row.status == "open":
        change(connection, row, draft.pieces[0])
    return True


def answer_turn(connection: Connection, draft: Draft, now: datetime) -> list[int]:
    """Write a turn's answer. What has grown becomes its first part, else a held acknowledgement does; further ones are
    covered by it. Behind what has grown they are held until it is told, for what speaks of their promises comes after.

    What was promised is told with its number, whether or not the model thought of it.
    """
    draft = following(connection, draft)
    turn_id = draft.turn_id
    assert turn_id is not None
    held, row = _held(connection, turn_id), begun(connection, turn_id)
    if held:
        draft = _acknowledging(draft.naming(promises_of(connection, turn_id)), held[0])
    if row is not None and _is_lasting(row):
        return _complete(connection, row, draft, now, held[0].promise_id if held else None)
    if held:
        _drop(connection, held[1:])
        return _replace(connection, held[0], draft, now)
    return _anew(connection, row, draft, now)


def conclude(connection: Connection, draft: Draft, now: datetime) -> list[int]:
    """Write what is told instead of an answer, where what has grown must not stand as one; acknowledgements go as they
    are."""
    draft = following(connection, draft)
    assert draft.turn_id is not None
    released = release(connection, draft.turn_id)
    row = begun(connection, draft.turn_id)
    if row is None or not _is_lasting(row):
        return [*_anew(connection, row, draft, now), *released]
    draft = draft if draft.pieces else replace(draft, text=ASKS)
    return [*_complete(connection, row, draft, now), *released]


def uncover(connection: Connection) -> None:
    """Drop the acknowledgements that were held behind an answer that is told, or of which nothing more will be."""
    connection.execute(UNCOVER)


def release(connection: Connection, turn_id: int) -> list[int]:
    """Let a turn's held acknowledgements go as they are; their ids."""
    held = [row.id for row in _held(connection, turn_id)]
    connection.execute(update(deliveries).where(deliveries.c.id.in_(held)).values(status="ready"))
    return held


def _acknowledging(draft: Draft, held: Row[Any]) -> Draft:
    """The answer, which offers what was held as well."""
    return replace(draft, buttons=(*(Button(*button) for button in held.buttons or ()), *draft.buttons))


def _complete(
    connection: Connection, row: Row[Any], draft: Draft, now: datetime, promise_id: int | None = None
) -> list[int]:
    """The same message goes on, with the promise that it acknowledges; what could end the turn is gone from it."""
    first, *rest = draft.pieces
    change(connection, row, first, promise_id=promise_id, buttons=None if rest else buttons_of(draft))
    return [row.id, *write_parts(connection, draft, list(enumerate(rest, 1)), now)]


def _replace(connection: Connection, held: Row[Any], draft: Draft, now: datetime) -> list[int]:
    first, *rest = draft.pieces
    told = {"status": "ready", "reply_to": draft.reply_to, "buttons": None if rest else buttons_of(draft)}
    connection.execute(update(deliveries).where(deliveries.c.id == held.id).values({**told, **content_of(first)}))
    return [held.id, *write_parts(connection, draft, list(enumerate(rest, 1)), now)]


def _anew(connection: Connection, lost: Row[Any] | None, draft: Draft, now: datetime) -> list[int]:
    """A message of its own, in the place of one that never arrived; behind one of which nobody knows."""
    if lost is None or not draft.pieces:
        return owe(connection, draft, now)
    is_dead = (deliveries.c.id == lost.id, deliveries.c.status == "dead")
    connection.execute(update(deliveries).where(*is_dead).values(status="dropped"))
    return write_parts(connection, draft, list(enumerate(draft.pieces, 1)), now)


def _is_lasting(row: Row[Any]) -> bool:
    """Whether what a row says can still be changed: not when it is a dead letter, or nobody will ever know of it."""
    is_given_up = row.status == "ambiguous" and row.sends >= SENDS
    return row.status in CHANGEABLE and not is_given_up


def _held(connection: Connection, turn_id: int) -> list[Row[Any]]:
    return list(connection.execute(HELD, {"turn": turn_id}))


def _drop(connection: Connection, held: list[Row[Any]]) -> None:
    ids = [row.id for row in held]
    connection.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(status="dropped"))
