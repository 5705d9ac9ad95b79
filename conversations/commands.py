"""Words that are answered without a model, in every front alike."""

from __future__ import annotations

import re
from dataclasses import dataclass

# What Telegram offers where people type a slash.
MENU = (
    ("start", "say hello, and what I can do"),
    ("help", "all commands"),
    ("status", "how I am, what I am at, which promises are open"),
    ("promises", "what I have promised in this workspace"),
    ("promise", "take on a long job: /promise TEXT"),
    ("cancel", "cancel a promise: /cancel NUMBER"),
    ("retry", "take a promise up again: /retry NUMBER"),
    ("stop", "end what I am doing for you"),
    ("why", "why a message was answered or not: reply to it"),
    ("usage", "what this workspace has used, and what that cost"),
    ("link", "what is known of links: /link WORDS"),
    ("workspace", "what this chat works in, and what it may do"),
)
# These are commands without a slash too, when they stand alone.
BARE = {"ping", "stop", "promises", "lift", "status", "usage", "workspace"}
LOOSE = {"cancel", "retry", "approve", "refuse"}  # and these with a number, or as a reply to what they speak of
NAMES = BARE | LOOSE | {"admit", "deny", "start", "help", "why", "diff", "promise", "link", "self-ping"}
SLASHED = re.compile(r"/(?P<name>[a-z_-]+)(?:@\w+)?(?:\s+(?P<rest>.*))?", re.IGNORECASE | re.DOTALL)
# A number, and with buttons the question that is meant; more digits than a table's numbers have are none.
NUMBER = re.compile(r"(?:promise\s+)?#?(\d{1,18})(?:\?(\d{1,18}))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Command:
    """`name` in lower case, `rest` what stands behind it."""

    name: str
    rest: str = ""

    @property
    def number(self) -> int | None:
        """The promise it names, as `7`, `#7` or `promise 7`."""
        found = NUMBER.fullmatch(self.rest.strip())
        return int(found[1]) if found else None

    @property
    def question(self) -> int | None:
        """Which of a promise's questions is answered, as `7?3`; None for the one that is open."""
        found = NUMBER.fullmatch(self.rest.strip())
        return int(found[2]) if found and found[2] else None


def read_command(prompt: str) -> Command | None:
    """The command that a message is, or None when it is for an agent."""
    slashed = SLASHED.fullmatch(prompt.strip())
    if slashed:
        name = slashed["name"].lower()
        return Command(name, slashed["rest"] or "") if name in NAMES else None
    first, _, rest = prompt.strip().rstrip(".!").partition(" ")
    name = first.lower()
    if name in BARE and not rest:
        return Command(name)
    command = Command(name, rest)
    return command if name in LOOSE and (not rest or command.number is not None) else None
