"""Every error that Valor raises on purpose, and who must act on it.

ValorError                  the root; `str(error)` is one sentence a person can act on
├── OwnerError              the owner of the installation must change something
│   ├── ConfigurationError  a setting or the configuration file; carries every problem found
│   ├── DatabaseError       the database is locked, read-only or full: what waits for it may go on later
│   │   └── NewerDatabase   it was written by a newer version, which does not pass
│   └── SessionError        the Telegram session: not signed in, in use, revoked
├── RequestError            the person who asked must ask differently
│   ├── NotAllowed          a right is missing (roles, fence, consent)
│   ├── Unknown             no such workspace, promise, file; names the choices
│   └── Busy                something else holds it: by whom and since when
├── ModelError              the model service
│   ├── ModelUnavailable    passes by itself (network, rate limit, overload): worth another try
│   └── ModelRefused        does not pass by itself (key, quota, refused, invalid)
├── FrontError              a way in or out of a chat
│   ├── FloodWait           the service asks for patience; carries the seconds
│   │   └── SlowMode        the chat does: it takes one message at a time
│   ├── AlreadySent         the service has this send's key already; its message id is not known
│   ├── Undeliverable       this part will never arrive (deleted, too long)
│   │   ├── Closed          nor any other: the chat is shut to us (kicked, restricted, blocked)
│   │   └── Moved           not in this chat: it has become another one, which the error names
│   └── Unreachable         no answer: the outcome of the call is unknown
│       └── Unsent          the service was not even reached: the call has done nothing
├── ConsentNeeded           the work waits until somebody with the right allows one tool call
└── Cancelled               a person stopped the work
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.message import Move


class ValorError(Exception):
    """The root of the tree drawn above."""


class OwnerError(ValorError):
    """The owner of the installation must act."""


class ConfigurationError(OwnerError):
    """Settings or configuration are wrong; `problems` holds one sentence each, with the path of its key."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class DatabaseError(OwnerError):
    """The database cannot be used as it is."""


class NewerDatabase(DatabaseError):
    """The database was written by a newer version of this program."""


class SessionError(OwnerError):
    """The Telegram session cannot be used as it is."""


class RequestError(ValorError):
    """The person who asked must ask differently."""


class NotAllowed(RequestError):
    """The person, the workspace or the fence does not permit it."""


class Unknown(RequestError):
    """Nothing has that name; the sentence lists the choices."""


class Busy(RequestError):
    """Somebody else holds it; the sentence says who and since when."""


class ModelError(ValorError):
    """The model service did not answer as it should."""


class ModelUnavailable(ModelError):
    """It may pass by itself. `retry_after` is in seconds, None when the service did not say."""

    def __init__(self, sentence: str, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class ModelRefused(ModelError):
    """It will not pass by itself."""


class FrontError(ValorError):
    """A way in or out of a chat failed."""


class FloodWait(FrontError):
    """The service asks for patience of `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The chat service asks to wait {seconds:.0f} s.")
        self.seconds = seconds


class SlowMode(FloodWait):
    """The chat takes one message at a time."""


class AlreadySent(FrontError):
    """The service knows this send's key already, but does not say which message it became."""


class Undeliverable(FrontError):
    """This part will never arrive."""


class Closed(Undeliverable):
    """The chat is shut to us until a person changes that."""


class Moved(Undeliverable):
    """The group has become a supergroup: what it is owed goes there."""

    def __init__(self, move: Move) -> None:
        super().__init__(f"The group {move.old.key} has become the supergroup {move.new.key}.")
        self.move = move


class Unreachable(FrontError):
    """The service did not answer: what became of the call is unknown."""


class Unsent(Unreachable):
    """The call never left, so it has done nothing."""


class ConsentNeeded(ValorError):
    """Nobody has allowed this tool call yet. `key` names it within its run; `digest` is of tool and arguments."""

    def __init__(self, tool: str, arguments: Mapping[str, object], key: str, digest: str) -> None:
        super().__init__(f"`{tool}` runs here only when somebody with the right allows it.")
        self.tool = tool
        self.arguments = arguments
        self.key = key
        self.digest = digest


class Cancelled(ValorError):
    """A person stopped the work."""
