"""Every query of the table `deliveries`. Each function runs inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    update,
)

from conversations import file_store, move_store
from conversations.delivery import ANSWER, FILE, Delivery, Draft, Shown, new_key, untold
from conversations.typeset import repeated
from core.message import Button, Chat, Entity, Piece
from core.schema import Moment, deliveries, files, turns

BUTTONED = "bot:"  # fronts that can show buttons
OWED = ("held", "open", "ready", "ambiguous")
SENDS = 2  # where nobody knows whether the first one arrived
# Spelled out in the statement: with bound values SQLite does not see that its partial index serves.
IS_OWED = deliveries.c.status.in_([literal_column(f"'{status}'") for status in OWED])
IS_GIVEN_UP = and_(deliveries.c.status == "ambiguous", deliveries.c.sends >= SENDS)
IS_HELD = deliveries.c.status == literal_column("'held'")
CHANGEABLE = ("open", "ready", "sent", "ambiguous")
# Statements on the way of every delivery are built once: building one costs more than running it.
ADD = insert(deliveries)
WITH_FILE = select(deliveries, files.c.name.label("file")).outerjoin(files, files.c.id == deliveries.c.file_id)
OWED_IN = WITH_FILE.where(
    IS_OWED, ~IS_GIVEN_UP, deliveries.c.front == bindparam("front"), deliveries.c.chat_id == bindparam("chat")
)
IS_TOLD = and_(deliveries.c.version == bindparam("shown_version"), bindparam("is_current", type_=Boolean))
IS_AMBIGUOUS = deliveries.c.status == "ambiguous"
UNENDED = exists().where(turns.c.id == deliveries.c.turn_id, turns.c.status.in_(("open", "running")))
IS_GROWING = and_(deliveries.c.kind == ANSWER, UNENDED.correlate(deliveries))
MARK_SENT = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("number"), deliveries.c.message_id.is_not_distinct_from(bindparam("stood")))
    .values(
        front=bindparam("by"),
        chat_id=bindparam("chat"),
        message_id=bindparam("message"),
        former_chat=null(),
        sent_at=func.coalesce(deliveries.c.sent_at, bindparam("now", type_=Moment)),
        attempts=0,
        not_before=None,
        error=None,
        status=case(
            (and_(IS_TOLD, IS_GROWING), "open"), (IS_TOLD, "sent"), (IS_AMBIGUOUS, "ready"), else_=deliveries.c.status
        ),
        former=case((IS_TOLD, null()), else_=deliveries.c.former),
    )
)


def owe(connection: Connection, draft: Draft, now: datetime) -> list[int]:
    """Write a draft's rows, one a piece; their ids, in order."""
    draft = following(connection, draft)
    return write_parts(connection, draft, list(enumerate(draft.pieces, _first_part(connection, draft))), now)


def _first_part(connection: Connection, draft: Draft) -> int:
    """0, but for the files of a turn or a promise, which are counted on."""
    if draft.kind != FILE:
        return 0
    same = (deliveries.c.turn_id == draft.turn_id, deliveries.c.promise_id == draft.promise_id)
    last = select(func.max(deliveries.c.part)).where(deliveries.c.kind == FILE, *same)
    found = connection.execute(last).scalar()
    return 0 if found is None else found + 1


def write_parts(connection: Connection, draft: Draft, parts: list[tuple[int, Piece]], now: datetime) -> list[int]:
    """The rows of these parts; the last one's with the file and the buttons."""
    file_id = None if draft.enclosed is None else file_store.add(connection, draft.enclosed)
    ids = [insert_part(connection, draft, number, piece, now) for number, piece in parts]
    last = {"file_id": file_id, "buttons": buttons_of(draft)}
    if ids and any(last.values()):
        connection.execute(update(deliveries).where(deliveries.c.id == ids[-1]).values(last))
    return ids


def buttons_of(draft: Draft) -> list[list[str]] | None:
    """What can be pressed, as a row keeps it; None on a front that shows no buttons."""
    return [list(button) for button in draft.buttons] or None if draft.chat.front.startswith(BUTTONED) else None


def following(connection: Connection, draft: Draft) -> Draft:
    """The draft for what its chat has become: numbers of messages stay behind with a group that is a supergroup now."""
    key = move_store.destination_of(connection, draft.chat.key)
    return draft if key is None else replace(draft, chat=Chat(draft.chat.front, key), reply_to=None)


def insert_part(connection: Connection, draft: Draft, number: int, piece: Piece, now: datetime) -> int:
    row = {
        "front": draft.chat.front,
        "chat_id": draft.chat.key,
        "reply_to": draft.reply_to,
        "kind": draft.kind,
        "part": number,
        "turn_id": draft.turn_id,
        "promise_id": draft.promise_id,
        "status": "held" if draft.held else "ready",
        "random_id": new_key(),
        "created_at": now,
        **content_of(piece),
    }
    return _key(connection.execute(ADD, row).inserted_primary_key)


def is_owed_since(connection: Connection, draft: Draft, since: datetime) -> bool:
    """Whether the same was written for the chat since then."""
    same = (
        deliveries.c.kind == draft.kind,
        deliveries.c.text == draft.pieces[0].text,
        deliveries.c.created_at >= since,
    )
    return connection.execute(select(deliveries.c.id).where(*_of(draft.chat), *same).limit(1)).first() is not None


def reword(connection: Connection, promise_id: int, kind: str, text: str, now: datetime) -> bool:
    """Change the one line of that kind which the promise shows; False when it shows none yet (then `owe` it)."""
    row = connection.execute(
        select(deliveries).where(
            deliveries.c.promise_id == promise_id, deliveries.c.kind == kind, deliveries.c.part == 0
        )
    ).first()
    if row is None:
        return False
    pieces = Draft(Chat(row.front, row.chat_id), kind, text).pieces
    if row.status not in CHANGEABLE or not pieces:
        return True
    change(connection, row, pieces[0])
    return True


def change(connection: Connection, row: Row[Any], piece: Piece, **also: Any) -> None:
    """Let a row say something else: the chat is told, or the message that stands there edited. Other columns may change
    with it."""
    # A send under way may show the text as it was: the look before a resend must know it.
    former = [] if row.message_id is not None else [*(row.former or ()), row.text]
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id == row.id)
        .values(
            status=case((IS_AMBIGUOUS, "ambiguous"), else_="ready"),
            version=deliveries.c.version + 1,
            former=former or None,
            **content_of(repeated(piece) if row.sends >= SENDS else piece),
            **also,
        )
    )


def take_buttons(connection: Connection, promise_id: int, *kinds: str) -> None:
    """Leave nothing to press under what was told of a promise under kinds that begin so: it has been decided."""
    told = (deliveries.c.promise_id == promise_id, or_(*(deliveries.c.kind.startswith(kind) for kind in kinds)))
    is_shown = and_(deliveries.c.status == "sent", deliveries.c.message_id.is_not(None))
    connection.execute(
        update(deliveries)
        .where(*told, deliveries.c.buttons.is_not(None))
        .values(
            buttons=null(),
            version=deliveries.c.version + 1,
            status=case((is_shown, "ready"), else_=deliveries.c.status),
        )
    )


def readdress(connection: Connection, chat: Chat, there: Chat, kind: str) -> None:
    """Let another chat be told what one was to be told under a kind, of no turn and no promise, and has not got yet."""
    free = (deliveries.c.turn_id.is_(None), deliveries.c.promise_id.is_(None), deliveries.c.message_id.is_(None))
    owed = (*_of(chat), IS_OWED, deliveries.c.status == "ready", deliveries.c.kind == kind)
    anew = {"front": there.front, "chat_id": there.key, "reply_to": None, "attempts": 0, "not_before": None}
    connection.execute(update(deliveries).where(*owed, *free).values(anew))


def make_room(connection: Connection, promise_id: int, kinds: Iterable[str], number: int) -> None:
    """Let what was told of a promise under these kinds stand as `KIND NUMBER`, so that it can be told anew."""
    told = (deliveries.c.promise_id == promise_id, deliveries.c.kind.in_(tuple(kinds)))
    connection.execute(update(deliveries).where(*told).values(kind=deliveries.c.kind + f" {number}"))


def owed_chats(connection: Connection, fronts: Iterable[str]) -> list[Chat]:
    """The chats of these fronts that something is ready for."""
    return [Chat(row.front, row.chat_id) for row in connection.execute(owing_chats(fronts))]


def owing_chats(fronts: Iterable[str]) -> Select[Any, Any]:
    """The statement. With the front as it is SQLite would read all that was ever sent through it, by another index."""
    query = select(deliveries.c.front, deliveries.c.chat_id).where(
        deliveries.c.status.in_(("ready", "ambiguous")),
        IS_OWED,
        ~IS_GIVEN_UP,
        deliveries.c.front.concat("").in_(tuple(fronts)),
    )
    return query.distinct()


def told_before(connection: Connection, delivery: Delivery, chat: Chat) -> int:
    """The newest message that stood in a chat before this row was written; 0 for none: where a look may begin."""
    written = select(deliveries.c.created_at).where(deliveries.c.id == delivery.id).scalar_subquery()
    before = (deliveries.c.id < delivery.id, deliveries.c.sent_at < written)
    query = select(func.max(deliveries.c.message_id)).where(*_of(chat), *before)
    return connection.execute(query).scalar() or 0


def owed_in(connection: Connection, chat: Chat) -> list[Delivery]:
    """What is not told yet in one chat, in order of writing."""
    # Put in order here: told to, SQLite would go through all that was ever told in the chat, for that is in order.
    rows = connection.execute(OWED_IN, {"front": chat.front, "chat": chat.key}).all()
    return [_delivery(row) for row in sorted(rows, key=lambda row: row.id)]


def last_id(connection: Connection) -> int:
    """The newest row's id: what stood before this start may have been sent already."""
    return connection.execute(select(func.max(deliveries.c.id))).scalar() or 0


def mark_sent(connection: Connection, delivery: Delivery, shown: Shown, now: datetime) -> None:
    """The front shows it. Where that is not the row's text (any more) it stays ready: the message is edited next.

    One that was sent while its group became a supergroup stays with the group, unless it has to say something else by
    now; an edit of it there counts no more. One that was sent while it was readdressed stays where it was sent.
    """
    values = {"number": delivery.id, "message": shown.message_id, "now": now}
    values |= {"by": shown.chat.front, "chat": shown.chat.key, "stood": delivery.message_id}
    connection.execute(MARK_SENT, {**values, "shown_version": delivery.version, "is_current": shown.is_current})
    there = move_store.destination_of(connection, shown.chat.key)
    if there is not None:  # though it may not have been so when this sender began
        move_store.leave_behind(connection, shown.chat.key, there)


def begin_send(connection: Connection, delivery: Delivery) -> Delivery | None:
    """On disk before a send that has no key: from here on it may have happened. The second one says that it is.

    None when its chat has become another one meanwhile: there it has to wait for its turn.
    """
    this = WITH_FILE.where(deliveries.c.id == delivery.id)
    row = connection.execute(this.where(*_of(delivery.chat))).first()
    if row is None:
        return None
    piece = Piece(row.text, _entities(row))
    begun = {"status": "ambiguous", "sends": row.sends + 1, **content_of(repeated(piece) if row.sends else piece)}
    connection.execute(update(deliveries).where(deliveries.c.id == row.id).values(begun))
    return _delivery(connection.execute(this).one())


def forget_send(connection: Connection, delivery: Delivery) -> None:
    """The send that was begun is known to have done nothing; told twice it counts once."""
    is_same = (deliveries.c.id == delivery.id, deliveries.c.sends == delivery.sends)
    is_begun = (*is_same, IS_AMBIGUOUS, deliveries.c.message_id.is_(None))
    status = case((deliveries.c.sends == 1, "ready"), else_="ambiguous")
    connection.execute(update(deliveries).where(*is_begun).values(sends=deliveries.c.sends - 1, status=status))


def postpone(connection: Connection, delivery: Delivery, until: datetime | None, error: str) -> None:
    """Try again at `until`, unless another front is to tell it by now."""
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery.id, deliveries.c.front == delivery.chat.front)
        .values(attempts=deliveries.c.attempts + 1, not_before=until, error=error)
    )


def bury(connection: Connection, delivery: Delivery, error: str) -> None:
    """It will never arrive: a dead letter, unless its chat has become another one meanwhile."""
    still = (deliveries.c.id == delivery.id, *_of(delivery.chat))
    connection.execute(update(deliveries).where(*still).values(status="dead", error=error))


def tell_anew(connection: Connection, delivery: Delivery) -> None:
    """Its message is gone, or can be changed no more: another one is sent."""
    connection.execute(update(deliveries).where(deliveries.c.id == delivery.id).values(untold()))


def claimed(connection: Connection, chat: Chat, message_ids: Iterable[int]) -> set[int]:
    """Which of these messages a row is known to have become."""
    query = select(deliveries.c.message_id).where(*_of(chat), deliveries.c.message_id.in_(tuple(message_ids)))
    return {found for found in connection.execute(query).scalars() if found is not None}


def answer_of(connection: Connection, turn_id: int) -> str:
    """All that a turn told, the parts in order."""
    told = deliveries.c.status.not_in(("held", "dropped"))
    query = select(deliveries.c.text).where(deliveries.c.turn_id == turn_id, told).order_by(deliveries.c.id)
    return "\n\n".join(connection.execute(query).scalars())


def promises_of(connection: Connection, turn_id: int) -> list[int]:
    """The promises that a turn made."""
    made = deliveries.c.promise_id.is_not(None)
    query = select(deliveries.c.promise_id).where(deliveries.c.turn_id == turn_id, made).distinct()
    return [found for found in connection.execute(query).scalars() if found is not None]


def promises_in(connection: Connection, chat: Chat, message_id: int) -> list[int]:
    """The promises that one of our messages speaks of: its own, and those whose acknowledgements it covers."""
    query = select(deliveries).where(*_of(chat), deliveries.c.message_id == message_id)
    told = connection.execute(query).first()
    if told is None:
        return []
    is_covered = deliveries.c.status == "dropped" if told.promise_id else deliveries.c.promise_id.is_not(None)
    covered = select(deliveries.c.promise_id).where(deliveries.c.turn_id == told.turn_id, is_covered)
    found = {told.promise_id, *connection.execute(covered.where(deliveries.c.kind == "ack")).scalars()}
    return sorted(number for number in found if number is not None)


def is_ours(connection: Connection, chat: Chat, message_id: int) -> bool:
    """Whether a row became this message."""
    return bool(claimed(connection, chat, [message_id]))


def count_owed(connection: Connection) -> int:
    """How many rows are still to be told, in all chats."""
    return connection.execute(select(func.count()).where(IS_OWED, ~IS_GIVEN_UP)).scalar() or 0


def _of(chat: Chat) -> tuple[Any, Any]:
    return deliveries.c.front == chat.front, deliveries.c.chat_id == chat.key


def content_of(piece: Piece) -> dict[str, Any]:
    return {"text": piece.text, "entities": [_plain(entity) for entity in piece.entities]}


def _plain(entity: Entity) -> dict[str, Any]:
    return {name: value for name, value in asdict(entity).items() if value is not None}


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        chat=Chat(row.front, row.chat_id),
        kind=row.kind,
        status=row.status,
        text=row.text,
        entities=_entities(row),
        reply_to=row.reply_to,
        random_id=row.random_id,
        version=row.version,
        message_id=row.message_id,
        attempts=row.attempts,
        not_before=row.not_before,
        turn_id=row.turn_id,
        promise_id=row.promise_id,
        former=tuple(row.former or ()),
        came_from=Chat(row.front, row.former_chat) if row.former_chat else None,
        file_id=row.file_id,
        file=row.file,
        sends=row.sends,
        may_grow=row.kind == ANSWER and row.part == 0,
        buttons=tuple(Button(*button) for button in row.buttons or ()),
    )


def _entities(row: Row[Any]) -> tuple[Entity, ...]:
    return tuple(Entity(**entity) for entity in row.entities)


def _key(primary_key: Any) -> int:
    return int(primary_key[0])
