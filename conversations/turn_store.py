"""Every query of the table `turns`. Each function runs inside the caller's transaction."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from conversations.attachment_store import CARRIES
from conversations.delivery_store import IS_GIVEN_UP, IS_OWED
from conversations.turn import Asked, Ending, Turn, TurnEnd, TurnKind, TurnRow
from core.access import Admission
from core.message import Chat, Message
from core.schema import deliveries, messages, turns
from core.workspaces import Role
from runtime.steer_store import steers

UNFINISHED = ("open", "running")
# Spelled out in the statements: in a list of bound values SQLite does not see that a partial index serves.
OPEN, RUNS, AGENTS = (literal_column(f"'{word}'", Text) for word in (*UNFINISHED, TurnKind.AGENT))
IS_UNFINISHED = turns.c.status.in_((OPEN, RUNS))
# What every turn asks is built once: building a statement costs more than running it.
IN = (turns.c.front == bindparam("on"), turns.c.chat_id == bindparam("chat"))
BY_ID = select(turns).where(turns.c.id == bindparam("turn"))
IS_NEXT = and_(*IN, turns.c.kind == AGENTS, turns.c.status == OPEN)
NEXT = select(turns.c.id).where(IS_NEXT).order_by(turns.c.id).limit(1)
LAST_OPEN = select(turns).where(IS_NEXT, turns.c.stop_requested_by.is_(None)).order_by(turns.c.id.desc()).limit(1)
RUNNING = select(turns).where(*IN, turns.c.kind == AGENTS, turns.c.status == RUNS)
# Few turns are unfinished in all chats together; by the chat SQLite would read all that it ever had.
HERE = (turns.c.front.concat("") == bindparam("on"), turns.c.chat_id.concat("") == bindparam("chat"))
WANTED = select(turns).where(*HERE, turns.c.kind == AGENTS, IS_UNFINISHED, turns.c.stop_requested_by.is_(None))
BEGUN = WANTED.where(turns.c.started_at.is_not(None)).order_by(turns.c.id).limit(1)
MAY_JOIN = select(turns.c.id).where(
    turns.c.id == bindparam("turn"),
    turns.c.joinable,
    turns.c.stop_requested_by.is_(None),
    or_(turns.c.status == "open", turns.c.started_at >= bindparam("since")),
)
JOIN = (
    update(turns)
    .where(turns.c.id == bindparam("turn"))
    .values(joined=turns.c.joined + 1, reply_to=bindparam("newest"), role=bindparam("least"))
)
BEGIN_ANEW = update(turns).where(turns.c.id == bindparam("turn")).values(run_id=bindparam("run"))
ASKING = (
    select(messages, steers().label("steers"), CARRIES.label("carries"))
    .where(messages.c.turn_id == bindparam("turn"))
    .order_by(messages.c.message_id)
)
COUNT_SINCE = (
    select(func.count())
    .select_from(turns)
    .where(*IN, turns.c.created_at >= bindparam("since"), turns.c.status != "stopped")
)
HELD = (turns.c.id == bindparam("turn"), turns.c.epoch == bindparam("as_begun"), turns.c.joined == bindparam("as_read"))
SEAL = update(turns).where(*HELD, turns.c.status == "running").values(joinable=False)
CLOSE = update(turns).where(*HELD, IS_UNFINISHED).values(joinable=False)
LEFT_WAITING = (
    select(messages).where(messages.c.turn_id == bindparam("turn"), steers(waiting_only=True)).order_by(messages.c.id)
)
NUMBERS_OF = (
    select(messages.c.message_id)
    .join(turns, and_(messages.c.turn_id == turns.c.id, messages.c.chat_id == turns.c.chat_id))
    .where(turns.c.id == bindparam("turn"), messages.c.message_id > 0)
    .order_by(messages.c.message_id)
)
ADD = insert(turns)
STATUS = select(turns.c.status).where(turns.c.id == bindparam("turn"))
LEFT = (
    select(deliveries.c.status, and_(IS_OWED, ~IS_GIVEN_UP).label("is_owed"))
    .where(deliveries.c.turn_id == bindparam("turn"))
    .distinct()
)
BEGINNING = (
    update(turns)
    .values(
        status="running",
        owner=bindparam("by"),
        epoch=turns.c.epoch + 1,
        attempts=turns.c.attempts + 1,
        started_at=bindparam("now"),
    )
    .returning(turns)
)
BEGIN = BEGINNING.where(turns.c.id == bindparam("turn"), turns.c.status == "open")
IS_OLDEST = turns.c.id == NEXT.scalar_subquery().correlate(None)
BEGIN_OLDEST = BEGINNING.where(IS_OLDEST, ~RUNNING.exists().correlate(None))


def open_turn(connection: Connection, message: Message, admission: Admission, kind: TurnKind, now: datetime) -> int:
    """A new turn that is to answer `message`."""
    row = {
        "front": message.chat.front,
        "chat_id": message.chat.key,
        "workspace": admission.workspace.name,
        "kind": kind,
        "status": "open",
        "requester_id": message.sender.id,
        "requester_name": message.sender.name,
        "role": admission.role,
        "reply_to": (message.reply_to or 0) if message.pressed else message.id,
        "run_id": new_run_id(),
        "created_at": now,
    }
    return _add(connection, row)


def new_run_id() -> str:
    return f"run_{secrets.token_hex(8)}"


def last_open(connection: Connection, chat: Chat) -> TurnRow | None:
    """The newest turn of a chat that waits to begin, and is wanted still."""
    return _first_row(connection, LAST_OPEN, _in(chat))


def running(connection: Connection, chat: Chat) -> Turn | None:
    """The turn that answers a chat now."""
    return _first(connection, RUNNING, _in(chat))


def wanted(connection: Connection, chat: Chat, turn_id: int | None = None) -> list[TurnRow]:
    """The agent's turns of a chat that run or wait, and are not to stop: what runs first, then the newest; with a
    number only that one."""
    query = WANTED if turn_id is None else WANTED.where(turns.c.id == turn_id)
    rows = connection.execute(query.order_by(turns.c.status.desc(), turns.c.id.desc()), _in(chat)).all()
    return [TurnRow(**_read(row)) for row in rows]


def begun(connection: Connection, chat: Chat) -> TurnRow | None:
    """The agent's turn of a chat that has begun and not ended: it runs, or will go on; None when it is to stop."""
    return _first_row(connection, BEGUN, _in(chat))


def may_join(connection: Connection, turn: TurnRow, now: datetime, seconds: float) -> bool:
    """Whether a turn has shown and done nothing yet, and waits to begin or has begun within these seconds."""
    young = {"turn": turn.id, "since": now - timedelta(seconds=seconds)}
    return connection.execute(MAY_JOIN, young).first() is not None


def is_untouched(connection: Connection, turn_id: int) -> bool:
    """Whether a turn has not begun even once: what it is asked may still change."""
    query = select(turns.c.id).where(turns.c.id == turn_id, turns.c.status == "open", turns.c.started_at.is_(None))
    return connection.execute(query).first() is not None


def join(connection: Connection, turn: TurnRow, message: Message, role: Role) -> None:
    """One more message for a turn, or another text of one: the answer replies to the newest, with the least of the
    askers' rights."""
    least = max(turn.role, role, key=list(Role).index)
    connection.execute(JOIN, {"turn": turn.id, "newest": max(turn.reply_to, message.id), "least": least})


def begin_anew(connection: Connection, turn: TurnRow) -> None:
    """Another run, from the moment something joins: the journal of the one before answers another question.

    A crash before the process at work has heard of it must not bring that answer back.
    """
    connection.execute(BEGIN_ANEW, {"turn": turn.id, "run": new_run_id()})


def request_stop(connection: Connection, turn: TurnRow, by: str) -> None:
    connection.execute(update(turns).where(turns.c.id == turn.id).values(stop_requested_by=by))


def claim(connection: Connection, chat: Chat, owner: str, now: datetime) -> Turn | None:
    """Begin the chat's oldest open turn, unless one runs; None when there is nothing to begin."""
    return _first(connection, BEGIN_OLDEST, {**_in(chat), "by": owner, "now": now})


def has_next(connection: Connection, chat: Chat) -> bool:
    """Whether a turn waits to begin in a chat."""
    return connection.execute(NEXT, _in(chat)).first() is not None


def begin(connection: Connection, turn_id: int, owner: str, now: datetime) -> Turn | None:
    """Open to running, with a new epoch; None when it is not open any more."""
    return _first(connection, BEGIN, {"turn": turn_id, "by": owner, "now": now})


def seal(connection: Connection, turn: Turn) -> bool:
    """From here on nothing joins; False when something has joined already, or the turn is another's now."""
    return connection.execute(SEAL, _held(turn)).rowcount == 1


def renew(connection: Connection, turn: Turn) -> Turn | None:
    """The same turn with what has joined it, for a run from the start; None when it is another's now."""
    still = connection.execute(select(turns.c.id).where(*_still(turn))).first()
    return find(connection, turn.id) if still else None


def close(connection: Connection, turn: Turn, ending: Ending, now: datetime) -> bool:
    """End it, whether or not it has begun; False when something joined or began it since it was read, or it is
    another's now: then nothing has changed."""
    ended = {"status": ending.status, "ended_at": now, "error_id": ending.error_id, "error": ending.error}
    return connection.execute(CLOSE, {**_held(turn), **ended}).rowcount == 1


def hand_over(connection: Connection, turn: Turn, now: datetime) -> None:
    """Give what steers an ended turn, and was not taken, turns of its own, one for each sender, oldest first."""
    rows = connection.execute(LEFT_WAITING, {"turn": turn.id, "run": turn.run_id}).all()
    for sender in dict.fromkeys(row.sender_id for row in rows):
        own = [row for row in rows if row.sender_id == sender]
        number = _open_for(connection, turn, own, now)
        moved = messages.c.id.in_([row.id for row in own])
        connection.execute(update(messages).where(moved).values(turn_id=number))


def _open_for(connection: Connection, former: Turn, asking: Sequence[Row[Any]], now: datetime) -> int:
    """A turn in the chat that the former one's is now."""
    chat = connection.execute(select(turns.c.front, turns.c.chat_id).where(turns.c.id == former.id)).one()
    newest = asking[-1]
    row = {
        "front": chat.front,
        "chat_id": chat.chat_id,
        "workspace": former.workspace,
        "kind": TurnKind.AGENT,
        "status": "open",
        "requester_id": newest.sender_id,
        "requester_name": newest.sender_name,
        "role": newest.role,
        "reply_to": max((one.message_id for one in asking if one.chat_id == chat.chat_id), default=0),
        "joined": len(asking),
        "run_id": new_run_id(),
        "created_at": now,
    }
    return _add(connection, row)


def _add(connection: Connection, row: Mapping[str, Any]) -> int:
    key: Any = connection.execute(ADD, row).inserted_primary_key
    return int(key[0])


def speaks_of(connection: Connection, turn: TurnRow, message_id: int) -> bool:
    """Whether a message is one that the turn answers, or one that it has told."""
    asked = messages.c.turn_id == turn.id, messages.c.message_id == message_id
    told = deliveries.c.turn_id == turn.id, deliveries.c.message_id == message_id
    query = select(exists(select(messages.c.id).where(*asked)), exists(select(deliveries.c.id).where(*told)))
    return any(connection.execute(query).one())


def numbers_of(connection: Connection, turn_id: int) -> tuple[int, ...]:
    """The messages of its chat that a turn answers."""
    return tuple(connection.execute(NUMBERS_OF, {"turn": turn_id}).scalars())


def interrupted(connection: Connection, owner: str) -> list[Turn]:
    """Turns that another process began and did not end."""
    query = select(turns).where(IS_UNFINISHED, turns.c.status == RUNS, turns.c.owner != owner)
    return [_turn(connection, row) for row in connection.execute(query.order_by(turns.c.id)).all()]


def reopen(connection: Connection, turn: Turn, *, is_death: bool = True) -> None:
    """Let it begin again, with the same run: what is in the journal is not done twice.

    `is_death`: the start that is over counts as one that ended the server.
    """
    attempts = turn.attempts - (not is_death)
    connection.execute(update(turns).where(*_still(turn)).values(status="open", owner=None, attempts=attempts))


def run_again(connection: Connection, chat: Chat, *, is_death: bool) -> None:
    """The same for what runs in a chat."""
    turn = running(connection, chat)
    if turn is not None:
        reopen(connection, turn, is_death=is_death)


def leave(connection: Connection, owner: str) -> None:
    """Let the next process begin again what this one runs; an orderly end is no death."""
    connection.execute(
        update(turns)
        .where(IS_UNFINISHED, turns.c.status == RUNS, turns.c.owner == owner)
        .values(status="open", owner=None, attempts=turns.c.attempts - 1)
    )


def open_turns(connection: Connection, fronts: Iterable[str]) -> list[tuple[int, Chat, TurnKind]]:
    """Every turn that waits to begin on these fronts, oldest first."""
    query = select(turns.c.id, turns.c.front, turns.c.chat_id, turns.c.kind).where(
        turns.c.status == OPEN, turns.c.front.in_(tuple(fronts))
    )
    rows = connection.execute(query.order_by(turns.c.id))
    return [(row.id, Chat(row.front, row.chat_id), TurnKind(row.kind)) for row in rows]


def count_since(connection: Connection, chat: Chat, since: datetime) -> int:
    """How many answers a chat was given, or is to be given, since then."""
    return connection.execute(COUNT_SINCE, {**_in(chat), "since": since}).scalar() or 0


def count_unfinished(connection: Connection) -> dict[str, int]:
    query = select(turns.c.status, func.count()).where(IS_UNFINISHED).group_by(turns.c.status)
    return {row[0]: row[1] for row in connection.execute(query)}


def told_end(connection: Connection, turn_id: int) -> TurnEnd | None:
    """How an ended turn went, once nothing more of it is to be told; None before."""
    status = connection.execute(STATUS, {"turn": turn_id}).scalar()
    if status is None or status in UNFINISHED:
        return None
    left = connection.execute(LEFT, {"turn": turn_id}).all()
    if any(part.is_owed for part in left):
        return None
    has_arrived = not any(part.status in {"dead", "ambiguous"} for part in left)
    return TurnEnd(status, numbers_of(connection, turn_id), has_arrived)


def is_ended(connection: Connection, turn_id: int) -> bool:
    return connection.execute(STATUS, {"turn": turn_id}).scalar() not in UNFINISHED


def find(connection: Connection, turn_id: int) -> Turn | None:
    return _first(connection, BY_ID, {"turn": turn_id})


def find_row(connection: Connection, turn_id: int) -> TurnRow | None:
    return _first_row(connection, BY_ID, {"turn": turn_id})


def _first(connection: Connection, query: Executable, which: Mapping[str, Any]) -> Turn | None:
    row = connection.execute(query, which).first()
    return None if row is None else _turn(connection, row)


def _first_row(connection: Connection, query: Select[Any], which: Mapping[str, Any]) -> TurnRow | None:
    row = connection.execute(query, which).first()
    return None if row is None else TurnRow(**_read(row))


def _read(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "chat": Chat(row.front, row.chat_id),
        "workspace": row.workspace,
        "kind": TurnKind(row.kind),
        "requester_id": row.requester_id,
        "requester_name": row.requester_name,
        "role": Role(row.role),
        "reply_to": row.reply_to,
        "joined": row.joined,
        "run_id": row.run_id,
        "epoch": row.epoch,
        "attempts": row.attempts,
        "stop_requested_by": row.stop_requested_by,
    }


def _turn(connection: Connection, row: Row[Any]) -> Turn:
    asking = connection.execute(ASKING, {"turn": row.id, "run": row.run_id}).all()
    return Turn(
        **_read(row),
        asked=tuple(_asked(one, one.chat_id == row.chat_id) for one in asking if not one.steers),
        steered_by=tuple(_asked(one, one.chat_id == row.chat_id) for one in asking if one.steers),
    )


def _asked(row: Row[Any], is_here: bool) -> Asked:
    reply_to = row.reply_to if is_here else None
    replied = None if row.reply_to is None else (Chat(row.front, row.chat_id), row.reply_to)
    said = (row.message_id, row.sender_name, row.prompt, reply_to, row.sent_at)
    return Asked(*said, is_here, row.sender_username, replied, carries=row.carries)


def _in(chat: Chat) -> dict[str, str]:
    return {"on": chat.front, "chat": chat.key}


def _still(turn: Turn) -> tuple[ColumnElement[bool], ...]:
    """It runs as it was begun."""
    return turns.c.id == turn.id, turns.c.status == "running", turns.c.epoch == turn.epoch


def _held(turn: Turn) -> dict[str, int]:
    """As it was begun, and nothing has joined since it was read."""
    return {"turn": turn.id, "as_begun": turn.epoch, "as_read": turn.joined}
