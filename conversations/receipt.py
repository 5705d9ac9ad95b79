"""What became of a message that a front received."""

from __future__ import annotations

from dataclasses import dataclass

from conversations.turn import TurnKind
from core.message import Message


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a message.

    `is_new`: it gets an answer that it did not have coming. `turn_id` is the turn that gives it. One that runs already
    has to begin again when it has read less than `joined` (which counts what the turn's run begins with), and to end
    when `stopped`. `moved`: it told, first of all, that its group became a supergroup. `alert` is a sentence for the
    owner, `told` one for who pressed a button from which nothing follows.
    """

    message: Message
    reason: str
    is_new: bool = False
    turn_id: int | None = None
    kind: TurnKind = TurnKind.AGENT
    joined: int = 0
    stopped: bool = False
    moved: bool = False
    alert: str | None = None
    told: str = ""

    @property
    def command(self) -> int | None:
        """The turn, where it is a command's: one that waits for no other."""
        return self.turn_id if self.kind is TurnKind.COMMAND else None
