"""Receive: a message becomes a committed row before anything is shown for it, and only once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from conversations import (
    attachment_store,
    buttons,
    chat_store,
    move_store,
    question_store,
    steering,
    stopping,
    store,
    turn_store,
)
from conversations.alert_store import Alert, write_alert
from conversations.attribution import as_read, attributed
from conversations.chat_store import ChatRow
from conversations.commands import Command, read_command
from conversations.lifting import stopped_in
from conversations.moves import follow
from conversations.recall import keep
from conversations.receipt import Receipt
from conversations.store import Filing, Known
from conversations.turn import TurnKind, TurnRow
from core.access import (
    Accounts,
    Admission,
    Reason,
    Refusal,
    administers,
    administers_all,
    admit,
    all_entries,
    as_listed,
    entries_for,
)
from core.clock import Clock
from core.database import Database
from core.message import Chat, ChatKind, Message
from core.workspaces import Role, WorkspaceConfig

log = structlog.get_logger("telegram.inbox")
MINUTE = timedelta(minutes=1)
BEFORE = "written before this chat was admitted"
TOO_OLD = "too old to be answered when it was read"
ALBUM = "part of an album that asks"
NOT_ASKED = "a reaction to what asks nothing"
TOO_MANY = "stopped: more than {limit} answers in a minute"
LIVE, HISTORY = "live", "history"
STOP = Command("stop")
LIMITED = (ChatKind.DM, ChatKind.GROUP)
DECIDING = frozenset({"stop", "cancel", "approve", "refuse"})  # what is under way can be ended and allowed at any time


@dataclass(frozen=True, slots=True)
class Limits:
    """How late an answer may come (`hours`), how many a chat gets in a minute, how long a message may join a turn."""

    hours: float = 24
    answers_per_minute: int = 20
    join_seconds: float = 1.5


class Inbox:
    """The way into the ledger. `config` and `accounts` are asked at each message: both may change while we run."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        config: Callable[[], WorkspaceConfig],
        accounts: Callable[[], Accounts],
        limits: Limits,
    ) -> None:
        self._database = database
        self._clock = clock
        self._config = config
        self._accounts = accounts
        self._limits = limits
        self._nonces: set[str] = set()

    @contextmanager
    def expecting(self, nonce: str) -> Generator[None]:
        """Within the block, a message to ourselves that holds `nonce` is answered: the self-ping."""
        self._nonces.add(nonce)
        try:
            yield
        finally:
            self._nonces.discard(nonce)

    async def note_configuration(self) -> None:
        """Keep on disk since when each line of the configuration admits: nothing older is ever new."""
        entries, now = all_entries(self._config()), self._clock.now()
        await self._database.write("admit", lambda connection: chat_store.admit_since(connection, entries, now))

    async def receive(self, message: Message) -> Receipt:
        """One live message or edit, committed when this returns."""
        return await self._database.write("receive", lambda connection: self._take(connection, message, LIVE))

    async def receive_waiting(self, messages: Sequence[Message]) -> list[Receipt]:
        """What waited in one chat while nobody listened, oldest first, in one transaction."""

        def take(connection: Connection) -> list[Receipt]:
            return [self._take(connection, message, HISTORY) for message in messages]

        return await self._database.write("receive-waiting", take)

    async def receive_page(self, chat: Chat, messages: Sequence[Message]) -> list[Receipt]:
        """A page of history, oldest first: its rows and the chat's mark in one transaction."""

        def take(connection: Connection) -> list[Receipt]:
            receipts = [self._take(connection, message, HISTORY) for message in messages]
            chat_store.set_mark(connection, chat, max(message.id for message in messages))
            return receipts

        return await self._database.write("receive-page", take)

    async def open_questions(self, front: str) -> dict[Chat, list[int]]:
        """The messages of a front that ask for a consent which nobody has given or refused."""
        asked = await self._database.read(lambda connection: question_store.open_on(connection, front))
        return {one.chat: [other.message_id for other in asked if other.chat == one.chat] for one in asked}

    async def is_question(self, chat: Chat, message_id: int) -> bool:
        """Whether one of our messages asks for a consent which nobody has given or refused."""
        asked = await self._database.read(lambda connection: question_store.asked_in(connection, chat, message_id))
        return asked is not None

    def _take(self, connection: Connection, message: Message, via: str) -> Receipt:
        if not self._follow(connection, message):
            return self._store(connection, message, via)
        if message.move and message.chat == message.move.new:
            return Receipt(message, Reason.SERVICE, moved=True)  # its chat is ours from now on: it will be read
        return replace(self._store(connection, message, via), moved=True)

    def _follow(self, connection: Connection, message: Message) -> bool:
        if message.move is None or move_store.destination_of(connection, message.move.old.key) is not None:
            return False
        return follow(connection, message.move, self._config(), self._clock.now())

    def _store(self, connection: Connection, message: Message, via: str) -> Receipt:
        message = buttons.place(connection, message)
        replied = message.pressed is not None or store.is_reply_to_us(connection, message)
        config = self._config_for(connection, message)
        message = replace(message, sender=as_listed(message.sender, config))
        verdict = self._judge(connection, message, replied, config)
        if isinstance(verdict, Refusal):
            return self._refuse(connection, message, verdict)
        if message.pressed:
            spelled = buttons.spell_out(connection, message)
            if spelled is None:
                return Receipt(message, NOT_ASKED)
            message, verdict = spelled, replace(verdict, prompt=spelled.text)
        message, verdict = attributed(message), as_read(message, verdict)
        chat = chat_store.find_chat(connection, message.chat) or self._first_seen(connection, message, config)
        known = store.find_message(connection, message)
        is_below = message.id <= chat.floor and not message.pressed
        if is_below or store.is_told(connection, message) or (known and known.says_all_of(message)):
            return _again(message, verdict.reason, known)
        return self._file(connection, _Case(message, verdict, chat, via, known))

    def _first_seen(self, connection: Connection, message: Message, config: WorkspaceConfig) -> ChatRow:
        entries = entries_for(message.kind, message.chat.key, message.sender, config)
        since = chat_store.since_of(connection, entries) or self._clock.now()
        return chat_store.add_chat(connection, message.chat, message.kind, message.title, since)

    def _config_for(self, connection: Connection, message: Message) -> WorkspaceConfig:
        """The configuration, with the move of the message's group that was noted a moment ago, perhaps in this very
        transaction: `config` learns of it after the commit, and a bot is never told again what was said meanwhile."""
        config, key = self._config(), message.chat.key.partition("/")[0]
        if message.kind is not ChatKind.GROUP or config.entry_of(key) is not None:
            return config
        former = move_store.former_of(connection, key)
        return config if former is None else replace(config, moved={**config.moved, key: former})

    def _judge(
        self, connection: Connection, message: Message, replied: bool, config: WorkspaceConfig
    ) -> Admission | Refusal:
        if message.kind is ChatKind.SELF and any(nonce in message.text for nonce in self._nonces):
            return Admission(config.default_workspace(), Role.OWNER, True, "self-ping", message.text)
        if message.kind is ChatKind.GROUP and chat_store.knows_any(connection, config.twins_of(message.chat.key)):
            return Refusal(Reason.TWIN)
        return admit(message, config, self._accounts(), replied, message.workspace)

    def _refuse(self, connection: Connection, message: Message, refusal: Refusal) -> Receipt:
        if not refusal.quiet and store.count_refusal(connection, message, refusal.reason, self._clock.now()):
            who = message.sender.username or message.sender.id
            log.warning("Refused.", chat=message.chat.key, sender=who, reason=refusal.reason)
        return Receipt(message, refusal.reason)

    def _file(self, connection: Connection, case: _Case) -> Receipt:
        known = case.known
        if known is not None and known.turn_id is not None:
            return self._note_edit(connection, case, known, known.turn_id)
        receipt = self._answer(connection, case) if case.verdict.answer else self._leave(connection, case)
        filing = Filing(
            workspace=case.verdict.workspace.name,
            role=case.verdict.role,
            prompt=case.verdict.prompt,
            answer=receipt.turn_id is not None,
            reason=receipt.reason,
            via=case.via,
            turn_id=receipt.turn_id,
        )
        if known is None:
            store.add_message(connection, case.message, filing, self._clock.now())
        else:
            store.change_message(connection, known, case.message, filing)
        if receipt.turn_id is not None:
            keep(connection, case.message.replied, filing.workspace, case.via, self._clock.now())
        return receipt

    def _note_edit(self, connection: Connection, case: _Case, known: Known, turn_id: int) -> Receipt:
        """The new text of a message that has its answer, or will: its turn reads it as long as it has not ended, or
        ends when it says so."""
        turn = turn_store.find_row(connection, turn_id) if case.verdict.answer else None
        is_stop = read_command(case.verdict.prompt) == STOP
        if turn and is_stop and stopping.may_end(connection, case.message, case.verdict.role, turn):
            store.change_text(connection, known, case.message, None)
            return self._end(connection, case, turn)
        is_read, joined = (False, 0) if turn is None else self._correct(connection, turn, case, known)
        store.change_text(connection, known, case.message, case.verdict.prompt if is_read else None)
        return Receipt(case.message, known.reason, turn_id=turn_id, joined=joined)

    def _correct(self, connection: Connection, turn: TurnRow, case: _Case, known: Known) -> tuple[bool, int]:
        """Whether the turn reads the new text, and the count that tells one which runs that it has to begin again."""
        now, prompt = self._clock.now(), case.verdict.prompt
        if turn_store.is_untouched(connection, turn.id):
            return True, 0
        begun = turn_store.begun(connection, turn.chat)
        if prompt == known.prompt or begun is None or begun.id != turn.id:
            return False, 0
        if not self._may_join(connection, turn):
            steering.correct(connection, turn, case.message, prompt, now)
            return True, 0
        return True, _take_in(connection, turn, case.message, turn.role)

    def _answer(self, connection: Connection, case: _Case) -> Receipt:
        """Give the message its turn, unless something speaks against it."""
        message, now = case.message, self._clock.now()
        command = read_command(case.verdict.prompt)
        place = (message.chat, case.verdict.workspace, self._config())
        is_lift = command is not None and command.name == "lift" and administers(message.sender, *place)
        if is_lift and not self._is_overdue(message, now):
            return self._begin(connection, case, TurnKind.COMMAND)
        if case.chat.stopped_reason and not message.pressed and (command is None or command.name not in DECIDING):
            return Receipt(message, case.chat.stopped_reason)
        if (case.via == HISTORY or message.edited_at is not None) and message.sent_at < case.chat.since:
            return Receipt(message, BEFORE)
        if self._is_overdue(message, now):
            return Receipt(message, TOO_OLD)
        role = self._role_to(command, case)
        if message.pressed and (told := buttons.why_not(connection, message, command, role, now)):
            return Receipt(message, f"pressed: {told}", told=told)
        if command is not None and command.name == "stop":
            return self._stop(connection, case, command)
        if command is not None:
            return self._open(connection, case, TurnKind.COMMAND)
        return self._join(connection, case) or self._open(connection, case, TurnKind.AGENT)

    def _is_overdue(self, message: Message, now: datetime) -> bool:
        return message.sent_at < (message.heard_at or now) - timedelta(hours=self._limits.hours)

    def _role_to(self, command: Command | None, case: _Case) -> Role:
        """What the sender is to a command: who is let in is no workspace's business, but the installation's."""
        if command is None or command.name not in buttons.ADMITTING:
            return case.verdict.role
        is_owner = administers_all(case.message.sender, case.message.chat, self._config())
        return Role.OWNER if is_owner else Role.GUEST

    def _leave(self, connection: Connection, case: _Case) -> Receipt:
        """No answer of its own: it is context, ends the sender's own turn, or belongs to the message of its album that
        gets one."""
        message = case.message
        is_stop = case.verdict.reason == Reason.NO_MENTION and read_command(case.verdict.prompt) == STOP
        if is_stop and (own := stopping.own(connection, message)) is not None:
            return self._end_with(connection, case, own)
        turn_id = attachment_store.album_turn(connection, message) if case.verdict.reason == Reason.NO_MENTION else None
        turn = None if turn_id is None else turn_store.find_row(connection, turn_id)
        if turn is None or turn.kind is TurnKind.COMMAND or not self._may_join(connection, turn):
            return Receipt(message, case.verdict.reason)
        joined = _take_in(connection, turn, message, case.verdict.role)
        return Receipt(message, ALBUM, True, turn.id, joined=joined)

    def _open(self, connection: Connection, case: _Case, kind: TurnKind) -> Receipt:
        message, now = case.message, self._clock.now()
        is_limited = message.kind in LIMITED and not message.pressed  # no two programs press each other's buttons
        if not is_limited or not self._is_too_much(connection, case.chat, now):
            return self._begin(connection, case, kind)
        reason = TOO_MANY.format(limit=self._limits.answers_per_minute)
        chat_store.set_stopped(connection, message.chat, reason, now)
        write_alert(connection, Alert(alert := stopped_in(message, reason)), self._config(), now)
        return Receipt(message, reason, alert=alert)

    def _begin(self, connection: Connection, case: _Case, kind: TurnKind) -> Receipt:
        turn_id = turn_store.open_turn(connection, case.message, case.verdict, kind, self._clock.now())
        return Receipt(case.message, case.verdict.reason, True, turn_id, kind)

    def _is_too_much(self, connection: Connection, chat: ChatRow, now: datetime) -> bool:
        since = max(now - MINUTE, chat.lifted_at) if chat.lifted_at else now - MINUTE
        return turn_store.count_since(connection, chat.chat, since) >= self._limits.answers_per_minute

    def _join(self, connection: Connection, case: _Case) -> Receipt | None:
        """Put the message into the turn that waits, has only just begun, or can be steered; None when there is none."""
        waiting = turn_store.last_open(connection, case.message.chat)
        begun = turn_store.begun(connection, case.message.chat)
        theirs = [turn for turn in (waiting, begun) if turn and turn.requester_id == case.message.sender.id]
        if begun is not None and begun not in theirs and (receipt := self._steer(connection, begun, case)):
            return receipt
        if waiting is not None and waiting not in theirs and case.via == HISTORY:
            theirs.insert(0, waiting)
        for turn in theirs:
            if turn.workspace == case.verdict.workspace.name and self._may_join(connection, turn):
                joined = _take_in(connection, turn, case.message, case.verdict.role)
                return Receipt(case.message, case.verdict.reason, True, turn.id, joined=joined)
        return self._steer(connection, begun, case) if begun is not None else None

    def _steer(self, connection: Connection, turn: TurnRow, case: _Case) -> Receipt | None:
        """Say it to the turn that is under way, where the sender may; what has to be looked at is the next turn's."""
        message, now = case.message, self._clock.now()
        is_there = turn.workspace == case.verdict.workspace.name and not message.attachments
        if not is_there or not steering.may_steer(connection, turn, message, case.verdict.role):
            return None
        steering.steer(connection, turn, message, case.verdict.prompt, now)
        return Receipt(message, case.verdict.reason, True, turn.id)

    def _may_join(self, connection: Connection, turn: TurnRow) -> bool:
        return turn_store.may_join(connection, turn, self._clock.now(), self._limits.join_seconds)

    def _stop(self, connection: Connection, case: _Case, command: Command) -> Receipt:
        """End the turn that is meant; else a command says why not."""
        turn = stopping.meant(connection, case.message, case.verdict.role, command.number)
        if turn is not None:
            return self._end_with(connection, case, turn)
        if case.chat.stopped_reason:
            return Receipt(case.message, case.chat.stopped_reason)
        return self._open(connection, case, TurnKind.COMMAND)

    def _end_with(self, connection: Connection, case: _Case, turn: TurnRow) -> Receipt:
        """The message that ends a turn is one of those it answers."""
        turn_store.join(connection, turn, case.message, turn.role)
        return self._end(connection, case, turn)

    def _end(self, connection: Connection, case: _Case, turn: TurnRow) -> Receipt:
        stopping.request(connection, case.message, turn)
        return Receipt(case.message, "command: stop", True, turn.id, stopped=True)


@dataclass(frozen=True, slots=True)
class _Case:
    """One admitted message on its way into the ledger."""

    message: Message
    verdict: Admission
    chat: ChatRow
    via: str
    known: Known | None


def _again(message: Message, reason: str, known: Known | None) -> Receipt:
    """The receipt of a message that is nothing new; where its row has another number, that one's."""
    if known is None:
        return Receipt(message, reason)
    return Receipt(replace(message, id=known.number), reason, turn_id=known.turn_id)


def _take_in(connection: Connection, turn: TurnRow, message: Message, role: Role) -> int:
    """Have the turn's run begin with the message, or with its new text; how often that has grown or changed."""
    turn_store.join(connection, turn, message, role)
    turn_store.begin_anew(connection, turn)
    return turn.joined + 1
