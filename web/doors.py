"""What the web needs of the floors below, as doors that `main` opens. The web knows nothing else of the product."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from core.checks import Snapshot
from core.clock import Clock
from core.group_list import GroupList
from core.message import Chat
from core.protocols import PromiseView

if TYPE_CHECKING:  # `/health` is there before these are imported
    from conversations.dead_letter_store import DeadLetter
    from promises.agenda import Appointment
    from runtime.traces import Trace

DEFAULT_CHAT = "page"


@dataclass(frozen=True, slots=True)
class Question:
    """What someone asks over HTTP. The same `key` in the same chat is the same question, asked again."""

    text: str
    chat: str = DEFAULT_CHAT
    workspace: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The question is a committed row."""

    message_id: int


@dataclass(frozen=True, slots=True)
class Grown:
    """The answer as far as it is written: the whole text, not what was added."""

    text: str


@dataclass(frozen=True, slots=True)
class Made:
    """The turn made a promise."""

    promise: PromiseView


ChatEvent = Accepted | Grown | Made
Listener = Callable[[ChatEvent], None]


@dataclass(frozen=True, slots=True)
class ChatReply:
    """The answer to one question: the question's number, the exact text, and what was promised."""

    message_id: int
    reply: str
    promises: tuple[PromiseView, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One message of a local chat, for a page that was opened again."""

    message_id: int
    is_own: bool
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Kept:
    """All that is kept of a promise; `result` is whole, also where the chat and the row have its beginning."""

    promise: PromiseView
    chat: Chat
    workspace: str
    requester: str
    attempts: int
    run_id: str
    former_runs: tuple[str, ...]
    result: str | None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a stored message was or was not answered."""

    front: str
    chat: str
    message_id: int
    sender: str
    sent_at: datetime
    answered: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message of ours that reached a local chat: a result, a notice, an answer."""

    chat: str
    message_id: int
    reply_to: int | None
    kind: str
    text: str


Change = PromiseView | Delivered


@dataclass(frozen=True, slots=True)
class PingOutcome:
    """Whether the nonce came back, in how many seconds, and one sentence."""

    is_back: bool
    seconds: float
    sentence: str


class ChatDoor(Protocol):
    async def ask(self, question: Question, on_event: Listener) -> ChatReply:
        """Receive, answer, and return when the answer is whole. Raises ValorError."""
        ...

    async def lines(self, chat: str, limit: int) -> Sequence[Line]:
        """The newest lines of a local chat, oldest first."""
        ...

    async def workspaces(self) -> Sequence[str]:
        """The names that a question may give."""
        ...


class PromiseDoor(Protocol):
    async def list(self, limit: int) -> Sequence[PromiseView]:
        """Open ones first, then the newest."""
        ...

    async def show(self, promise_id: int) -> Kept:
        """Raises Unknown."""
        ...

    async def cancel(self, promise_id: int) -> PromiseView:
        """Raises Unknown; a settled promise is returned as it is."""
        ...

    async def retry(self, promise_id: int) -> PromiseView:
        """Take up again what failed or was cancelled. Raises Unknown, and RequestError for what did not."""
        ...

    async def agenda(self, limit: int) -> Sequence[Appointment]:
        """What waits for a moment, the first to come first."""
        ...


class LetterDoor(Protocol):
    """Each call for one letter raises Unknown, and RequestError for what is no dead letter."""

    async def list(self, limit: int) -> Sequence[DeadLetter]:
        """The oldest first."""
        ...

    async def retry(self, number: int) -> DeadLetter:
        """Send it again, behind a look whether it has arrived after all."""
        ...

    async def drop(self, number: int) -> DeadLetter: ...


class RunDoor(Protocol):
    async def trace(self, name: str) -> Trace:
        """The run of that id, of `turn:NUMBER`, or of the promise of that number. Raises Unknown."""
        ...


class WhyDoor(Protocol):
    async def why(self, chat: str, message_id: int) -> Sequence[Reason]:
        """What every front that knows this chat and message says; empty when none does."""
        ...


class GroupDoor(Protocol):
    async def groups(self) -> GroupList:
        """The groups of the Telegram account. Raises ValorError where there is none, or it does not answer."""
        ...


class Feed(Protocol):
    def watch(self) -> AsyncIterator[Change]:
        """Changes from now on, to the end of the server; a slow reader misses the older ones."""
        ...


class Pinger(Protocol):
    async def ping(self) -> PingOutcome:
        """Send a nonce the whole way round and wait for it, within a deadline of its own; no model call (B9)."""
        ...


class WebhookDoor(Protocol):
    async def take_update(self, update: dict[str, Any]) -> None:
        """An update of Telegram's for the bot; returns when it is written. Raises ValorError when it cannot be."""
        ...


class Audit(Protocol):
    def refuse(self, client: str, reason: str) -> None:
        """Note that a request of `client` (an address) was refused; returns at once."""
        ...


@dataclass(frozen=True, slots=True)
class WebRules:
    """Who may come in, and how much. `hosts` and `origins` come on top of this machine's own; who brings updates and
    shows `webhook_secret` is Telegram."""

    token: str
    port: int
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    max_body: int = 10_000_000
    requests_per_minute: int = 100
    webhook_secret: str | None = None


@dataclass(frozen=True, slots=True)
class WebDoors:
    chat: ChatDoor
    promises: PromiseDoor
    letters: LetterDoor
    runs: RunDoor
    why: WhyDoor
    groups: GroupDoor
    feed: Feed
    pinger: Pinger
    webhook: WebhookDoor
    audit: Audit
    health: Callable[[], Snapshot]
    clock: Clock
    rules: WebRules
