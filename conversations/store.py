"""Every query of messages and the audit. Each function runs inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from conversations import attachment_store
from conversations.attribution import split_mark
from conversations.delivery_store import is_ours
from core.access import Reason
from core.audit_store import Refused, count_refused
from core.message import Chat, Message
from core.protocols import Said
from core.schema import chats, deliveries, files, messages, promises, turns

OURS = "Valor"
TOLD = ("sent", "ready", "open", "ambiguous")
IS_WRITTEN = messages.c.message_id > 0  # presses of buttons are below
# What every message asks is built once: building a statement costs more than running it.
IN: dict[str, BindParameter[str]] = {"front": bindparam("front"), "chat_id": bindparam("chat")}
IS_SAME = or_(messages.c.message_id == bindparam("number"), messages.c.inbound_key == bindparam("key"))
LINE = ("id", "message_id", "reply_to", "sender_name", "sent_at", "text")
SAID = select(*(messages.c[name] for name in LINE), attachment_store.CARRIES.label("carries"))
ADD_MESSAGE = insert(messages)
SAME_MESSAGE = select(messages).filter_by(**IN).where(IS_SAME)


@dataclass(frozen=True, slots=True)
class Known:
    """A message that has its row already."""

    row: int
    number: int
    reason: str
    text: str
    prompt: str
    edited_at: datetime | None
    turn_id: int | None

    def says_all_of(self, message: Message) -> bool:
        """Whether it is a message delivered twice, or an edit that is not newer."""
        if self.reason == Reason.REPLIED:
            return False
        if message.edited_at is None or self.edited_at is None:
            return message.edited_at is None
        # Fronts tell whole seconds: of two edits within one, the text alone tells the second from the first come again.
        return message.edited_at < self.edited_at or (message.edited_at, message.text) == (self.edited_at, self.text)


@dataclass(frozen=True, slots=True)
class Filing:
    """What a new row says beside the message itself."""

    workspace: str
    role: str
    prompt: str
    answer: bool
    reason: str
    via: str
    turn_id: int | None


@dataclass(frozen=True, slots=True)
class Why:
    """Why a stored message was or was not answered, and what became of its turn."""

    chat: Chat
    message_id: int
    sender: str
    sent_at: datetime
    answer: bool
    reason: str
    turn_id: int | None
    turn_status: str | None


def find_message(connection: Connection, message: Message) -> Known | None:
    same = {"number": message.id, "key": message.inbound_key}
    row = connection.execute(SAME_MESSAGE, _named(message.chat) | same).first()
    if row is None:
        return None
    return Known(row.id, row.message_id, row.reason, row.text, row.prompt, row.edited_at, row.turn_id)


def add_message(connection: Connection, message: Message, filing: Filing, now: datetime) -> int:
    """A new row, and those of what the message carries; raises IntegrityError when the message has one."""
    row = {
        "front": message.chat.front,
        "chat_id": message.chat.key,
        "message_id": message.id,
        "inbound_key": message.inbound_key,
        "sender_id": message.sender.id,
        "sender_username": message.sender.username,
        "sender_name": message.sender.name,
        "sent_at": message.sent_at,
        "received_at": now,
        "edited_at": message.edited_at,
        "text": message.text,
        "reply_to": message.reply_to,
        "workspace": filing.workspace,
        "role": filing.role,
        "prompt": filing.prompt,
        "answer": filing.answer,
        "reason": filing.reason,
        "via": filing.via,
        "turn_id": filing.turn_id,
        "album": message.album,
    }
    key: Any = connection.execute(ADD_MESSAGE, row).inserted_primary_key
    attachment_store.add(connection, int(key[0]), message.attachments)
    return int(key[0])


def change_message(connection: Connection, known: Known, message: Message, filing: Filing) -> None:
    """An edit, or what was known from a reply alone: the new text, and what is to be done about it."""
    attachment_store.change(connection, known.row, message.attachments)
    connection.execute(
        update(messages)
        .where(messages.c.id == known.row)
        .values(
            text=message.text,
            reply_to=message.reply_to,
            prompt=filing.prompt,
            edited_at=message.edited_at,
            workspace=filing.workspace,
            role=filing.role,
            answer=filing.answer,
            reason=filing.reason,
            turn_id=filing.turn_id,
        )
    )


def change_text(connection: Connection, known: Known, message: Message, prompt: str | None) -> None:
    """An edit that changes nothing of the answer; `prompt` None leaves what the agent reads."""
    if prompt is not None:
        attachment_store.change(connection, known.row, message.attachments)
    read = {} if prompt is None else {"prompt": prompt}
    changed = {"text": message.text, "edited_at": message.edited_at, **read}
    connection.execute(update(messages).where(messages.c.id == known.row).values(**changed))


def was_pressed(connection: Connection, message: Message, since: datetime) -> bool:
    """Whether the last button that the same person has pressed in the chat since then is the same, and something came
    of it."""
    theirs = (messages.c.sender_id == message.sender.id, messages.c.message_id < 0, messages.c.answer)
    query = select(messages.c.reply_to, messages.c.text).where(*_is(messages, message.chat), *theirs)
    last = query.where(messages.c.received_at >= since).order_by(messages.c.id.desc()).limit(1)
    return connection.execute(last).first() == (message.reply_to, message.text)


def is_reply_to_us(connection: Connection, message: Message) -> bool:
    """Also where the message replied to was only read in the history: its delivery may not know its number yet."""
    if message.reply_to is None:
        return False
    own = (messages.c.message_id == message.reply_to, messages.c.reason == Reason.OWN)
    read = connection.execute(select(messages.c.id).where(*_is(messages, message.chat), *own)).first()
    return read is not None or is_ours(connection, message.chat, message.reply_to)


def is_told(connection: Connection, message: Message) -> bool:
    """Whether the message is one of our own deliveries, come back in the history."""
    return message.outgoing and is_ours(connection, message.chat, message.id)


def first_of(connection: Connection, turn_id: int) -> tuple[int, datetime] | None:
    """The number and the time of the first message that a turn answers."""
    query = select(messages.c.message_id, messages.c.sent_at).where(messages.c.turn_id == turn_id)
    row = connection.execute(query.order_by(messages.c.sent_at, messages.c.message_id).limit(1)).first()
    return None if row is None else (row.message_id, row.sent_at)


def count_refusal(connection: Connection, message: Message, reason: str, now: datetime) -> bool:
    """Note in the audit that a message was not let in; True for the first of its kind."""
    refused = Refused(
        "access",
        reason,
        place=message.chat.key,
        front=message.chat.front,
        sender_id=message.sender.id,
        sender_name=message.sender.username or message.sender.name,
    )
    return count_refused(connection, refused, now)


def recent(connection: Connection, chat: Chat, before: int, limit: int, workspace: str | None = None) -> list[Said]:
    """The last `limit` lines of a chat older than message `before`, oldest first; ours are by OURS.

    With a `workspace` only what was said in it: configuration may have moved the chat.
    """
    said, told = _past(workspace is not None)
    where = {**_named(chat), "before": before, "most": limit, "workspace": workspace}
    theirs = _said(connection, connection.execute(said, where).all())
    ours = [Said(row.message_id, OURS, row.sent_at, _told(row)) for row in connection.execute(told, where)]
    return sorted(_merged(theirs, ours), key=_number)[-limit:]


@cache
def _past(is_within: bool) -> tuple[Select[*tuple[Any, ...]], Select[*tuple[Any, ...]]]:
    """What others and what we said before a message; `is_within` a workspace."""
    told = select(deliveries.c.message_id, deliveries.c.sent_at, deliveries.c.text, files.c.name.label("file"))
    told = told.filter_by(**IN).outerjoin(files, files.c.id == deliveries.c.file_id)
    number, own = messages.c.message_id, deliveries.c.message_id
    said = SAID.filter_by(**IN).where(IS_WRITTEN, number < bindparam("before")).order_by(number.desc())
    told = told.where(deliveries.c.kind != "progress", own < bindparam("before")).order_by(own.desc())
    if is_within:
        said, told = said.where(messages.c.workspace == bindparam("workspace")), told.where(_told_in())
    return said.limit(bindparam("most")), told.limit(bindparam("most"))


def line(connection: Connection, chat: Chat, message_id: int) -> tuple[Said, int | None] | None:
    """One message of a chat, whoever wrote it, and what it replied to."""
    theirs = connection.execute(SAID.where(*_is(messages, chat), messages.c.message_id == message_id)).first()
    if theirs is not None:
        return _said(connection, [theirs])[0], theirs.reply_to
    with_file = select(deliveries, files.c.name.label("file")).outerjoin(files, files.c.id == deliveries.c.file_id)
    ours = connection.execute(with_file.where(*_is(deliveries, chat), deliveries.c.message_id == message_id)).first()
    return None if ours is None else (Said(message_id, OURS, ours.sent_at, _told(ours)), ours.reply_to)


def search(connection: Connection, chat: Chat, words: list[str], limit: int) -> list[Said]:
    """What was said in one chat holding all `words`, in what it carried too, newest first."""
    holds = [or_(messages.c.text.icontains(word, autoescape=True), attachment_store.holding(word)) for word in words]
    found = SAID.where(*_is(messages, chat), IS_WRITTEN, *holds)
    query = found.order_by(messages.c.message_id.desc()).limit(limit)
    theirs = _said(connection, connection.execute(query).all())
    held = [deliveries.c.text.icontains(word, autoescape=True) for word in words]
    told = select(deliveries).where(*_is(deliveries, chat), deliveries.c.status.in_(TOLD), *held)
    rows = connection.execute(told.order_by(deliveries.c.id.desc()).limit(limit))
    ours = [Said(row.message_id, OURS, row.sent_at or row.created_at, row.text) for row in rows]
    return sorted(_merged(theirs, ours), key=lambda said: said.at, reverse=True)[:limit]


def oldest(connection: Connection, chat: Chat) -> int:
    """The oldest message of a chat from which on its ledger is whole; 0 for none. What somebody replied to or edited
    may be older."""
    since = select(chats.c.since).where(*_is(chats, chat)).scalar_subquery()
    heard = (*_is(messages, chat), IS_WRITTEN, messages.c.reason != Reason.REPLIED, messages.c.sent_at >= since)
    query = select(func.min(messages.c.message_id)).where(*heard)
    return connection.execute(query).scalar() or 0


def why(connection: Connection, key: str, message_id: int) -> list[Why]:
    """What each front that stored this message says of it."""
    joined = messages.outerjoin(turns, messages.c.turn_id == turns.c.id)
    query = select(messages, turns.c.status.label("turn_status")).select_from(joined)
    fronts = select(chats.c.front).where(chats.c.chat_id == key)  # without them SQLite would read every message
    here = (messages.c.front.in_(fronts), messages.c.chat_id == key, messages.c.message_id == message_id)
    rows = connection.execute(query.where(*here))
    return [
        Why(
            Chat(row.front, key),
            message_id,
            row.sender_name or str(row.sender_id),
            row.sent_at,
            row.answer,
            row.reason,
            row.turn_id,
            row.turn_status,
        )
        for row in rows
    ]


def _said(connection: Connection, rows: Sequence[Any]) -> list[Said]:
    """Rows of SAID as lines: what they carried, and what was written with it."""
    carrying = [row.id for row in rows if row.carries]
    carried = attachment_store.labels(connection, carrying) if carrying else {}
    return [
        Said(row.message_id, row.sender_name, row.sent_at, _with(carried.get(row.id, ""), row.text)) for row in rows
    ]


def _with(carried: str, text: str) -> str:
    """What was written, with what came with it; whose words both are stands before them."""
    mark, words = split_mark(text)
    return mark + " ".join(part for part in (carried, words) if part)


def _told(row: Any) -> str:
    """A row of `deliveries` as a line, with the name of its `file`."""
    return f"[file {row.file}] {row.text}".strip() if row.file and not row.text.startswith("[file ") else row.text


def _told_in() -> ColumnElement[bool]:
    """What a turn or a promise of the workspace told, and what neither did."""
    turn = exists().where(turns.c.id == deliveries.c.turn_id, turns.c.workspace == bindparam("workspace"))
    promise = exists().where(promises.c.id == deliveries.c.promise_id, promises.c.workspace == bindparam("workspace"))
    by_neither = and_(deliveries.c.turn_id.is_(None), deliveries.c.promise_id.is_(None))
    return or_(turn, promise, by_neither)


def _merged(theirs: list[Said], ours: list[Said]) -> list[Said]:
    """A message of ours that the history told of before its delivery knew its number is in both."""
    known = {said.message_id for said in ours if said.message_id is not None}
    return [said for said in theirs if said.message_id not in known] + ours


def _named(chat: Chat) -> dict[str, Any]:
    return {"front": chat.front, "chat": chat.key}


def _number(said: Said) -> int:
    return said.message_id or 0


def _is(table: Any, chat: Chat) -> tuple[Any, Any]:
    return table.c.front == chat.front, table.c.chat_id == chat.key
