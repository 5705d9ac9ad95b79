"""Steering: what is said to a turn that is under way and can no longer be joined (B5).

It reaches the agent before its next model request. What the turn ends without having taken becomes the next turn.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from conversations import turn_store
from conversations.history import WORDLESS
from conversations.turn import Ending, Turn, TurnRow
from core.access import Action, may
from core.message import Message, Person
from core.workspaces import Role
from runtime import steer_store
from runtime.steer_store import Said

FINAL = ("stopped", "aside")  # ends after which nothing that was said to the turn is taken up again


def may_steer(connection: Connection, turn: TurnRow, message: Message, role: Role) -> bool:
    """The requester may, and whoever may stop others' work where they reply to something of that turn.

    Never in reply to something else, which is to be read with it, and never with fewer rights than the turn has: what
    it does is done with those it began with.
    """
    if list(Role).index(role) > list(Role).index(turn.role):
        return False
    is_theirs = turn.requester_id == message.sender.id
    if message.reply_to is None:
        return is_theirs
    return (is_theirs or may(role, Action.STOP_OTHERS)) and turn_store.speaks_of(connection, turn, message.reply_to)


def steer(connection: Connection, turn: TurnRow, message: Message, prompt: str, now: datetime) -> None:
    """The message belongs to the turn from now on."""
    steer_store.add_message(connection, turn.run_id, _wrote(message, prompt), now)


def correct(connection: Connection, turn: TurnRow, message: Message, prompt: str, now: datetime) -> None:
    """A message of the turn says something else now; one that waits to be taken just changes."""
    if not steer_store.reword(connection, turn.run_id, _wrote(message, prompt)):
        text = f"{_name(message.sender)} corrected what they wrote before to: {prompt}"
        steer_store.add_correction(connection, turn.run_id, Said(message.chat.key, message.id, text), now)


def pass_on(connection: Connection, turn: Turn, ending: Ending, now: datetime) -> None:
    """Let what the turn has ended without become the next turns, one for each person, in order.

    After a stop nothing of it begins again. A correction without the answer it was to change gets none of its own.
    """
    if not steer_store.is_steered(connection, turn.run_id):
        return
    if ending.status not in FINAL:
        turn_store.hand_over(connection, turn, now)
    steer_store.drop_waiting(connection, turn.run_id)


def _wrote(message: Message, prompt: str) -> Said:
    text = f"Meanwhile {_name(message.sender)} wrote: {prompt if prompt.strip() else WORDLESS}"
    return Said(message.chat.key, message.id, text)


def _name(person: Person) -> str:
    return person.name or "somebody"
