"""Every query of the table `attachments`. Each function runs inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, exists, insert, or_, select, update

from conversations.turn import Turn
from core.attachment import Attachment, Kind
from core.message import Chat, Message
from core.schema import attachments, messages

SPOKEN = frozenset({Kind.VOICE, Kind.AUDIO})
QUOTED = 500  # characters of a transcript that a chat's past shows
FIELDS = ("mime", "size", "name", "seconds", "note", "reference")
CARRIES = exists().where(attachments.c.message_row == messages.c.id)  # of a row of `messages`


@dataclass(frozen=True, slots=True)
class Stored:
    """An attachment with what is known of it by now.

    `what` its content is, in a few words; `text` is what it says, `picture` the type of a picture, `problem` why it
    cannot be read.
    """

    id: int
    chat: Chat
    message_id: int
    attachment: Attachment
    state: str
    what: str | None
    picture: str | None
    text: str | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """What reading an attachment came to: text, a picture's type, or why it cannot be read."""

    text: str | None = None
    what: str | None = None
    picture: str | None = None
    problem: str | None = None


def add(connection: Connection, message_row: int, carried: Sequence[Attachment]) -> None:
    new = {"message_row": message_row, "state": "new"}
    rows = [asdict(one) | new | {"place": place} for place, one in enumerate(carried)]
    if rows:
        connection.execute(insert(attachments), rows)


def change(connection: Connection, message_row: int, carried: Sequence[Attachment]) -> None:
    """An edit: what was there already keeps what is known of it."""
    known = [_attachment(row) for row in connection.execute(_of_rows([message_row]))]
    if known != list(carried):
        connection.execute(delete(attachments).where(attachments.c.message_row == message_row))
        add(connection, message_row, carried)


def labels(connection: Connection, message_rows: Iterable[int]) -> dict[int, str]:
    """What each of these messages carried, as the chat's past shows it; nothing of those that carried nothing."""
    told: dict[int, str] = {}
    for row in connection.execute(_of_rows(message_rows)):
        told[row.message_row] = f"{told.get(row.message_row, '')} {_label(row)}".strip()
    return told


def holding(word: str) -> ColumnElement[bool]:
    """Whether a row of `messages` in the enclosing statement carries something that says this word, or is named so."""
    says = or_(*(attachments.c[name].icontains(word, autoescape=True) for name in ("text", "name", "note")))
    return exists().where(attachments.c.message_row == messages.c.id, says)


def of_turn(connection: Connection, turn: Turn) -> list[Stored]:
    """What a turn is asked about: what its messages carry, and what the rest of their albums does."""
    return _with_albums(connection, turn, messages.c.turn_id == turn.id)


def of_message(connection: Connection, turn: Turn, message_id: int) -> list[Stored]:
    """What a message of the turn's chat carries, with the rest of its album: what is replied to."""
    return _with_albums(connection, turn, and_(*_in(turn.chat), messages.c.message_id == message_id))


def of_chat(connection: Connection, chat: Chat, workspace: str, number: int) -> Stored | None:
    """An attachment by its number, where it was sent in this chat to this workspace."""
    here = (*_in(chat), messages.c.workspace == workspace)
    found = _where(connection, and_(*here, attachments.c.id == number))
    return found[0] if found else None


def note(connection: Connection, attachment_id: int, found: Found) -> None:
    """Keep what reading came to."""
    state = "read" if found.problem is None else "unread"
    values = asdict(found) | {"state": state}
    connection.execute(update(attachments).where(attachments.c.id == attachment_id).values(values))


def album_turn(connection: Connection, message: Message) -> int | None:
    """The turn that answers another message of this one's album."""
    if message.album is None:
        return None
    query = select(messages.c.turn_id).where(
        *_in(message.chat),
        messages.c.album == message.album,
        messages.c.sender_id == message.sender.id,
        messages.c.turn_id.is_not(None),
    )
    return connection.execute(query.order_by(messages.c.id).limit(1)).scalar()


def known_ids(connection: Connection, ids: Iterable[int]) -> set[int]:
    """Which of these attachments are still there."""
    return set(connection.execute(select(attachments.c.id).where(attachments.c.id.in_(tuple(ids)))).scalars())


def place_of(number: int) -> str:
    """Where the content of an attachment lies in data/media."""
    return f"in/{number}"


def _where(connection: Connection, which: ColumnElement[bool]) -> list[Stored]:
    columns = (messages.c.front, messages.c.chat_id, messages.c.message_id)
    query = select(attachments, *columns).join(messages, attachments.c.message_row == messages.c.id)
    rows = connection.execute(query.where(which).order_by(messages.c.message_id, attachments.c.place))
    return [_stored(row) for row in rows]


def _with_albums(connection: Connection, turn: Turn, own: ColumnElement[bool]) -> list[Stored]:
    albums = connection.execute(select(messages.c.album).where(own, messages.c.album.is_not(None))).scalars().all()
    return _where(connection, or_(own, and_(*_in(turn.chat), messages.c.album.in_(albums))) if albums else own)


def _in(chat: Chat) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return messages.c.front == chat.front, messages.c.chat_id == chat.key


def _of_rows(message_rows: Iterable[int]) -> Any:
    query = select(attachments).where(attachments.c.message_row.in_(tuple(message_rows)))
    return query.order_by(attachments.c.message_row, attachments.c.place)


def _label(row: Row[Any]) -> str:
    kind = Kind(row.kind)
    label = f"[{_attachment(row).label}]"
    return f"{label} {row.text[:QUOTED]}" if row.text and kind in SPOKEN else label


def _stored(row: Row[Any]) -> Stored:
    known = (row.state, row.what, row.picture, row.text, row.problem)
    return Stored(row.id, Chat(row.front, row.chat_id), row.message_id, _attachment(row), *known)


def _attachment(row: Row[Any]) -> Attachment:
    return Attachment(Kind(row.kind), **{name: getattr(row, name) for name in FIELDS})
