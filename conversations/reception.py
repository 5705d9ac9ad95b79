"""Where fronts hand in what they hear: the row first, then the first sign and the turn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from conversations.catchup import CatchUp, Reader
from conversations.decisions import Decisions
from conversations.inbox import Inbox
from conversations.moves import Moves
from conversations.pairing import Pairing
from conversations.receipt import Receipt
from conversations.signs import Signs
from conversations.turns import Turns
from conversations.writable import when_writable
from core.message import Chat, Message, Sign
from core.protocols import Front

Alert = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Reception:
    """Implements core.protocols.Receiver for every front; `alert` tells the owner a sentence."""

    inbox: Inbox
    turns: Turns
    signs: Signs
    catchup: CatchUp
    fronts: dict[str, Front]
    alert: Alert
    moves: Moves
    pairing: Pairing
    decisions: Decisions

    async def receive(self, message: Message) -> None:
        """Returns when the message is a row, however long the database cannot be written."""
        if not await self.catchup.has_read(message):
            await when_writable(lambda: self.take(message))

    async def take(self, message: Message) -> Receipt:
        """The same for a front that wants to know what became of it."""
        message = self.pairing.spelled(message)
        receipt = await self.inbox.receive(message)
        if await self.pairing.meet(message, receipt.reason):
            receipt = await self.inbox.receive(message)
        self._act_on(receipt)
        if receipt.moved:
            # Nobody would come back to it: heard again, the message is nothing new.
            await when_writable(lambda: self._go_on_there(message.chat.front))
        if receipt.alert is not None:
            await self.alert(receipt.alert)
        if receipt.is_new:
            self.turns.wake(message.chat, receipt.command)
        return receipt

    async def press(self, message: Message) -> str:
        receipts: list[Receipt] = []

        async def take() -> None:
            receipts.append(await self.take(message))

        await when_writable(take)
        return receipts[-1].told

    async def receive_waiting(self, messages: Sequence[Message]) -> None:
        """Returns when the messages are rows; `catch_up` begins their turns."""
        receipts: list[Receipt] = []
        spelled = [self.pairing.spelled(message) for message in messages]

        async def take() -> None:
            receipts.extend(await self.inbox.receive_waiting(spelled))

        await when_writable(take)
        for sentence in self._arrived(receipts):
            await self.alert(sentence)
        for receipt in receipts:
            if await self.pairing.meet(receipt.message, receipt.reason):
                await self.receive(receipt.message)

    async def belongs(self, chat: Chat, title: str, is_part: bool) -> None:
        await when_writable(lambda: self.catchup.belongs(chat, title, is_part))
        await when_writable(lambda: self._go_on_there(chat.front))

    async def catch_up(self, front: str) -> None:
        """Read the histories of a front, and begin a turn in each chat that has been read.

        Raises Unreachable when the front does not answer: what was read until then is answered all the same, and the
        next connection reads on from the marks.
        """
        alerts: list[str] = []
        waiting: defaultdict[Chat, set[int | None]] = defaultdict(set)

        def arrived(receipts: list[Receipt]) -> None:
            alerts.extend(self._arrived(receipts))
            for receipt in receipts:
                if receipt.is_new:
                    waiting[receipt.message.chat].add(receipt.command)

        def finished(chat: Chat) -> None:
            for command in waiting.pop(chat, ()):
                self.turns.wake(chat, command)

        try:
            await when_writable(lambda: self.catchup.read(self.fronts[front], Reader(arrived, finished)))
            await self.decisions.reread(self.fronts[front], self.press)
        finally:
            await when_writable(lambda: self._go_on_there(front))
        for sentence in alerts:
            await self.alert(sentence)

    async def reread(self, front: str, since: datetime) -> None:
        async for message in self.catchup.edited(self.fronts[front], since):
            await self.receive(message)

    async def _go_on_there(self, front: str) -> None:
        """Begin the turns of all chats, those that have become others included."""
        await self.moves.load()
        await self.turns.begin_all([front])

    def _arrived(self, receipts: list[Receipt]) -> list[str]:
        for receipt in receipts:
            self._act_on(receipt)
        return [receipt.alert for receipt in receipts if receipt.alert is not None]

    def _act_on(self, receipt: Receipt) -> None:
        """What follows a commit: the sign, the read mark, and the running turn's restart or end."""
        if receipt.turn_id is None:
            return
        chat = receipt.message.chat
        if receipt.is_new and not receipt.message.pressed:
            self.signs.show(chat, [receipt.message.id], Sign.SEEN)
            self.signs.mark_read(chat, receipt.message.id)
        if receipt.stopped:
            self.turns.stop(receipt.turn_id)
        elif receipt.joined:
            self.turns.take_in(receipt.turn_id, receipt.joined)
