"""A turn: one run of an agent, or one command, that answers one chat."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.message import Chat, Person
from core.protocols import Asker
from core.workspaces import Role


class TurnKind(StrEnum):
    AGENT = "agent"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Asked:
    """One message that a turn answers. `replied` is what it replies to, where it was written; `reply_to` here alone.

    `carries` says whether anything came with its words.
    """

    message_id: int
    sender_name: str
    prompt: str
    reply_to: int | None
    sent_at: datetime
    is_here: bool = True  # False: written in the group that its chat was
    sender_username: str | None = None
    replied: tuple[Chat, int] | None = None
    carries: bool = False


@dataclass(frozen=True, slots=True)
class TurnRow:
    """A row of `turns`: all that a message needs to know of the turn that it may join, steer or stop."""

    id: int
    chat: Chat
    workspace: str
    kind: TurnKind
    requester_id: int
    requester_name: str
    role: Role
    reply_to: int
    joined: int
    run_id: str
    epoch: int
    attempts: int
    stop_requested_by: str | None


@dataclass(frozen=True, slots=True)
class Turn(TurnRow):
    """The row with the messages it answers, oldest first.

    `asked` are those that its run begins with; those in `steered_by` reach the same run as steps of its journal.
    """

    asked: tuple[Asked, ...]
    steered_by: tuple[Asked, ...] = ()

    @property
    def asker(self) -> Asker:
        return Asker(
            self.chat, self.reply_to or None, self.requester_id, self.requester_name, self.role, self.workspace
        )

    @property
    def person(self) -> Person:
        """Who gave a command: that has one message."""
        return Person(self.requester_id, self.asked[0].sender_username, self.requester_name)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The messages of its chat that it answers; presses are none."""
        asked = (one for one in (*self.asked, *self.steered_by) if one.is_here)
        return tuple(one.message_id for one in asked if one.message_id > 0)

    @property
    def prompt(self) -> str:
        """What its run begins with, all messages in order."""
        return "\n".join(asked.prompt for asked in self.asked)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a turn ended, and what its chat is told."""

    status: str
    text: str
    error_id: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class TurnEnd:
    """An ended turn of which nothing more is to be told: the messages it answered, and whether all of it arrived."""

    status: str
    asked: tuple[int, ...]
    has_arrived: bool
