"""Deliver: every row that is ready reaches its chat once, in the order of writing."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from conversations import answer_store, turn_store
from conversations import delivery_store as rows
from conversations.alert_store import DAY, Alert, write_alert
from conversations.delivery import Delivery, Shown
from conversations.enclosures import Enclosures
from conversations.moves import Moves
from conversations.pace import Pace, Paces
from conversations.signs import Signs
from conversations.turn import TurnEnd
from core.clock import Clock
from core.database import Database, Work
from core.errors import (
    AlreadySent,
    Closed,
    DatabaseError,
    FloodWait,
    Moved,
    SessionError,
    SlowMode,
    Undeliverable,
    Unreachable,
)
from core.events import Events, Told
from core.message import Chat, Sent, Sign
from core.protocols import Front

log = structlog.get_logger("telegram.outbox")
FIRST_RETRY = 1.0
LONGEST_RETRY = 60.0
SHUT = "I cannot write in chat {chat}: {error} What I owe it stays a dead letter."
SLOW = "Chat {chat} is in slow mode, so my answers there wait: make the account an admin of it to lift that for me."
PHOTO = "photo"  # how a front names a picture that it shows as one


@dataclass(frozen=True, slots=True)
class OutboxDoors:
    """What delivering needs of its neighbours."""

    database: Database
    clock: Clock
    events: Events
    signs: Signs
    moves: Moves
    enclosures: Enclosures
    paces: Paces = field(default_factory=Paces)


class Outbox:
    """Sends what is owed. One sender a chat, many chats at once; `wake` after every commit that owes something.

    Whatever was ready before this process began, or was tried at all, may have arrived already: it is looked for in the
    chat before it is sent again, always under the same key. Where a front keeps no keys each send is on disk before it
    is begun: one that may have happened is repeated once, marked, and never more.
    """

    def __init__(self, doors: OutboxDoors) -> None:
        self._database, self._clock = doors.database, doors.clock
        self._events, self._signs = doors.events, doors.signs
        self._enclosures = doors.enclosures
        self.pace = Pace(doors.clock, doors.paces)
        self._moves = doors.moves
        doors.moves.listeners.append(self.wake)
        self._fronts: dict[str, Front] = {}
        self._senders: dict[Chat, asyncio.Task[None]] = {}
        self._woken: dict[Chat, asyncio.Event] = {}
        self._rung = asyncio.Event()
        self._tried: set[int] = set()
        self._shown: dict[int, Shown] = {}  # sent without a key, and not written down yet: nothing else would tell
        self._due: dict[tuple[int, Chat], float] = {}  # by where it is owed: it may be handed on
        self._before: int | None = None  # None: not open, nothing is sent

    async def open(self) -> None:
        """Note which rows are older than this process: before that nothing is sent."""
        await self._database.write("uncover", answer_store.uncover)
        self._before = await self._database.read(rows.last_id)
        self._rung.set()

    def attach(self, front: Front) -> None:
        self._fronts[front.name] = front
        self.wake()

    def detach(self, name: str) -> None:
        self._fronts.pop(name, None)

    def wake(self, chat: Chat | None = None) -> None:
        """Something is owed: in `chat`, or somewhere."""
        if chat is not None:
            self._serve(self._moves.destination_of(chat))
        else:
            self._rung.set()

    async def run(self) -> None:
        """Serve until cancelled."""
        try:
            while True:
                await self._rung.wait()
                self._rung.clear()
                await self._serve_all()
        finally:
            self._before = None
            for sender in self._senders.values():
                sender.cancel()
            await asyncio.gather(*self._senders.values(), return_exceptions=True)

    async def _serve_all(self) -> None:
        try:
            owed = await self._database.read(lambda connection: rows.owed_chats(connection, self._fronts))
        except DatabaseError as error:
            log.warning("What is owed cannot be read; it is tried again.", error=str(error))
            asyncio.get_running_loop().call_later(FIRST_RETRY, self._rung.set)
            return
        for chat in owed:
            self._serve(chat)

    def _serve(self, chat: Chat) -> None:
        """Start the chat's sender, or have the one at work look once more: before it ends, and while it waits."""
        if self._before is None or chat.front not in self._fronts:
            return
        if chat in self._senders:
            self._woken[chat].set()
            return
        self._woken[chat] = asyncio.Event()
        sender = asyncio.create_task(self._send_all(chat), name=f"outbox {chat.key}")
        self._senders[chat] = sender
        sender.add_done_callback(lambda done: self._ended(chat, done))

    def _ended(self, chat: Chat, sender: asyncio.Task[None]) -> None:
        del self._senders[chat]
        woken = self._woken.pop(chat)
        if sender.cancelled():
            return
        error = sender.exception()
        if error is not None:
            log.error("A chat's sender ended; it is tried again.", chat=chat.key, exc_info=error)
            asyncio.get_running_loop().call_later(FIRST_RETRY, self._serve, chat)
        elif woken.is_set():
            self._serve(chat)

    async def _send_all(self, chat: Chat) -> None:
        woken = self._woken[chat]
        while chat.front in self._fronts:
            woken.clear()
            due = next_due(await self._database.read(lambda connection: rows.owed_in(connection, chat)))
            if due is None:
                return
            if due.came_from is not None and due.came_from in self._senders:
                await self._let_end(due.came_from)
                continue
            if await self._is_due(due, woken) and (front := self._fronts.get(chat.front)) is not None:
                await self._begin(front, due)

    async def _let_end(self, chat: Chat) -> None:
        """Wait for the sender of a chat that has become another: what it is at belongs to nobody else meanwhile."""
        self._woken[chat].set()
        await asyncio.wait([self._senders[chat]])

    async def _is_due(self, delivery: Delivery, woken: asyncio.Event) -> bool:
        """Wait for the row's time; False when something else may be due first by now."""
        while (seconds := self._seconds_until(delivery)) > 0:
            if await self._is_woken_within(seconds, woken):
                return False
        self._due.pop(_place(delivery), None)
        self._keep_pace(delivery)
        return True

    def _keep_pace(self, delivery: Delivery) -> None:
        """Counted from before a call and from behind it, so that what the chat sees is never closer."""
        if _is_growth(delivery):
            self.pace.change(delivery.chat)
        elif delivery.may_grow:
            self.pace.begin(delivery.chat, delivery.id)

    def _seconds_until(self, delivery: Delivery) -> float:
        """What grows keeps its pace, too."""
        own = self._seconds_left(delivery)
        return max(own, self.pace.seconds_until(delivery.chat, delivery.id)) if _is_growth(delivery) else own

    def _seconds_left(self, delivery: Delivery) -> float:
        """By the boot clock, so that a changed wall clock holds nothing up; an old process's time within reason."""
        if delivery.not_before is None:
            return 0.0
        if (place := _place(delivery)) not in self._due:
            seconds = (delivery.not_before - self._clock.now()).total_seconds()
            self._due[place] = self._clock.boot() + min(seconds, LONGEST_RETRY)
        return self._due[place] - self._clock.boot()

    async def _is_woken_within(self, seconds: float, woken: asyncio.Event) -> bool:
        waits = [asyncio.create_task(woken.wait()), asyncio.create_task(self._clock.sleep(seconds))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return woken.is_set()

    async def _begin(self, front: Front, delivery: Delivery) -> None:
        """Where a front keeps no keys a send is written down first."""
        if front.keeps_keys or delivery.message_id is not None or delivery.id in self._shown:
            return await self._deliver(front, delivery)
        begun = await self._database.write("intent", lambda connection: rows.begin_send(connection, delivery))
        return None if begun is None else await self._deliver(front, begun)

    async def _deliver(self, front: Front, delivery: Delivery) -> None:
        try:
            shown = await self._show(front, delivery)
        except SlowMode as wait:
            await self._postpone(delivery, wait.seconds, wait)
            await self._tell_owner(Alert(SLOW.format(chat=delivery.chat.key), DAY, delivery.chat))
        except FloodWait as wait:
            await self._postpone(delivery, wait.seconds, wait)
        except (Unreachable, SessionError) as error:
            await self._postpone(delivery, _backoff(delivery.attempts), error)
        except Moved as error:
            await self._follow(delivery, error)
        except Closed as error:
            await self._bury(delivery, str(error))
            await self._tell_owner(Alert(SHUT.format(chat=delivery.chat.key, error=error), DAY, delivery.chat))
        except Undeliverable as error:
            await self._bury(delivery, str(error))
        else:
            self._keep_pace(delivery)
            now = self._clock.now()
            await self._settle("sent", delivery, lambda connection: rows.mark_sent(connection, delivery, shown, now))
            await self._enclosures.let_go(delivery)
            if shown.is_current:
                self._events.publish(_told(delivery, shown.message_id))

    async def _show(self, front: Front, delivery: Delivery) -> Shown:
        """Edit, or send once: what may have arrived already is looked for first."""
        if delivery.message_id is not None:
            part = delivery.part
            await front.edit(part.chat, delivery.message_id, part.text, part.entities, part.buttons)
            return Shown(delivery.chat, delivery.message_id)
        if front.keeps_keys and self._may_have_arrived(delivery):
            found = await self._look(front, delivery)
            if found is not None:
                return found
        self._tried.add(delivery.id)
        if delivery.id in self._shown:
            return self._shown[delivery.id]
        try:
            part = replace(delivery.part, file=await self._enclosures.load(delivery))
            shown = Shown(delivery.chat, await front.send(part))
        except AlreadySent:
            return await self._look(front, delivery) or Shown(delivery.chat, None)
        if not front.keeps_keys:
            self._shown[delivery.id] = shown
        return shown

    def _may_have_arrived(self, delivery: Delivery) -> bool:
        return bool(delivery.attempts) or delivery.id <= (self._before or 0) or delivery.id in self._tried

    async def _look(self, front: Front, delivery: Delivery) -> Shown | None:
        """The message that this delivery has become already, if any, that no other row has."""
        found = None
        if delivery.came_from is not None:
            with suppress(Undeliverable):  # a group that became a supergroup may be closed to us
                found = await self._look_in(front, replace(delivery, reply_to=None), delivery.came_from)
        return found or await self._look_in(front, delivery, delivery.chat)

    async def _look_in(self, front: Front, delivery: Delivery, chat: Chat) -> Shown | None:
        since = delivery.reply_to
        if since is None:
            since = await self._database.read(lambda connection: rows.told_before(connection, delivery, chat))
        seen = [sent for sent in await front.sent_after(chat, since) if _is_it(sent, delivery, chat)]
        ids = [sent.id for sent in seen]
        taken = await self._database.read(lambda connection: rows.claimed(connection, chat, ids))
        found = next((sent for sent in seen if sent.id not in taken), None)
        return None if found is None else Shown(chat, found.id, _reads(found, delivery.text))

    async def _follow(self, delivery: Delivery, error: Moved) -> None:
        """What was owed to a group is owed to the supergroup that it has become, where that is ours to answer."""
        await self._database.write("unsent", lambda connection: rows.forget_send(connection, delivery))
        if await self._moves.follow(error.move):
            self.wake(error.move.new)
        else:
            await self._bury(delivery, str(error))

    async def _bury(self, delivery: Delivery, error: str) -> None:
        """A dead letter, unless it is a whole answer whose beginning alone cannot be changed any more."""
        log.warning("A message will never arrive.", delivery=delivery.id, chat=delivery.chat.key, error=error)

        def bury(connection: Connection) -> None:
            if _is_growth(delivery) and turn_store.is_ended(connection, delivery.turn_id or 0):
                return rows.tell_anew(connection, delivery)
            rows.forget_send(connection, delivery)
            return rows.bury(connection, delivery, error)

        await self._settle("bury", delivery, bury)

    async def _tell_owner(self, alert: Alert) -> None:
        config, now = self._moves.config, self._clock.now()
        if await self._database.write("alert", lambda connection: write_alert(connection, alert, config, now)):
            log.warning(alert.sentence)
            self.wake()

    async def _settle(self, name: str, delivery: Delivery, write: Work[None]) -> None:
        """Write what became of a row; with the last one of a turn its chat is shown how it went."""

        def settle(connection: Connection) -> TurnEnd | None:
            write(connection)
            if delivery.may_grow and delivery.promise_id is not None:
                answer_store.uncover(connection)
            return None if delivery.turn_id is None else turn_store.told_end(connection, delivery.turn_id)

        end = await self._database.write(name, settle)
        self._tried.discard(delivery.id)
        self._shown.pop(delivery.id, None)
        if end is not None:
            self._signs.show(delivery.chat, end.asked, sign_of(end))

    async def _postpone(self, delivery: Delivery, seconds: float, error: Exception) -> None:
        """Try again later; a send without a key whose outcome nobody knows once, then never."""
        is_lost = delivery.status == "ambiguous" and type(error) is Unreachable
        if is_lost and delivery.sends >= rows.SENDS:
            log.warning("Whether a message has arrived is not known.", delivery=delivery.id, chat=delivery.chat.key)
            await self._settle("give-up", delivery, lambda c: rows.postpone(c, delivery, None, str(error)))
            return
        if isinstance(error, FloodWait) and _is_growth(delivery):
            self.pace.refused(delivery.chat, seconds)
        log.info("A message waits.", delivery=delivery.id, chat=delivery.chat.key, seconds=seconds, error=str(error))
        self._due[_place(delivery)] = self._clock.boot() + seconds
        until = self._clock.now() + timedelta(seconds=seconds)

        def postpone(connection: Connection) -> None:
            rows.postpone(connection, delivery, until, str(error))
            if not is_lost:
                rows.forget_send(connection, delivery)

        await self._database.write("postpone", postpone)


def next_due(owed: list[Delivery]) -> Delivery | None:
    """The first row to be told: in order, but one held back holds back only what was written of its promise since.

    A change of a message that stands already never keeps a new one waiting. What grows goes before other changes.
    """
    held = [row for row in owed if row.status == "held"]
    ready = (row for row in owed if row.status in {"ready", "ambiguous"} and not _is_held_back(row, held))
    return min(ready, key=_rank, default=None)


def _is_held_back(row: Delivery, held: list[Delivery]) -> bool:
    """By an acknowledgement that waits for its turn's answer; that answer itself is not."""
    others = (one for one in held if one.id < row.id and not (row.may_grow and one.turn_id == row.turn_id))
    return row.promise_id is not None and any(one.promise_id == row.promise_id for one in others)


def _place(delivery: Delivery) -> tuple[int, Chat]:
    return delivery.id, delivery.chat


def _rank(row: Delivery) -> tuple[bool, bool, int]:
    is_change = row.message_id is not None
    return is_change, is_change and not row.may_grow, row.id


def _is_growth(delivery: Delivery) -> bool:
    """An answer that stands already and is to say more."""
    return delivery.may_grow and delivery.message_id is not None


def _told(delivery: Delivery, message_id: int | None) -> Told:
    place = (delivery.id, delivery.chat, message_id, delivery.reply_to)
    said = (delivery.kind, delivery.text, delivery.promise_id)
    return Told(*place, *said, is_edit=delivery.message_id is not None)


def sign_of(end: TurnEnd) -> Sign:
    return Sign.DONE if end.has_arrived and end.status in {"done", "stopped"} else Sign.FAILED


def _is_it(sent: Sent, delivery: Delivery, chat: Chat) -> bool:
    """A message whose target is gone is sent without one (see Front.send); what a moved row replied to is not known."""
    texts = (delivery.text, *delivery.former)
    is_reply = chat != delivery.chat or sent.reply_to in {delivery.reply_to, None}
    if sent.file not in ({None} if delivery.file is None else {delivery.file, PHOTO}):
        return False
    return is_reply and any(_reads(sent, text) for text in texts)


def _reads(sent: Sent, text: str) -> bool:
    return sent.text.strip() == text.strip()


def _backoff(attempts: int) -> float:
    return min(LONGEST_RETRY, FIRST_RETRY * 2 ** min(attempts, 16))
