"""Buttons under our messages: what they offer, and what pressing one comes to.

A button says a command for whoever presses it. What a client sends as pressed is its own word: only these commands
count, with the rights of the person who pressed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from conversations import question_store, store, turn_store
from conversations.commands import Command, read_command
from conversations.diffs import MEMBERS_ONLY
from conversations.turn import TurnRow
from core.access import Action, may
from core.message import Button, Message
from core.workspaces import Role
from runtime.workspace_files import PREVIEWED

ADMITTING = frozenset({"admit", "deny"})  # the business of an owner of the installation
DECIDING = ADMITTING | {"approve", "refuse"}  # an owner's business
PRESSABLE = DECIDING | {"cancel", "retry", "stop", "diff"}
AGAIN = timedelta(minutes=1)  # within which the same press of the same person is the same wish
UNKNOWN = "That button does nothing here."
PRESSED = "Pressed already."
OWNERS_ONLY = "Only an owner may decide that."
ENDED = "That has ended already."


def decide_buttons(promise_id: int, question: int, tool: str) -> tuple[Button, ...]:
    """They name the question: one pressed late must not allow what was asked later."""
    meant = f"{promise_id}?{question}"
    deciding = Button("✅ Approve", f"/approve {meant}"), Button("🚫 Refuse", f"/refuse {meant}")
    return (*deciding, *(diff_button(str(promise_id)) if tool in PREVIEWED else ()))


def admit_buttons(knock: int) -> tuple[Button, ...]:
    return Button("✅ Admit", f"/admit {knock}"), Button("🚫 Ignore", f"/deny {knock}")


def cancel_button(promise_id: int) -> tuple[Button, ...]:
    return (Button("Cancel", f"/cancel {promise_id}"),)


def retry_button(promise_id: int) -> tuple[Button, ...]:
    return (Button("Retry", f"/retry {promise_id}"),)


def stop_button(turn_id: int) -> tuple[Button, ...]:
    return (Button("Stop", f"/stop {turn_id}"),)


def diff_button(run: str) -> tuple[Button, ...]:
    """For what changed, or would change: `run` names the run, as a promise's number or `turn:NUMBER`."""
    return (Button("Show diff", f"/diff {run}"),)


def place(connection: Connection, message: Message) -> Message:
    """A reaction in the topic that its question was put in: Telegram does not always say which of a forum's it was."""
    if not message.pressed or message.reply_to is None:
        return message
    question = question_store.asked_in(connection, message.chat, message.reply_to)
    return message if question is None else replace(message, chat=question.chat)


def spell_out(connection: Connection, message: Message) -> Message | None:
    """A reaction as the button that it stands for; None for one to anything but an open question."""
    command = read_command(message.text)
    if message.reply_to is None or command is None or command.rest or command.name not in DECIDING:
        return message
    question = question_store.asked_in(connection, message.chat, message.reply_to)
    if question is None:
        return None
    return replace(message, text=f"/{command.name} {question.promise_id}?{question.number}")


def why_not(connection: Connection, message: Message, command: Command | None, role: Role, now: datetime) -> str | None:
    """What the person who pressed is told where nothing else follows from it; None where something does."""
    if command is None or command.name not in PRESSABLE:
        return UNKNOWN
    if store.was_pressed(connection, message, now - AGAIN):
        return PRESSED
    if command.name in DECIDING and not may(role, Action.APPROVE):
        return OWNERS_ONLY
    if command.name == "diff" and not may(role, Action.CODE):
        return MEMBERS_ONLY
    if command.name == "stop":
        return _why_not_stopped(connection, message, command, role)
    return None


def _why_not_stopped(connection: Connection, message: Message, command: Command, role: Role) -> str | None:
    found = turn_store.wanted(connection, message.chat, command.number or 0)
    if not found:
        return ENDED
    may_they = may_stop(found[0], message.sender.id, role)
    return None if may_they else f"Only {found[0].requester_name} or an owner may stop that."


def may_stop(turn: TurnRow, person_id: int, role: Role) -> bool:
    return may(role, Action.STOP_OWN if turn.requester_id == person_id else Action.STOP_OTHERS)
