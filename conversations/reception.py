"""Where fronts hand in what they hear: the row first, then the first sign and the turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from conversations.catchup import CatchUp
from conversations.inbox import Inbox, Receipt
from conversations.signs import Signs
from conversations.turn import TurnKind
from conversations.turns import Turns
from core.message import Message, Sign
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

    async def receive(self, message: Message) -> None:
        receipt = await self.take(message)
        if receipt.alert is not None:
            await self.alert(receipt.alert)

    async def take(self, message: Message) -> Receipt:
        """The same for a front that wants to know what became of it."""
        receipt = await self.inbox.receive(message)
        self._act_on(receipt)
        if receipt.is_new:
            command = receipt.turn_id if receipt.kind is TurnKind.COMMAND else None
            self.turns.wake(message.chat, command)
        return receipt

    async def catch_up(self, front: str) -> None:
        """Read the histories of a front, then begin a turn in each chat. Raises Unreachable when it does not answer."""
        await self.catchup.read(self.fronts[front], self._arrived)
        await self.turns.begin_all([front])

    def _arrived(self, receipts: list[Receipt]) -> None:
        for receipt in receipts:
            self._act_on(receipt)

    def _act_on(self, receipt: Receipt) -> None:
        """What follows a commit: the sign, the read mark, and the running turn's restart or end."""
        if not receipt.is_new or receipt.turn_id is None:
            return
        chat = receipt.message.chat
        self.signs.show(chat, [receipt.message.id], Sign.SEEN)
        self.signs.mark_read(chat, receipt.message.id)
        if receipt.stopped:
            self.turns.stop(receipt.turn_id)
        elif receipt.joined:
            self.turns.take_in(receipt.turn_id, receipt.message.id)
