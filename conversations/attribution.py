"""Whose words a message holds: what people pass on and quote, as the ledger keeps it and an agent reads it (B7)."""

from __future__ import annotations

import re
from dataclasses import replace

from conversations.commands import read_command
from core.access import Admission
from core.message import Message

FORWARDED = "[Forwarded from {}]\n"
MARK = re.compile(r"\[Forwarded from [^\n]*\]\n")


def attributed(message: Message) -> Message:
    """The message as the ledger keeps it: what somebody passed on says whose words they are."""
    mark = _mark(message)
    return replace(message, text=f"{mark}{message.text}") if mark else message


def as_read(message: Message, verdict: Admission) -> Admission:
    """An agent reads whose words are passed on, and the part that a message quotes of what it replies to, above its
    words. A command is only itself; nobody gives one in the words of others."""
    mark, quoted = _mark(message), message.quote.strip().replace("\n", "\n> ")
    is_command = not mark and read_command(verdict.prompt) is not None
    if is_command or not (mark or quoted):
        return verdict
    quote = f"> {quoted}\n" if quoted else ""
    return replace(verdict, prompt=f"{mark}{quote}{verdict.prompt}")


def split_mark(text: str) -> tuple[str, str]:
    """What says whose words a text of the ledger is, '' for its sender's own, and these words."""
    mark = MARK.match(text)
    return (mark[0], text[mark.end() :]) if mark else ("", text)


def _mark(message: Message) -> str:
    if message.forwarded_from is None:
        return ""
    return FORWARDED.format(" ".join(message.forwarded_from.split()) or "somebody")
