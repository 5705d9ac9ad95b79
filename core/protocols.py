"""The doors that one floor opens and another implements, so that imports point down only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from core.attachment import File
from core.errors import ConsentNeeded
from core.message import Button, Chat, ChatKind, Entity, Message, Part, Sent
from core.workspaces import Role

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Dialog:
    """A chat that a front's account takes part in; `moved_to` is what a group that became a supergroup is now."""

    chat: Chat
    kind: ChatKind
    title: str
    usernames: tuple[str, ...] = ()
    last_message: int = 0
    moved_to: Chat | None = None


class Front(Protocol):
    """A way in and out of chats.

    Every call may raise FloodWait, Undeliverable or Unreachable (core.errors); `send` also AlreadySent, and Moved where
    the chat is a group that became a supergroup.
    """

    @property
    def name(self) -> str:
        """`account:ID`, `bot:ID` or `local`: the `front` of its chats."""
        ...

    @property
    def own_chat(self) -> Chat:
        """The chat that only this front's own account sees."""
        ...

    @property
    def keeps_keys(self) -> bool:
        """Whether a send repeated under its key counts once, and `sent_after` tells what was sent."""
        ...

    @property
    def lists_chats(self) -> bool:
        """Whether `dialogs` and `history` tell what there is; a front without them knows only what it is told live."""
        ...

    async def send(self, part: Part) -> int:
        """Send once under `part.random_id`, where keys are kept; the front's number of the message.

        A `part.file` goes with the text as its caption: a picture as one, where the front can, else as a file.
        """
        ...

    async def fetch(self, chat: Chat, message_id: int, reference: str, limit: int) -> bytes:
        """What a message carries, by its attachment's `reference`. Raises Undeliverable when it is gone, or has more
        than `limit` bytes."""
        ...

    async def edit(
        self, chat: Chat, message_id: int, text: str, entities: Sequence[Entity], buttons: Sequence[Button] = ()
    ) -> None:
        """Make an own message read `text`, with these buttons under it; that it does so already is success."""
        ...

    async def delete(self, chat: Chat, message_ids: Sequence[int]) -> None: ...

    async def react(self, chat: Chat, message_id: int, emoji: str | None) -> None: ...

    async def mark_read(self, chat: Chat, message_id: int) -> None: ...

    async def show_typing(self, chat: Chat) -> None: ...

    async def sent_after(self, chat: Chat, message_id: int) -> list[Sent]:
        """This account's own messages newer than `message_id`, oldest first: the look before a resend."""
        ...

    async def dialogs(self) -> list[Dialog]:
        """Every chat the account takes part in; none where the front has no list of them."""
        ...

    async def decisions(self, chat: Chat, message_ids: Sequence[int]) -> list[Message]:
        """What people's reactions to own messages say, as presses of `/approve` or `/refuse`; none where the front is
        not told who reacted."""
        ...

    async def prove(self) -> bool:
        """Show that the road in and out works; False where only a message to `own_chat` can show it.

        Raises Unreachable or SessionError when it does not.
        """
        ...

    def history(self, chat: Chat, after: int, since: datetime) -> AsyncIterator[list[Message]]:
        """Pages of what was said after message `after` and not before `since`, oldest first, to the chat's end."""
        ...


class Receiver(Protocol):
    """Where a front hands in what it hears."""

    async def receive(self, message: Message) -> None:
        """A live message or a live edit (`edited_at` set)."""
        ...

    async def press(self, message: Message) -> str:
        """Somebody pressed a button (`pressed` set): what they are told at once, '' for nothing."""
        ...

    async def receive_waiting(self, messages: Sequence[Message]) -> None:
        """What waited in one chat while nobody listened, oldest first; answered together at the next `catch_up`."""
        ...

    async def belongs(self, chat: Chat, title: str, is_part: bool) -> None:
        """The front's account has become part of a group, or is none any more."""
        ...

    async def catch_up(self, front: str) -> None:
        """Read the histories: after a start, a reconnect, or when a gap was noticed."""
        ...

    async def reread(self, front: str, since: datetime) -> None:
        """Read what has been edited of what was said since then, where nobody told of edits.

        Raises Unreachable when the front does not answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asked for something, where, and with which rights. `message_id` is the asking message's number."""

    chat: Chat
    message_id: int | None
    person_id: int
    name: str
    role: Role
    workspace: str


@dataclass(frozen=True, slots=True)
class Call:
    """The tool call that causes an effect in our database: the pair makes the effect unique.

    Whoever writes the effect hands it to `note` in the same transaction: the call's step is written with it.
    """

    run_id: str
    tool_call_id: str
    turn_id: int | None = None
    promise_id: int | None = None
    note: Callable[[Connection, PromiseView], None] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class PromiseOrder:
    """A long job as an agent or a person orders it.

    It starts when all of `after` are completed, not before `at` (aware), and is repeated `every` (`30m`, `1d`, or five
    cron fields read in the IANA `zone`, which is UTC unless told). Of those that wait, higher priorities go first.
    """

    task_description: str
    task_type: str = "analysis"
    after: tuple[int, ...] = ()
    priority: int = 0
    at: datetime | None = None
    every: str | None = None
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class PromiseView:
    """What anyone in the chat may know about a promise."""

    id: int
    task_description: str
    task_type: str
    status: str
    progress: str | None
    result_summary: str | None
    error_message: str | None
    created_at: datetime
    completed_at: datetime | None
    waiting_for: str | None = None
    due_at: datetime | None = None
    every: str | None = None
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class Parked:
    """A turn's run that cannot go on without consent: as `prompt` began it, a worker goes on with it.

    `pictures` are the places in data/media of those that the prompt shows.
    """

    run_id: str
    task: str
    prompt: str
    needed: ConsentNeeded
    pictures: tuple[str, ...] = ()


class PromiseMaker(Protocol):
    """Promises as agents see them. Each call raises RequestError subclasses for what the asker must change."""

    async def make(self, order: PromiseOrder, asker: Asker, call: Call | None) -> PromiseView:
        """Commit the promise and its held acknowledgement; the same `call` again returns the same promise."""
        ...

    async def list_for(self, asker: Asker, limit: int = 20) -> list[PromiseView]:
        """This workspace's newest promises first, open ones before settled ones."""
        ...

    async def cancel(self, promise_id: int, asker: Asker, call: Call | None = None) -> PromiseView: ...

    async def park(self, parked: Parked, asker: Asker, call: Call) -> PromiseView:
        """Make a waiting promise of a turn's run that needs consent; its question is the held acknowledgement."""
        ...

    async def grant(self, promise_id: int, asker: Asker, question: int | None, call: Call | None) -> PromiseView:
        """Allow the one tool call that the promise waits for; with a `question` only where that asks for it. The same
        `call` again allows nothing more."""
        ...

    async def refuse(self, promise_id: int, asker: Asker, question: int | None, call: Call | None) -> PromiseView: ...

    async def retry(self, promise_id: int, asker: Asker, call: Call | None) -> PromiseView:
        """Take up again what failed or was cancelled; the same `call` again changes nothing more."""
        ...


@dataclass(frozen=True, slots=True)
class Said:
    """One line of a chat's past."""

    message_id: int | None
    sender: str
    at: datetime
    text: str


class HistorySearch(Protocol):
    async def search(self, chat: Chat, query: str, limit: int = 20) -> list[Said]:
        """What was said in this chat, and in no other, holding all words of `query`; newest first."""
        ...


class PastSearch(Protocol):
    """A front whose service remembers more of a chat than we do."""

    async def search_past(self, chat: Chat, query: str, before: int, limit: int) -> list[Message]:
        """What the service finds in this chat, older than message `before` (0: of any age), newest first.

        Raises the errors of Front.
        """
        ...

    async def said(self, chat: Chat, message_id: int) -> Message | None:
        """One message of this chat; None where there is none any more. Raises the errors of Front."""
        ...


class ChatFiles(Protocol):
    """Files between a chat and the run that answers it."""

    async def send(self, file: File, caption: str, asker: Asker, call: Call) -> None:
        """Owe the asker's chat a file; the same `call` again owes nothing more."""
        ...

    async def read(self, number: int, asker: Asker) -> str:
        """What attachment `number` of the asker's chat says. Raises Unknown, or RequestError for what says nothing."""
        ...

    async def open(self, number: int, asker: Asker) -> File:
        """The attachment itself. Raises as `read` does."""
        ...


@dataclass(frozen=True, slots=True)
class Link:
    """A page that somebody saved by saying its address."""

    url: str
    title: str
    summary: str
    saved_by: str
    saved_at: datetime


class LinkSearch(Protocol):
    async def search(self, workspace: str, query: str, limit: int = 20) -> list[Link]:
        """The links of this workspace, and of no other, holding all words of `query`; newest first."""
        ...


class Progress(Protocol):
    async def report(self, line: str) -> None:
        """Show one line of how far the work is."""
        ...

    async def finished(self, tool: str) -> None:
        """A tool has returned."""
        ...
