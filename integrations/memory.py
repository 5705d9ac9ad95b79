"""A public test double: a front whose service lives in this process, and misbehaves when it is told to."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from core.attachment import Attachment, File, Kind
from core.clock import Clock
from core.errors import AlreadySent, Moved, Undeliverable, Unreachable
from core.message import Button, Chat, ChatKind, Entity, Message, Move, Part, Person, Sent
from core.protocols import Dialog

PAGE = 100
LIMIT, CAPTION = 4096, 1024
OWN = Person(100, "valor_ai", "Valor")


@dataclass(frozen=True, slots=True)
class Line:
    """A message as the service keeps it. `key` is the random_id of ours; `reaction` the last one of ours."""

    chat: str
    id: int
    sender: Person
    text: str
    sent_at: datetime
    reply_to: int | None = None
    key: int = 0
    reaction: str | None = None
    file: str | None = None
    edited_at: datetime | None = None
    mentions: tuple[str, ...] = ()
    moved_to: str | None = None  # of the service message that says so
    attachments: tuple[Attachment, ...] = ()
    album: int | None = None
    buttons: tuple[Button, ...] = ()  # of ours, where it is a bot's


@dataclass(frozen=True, slots=True)
class Carried:
    """What a message carries beside its text; `album` is the number that its messages share."""

    attachments: tuple[Attachment, ...] = ()
    album: int | None = None


NOTHING = Carried()


def _no_edge(point: str) -> None:
    pass


class MemoryFront:
    """Implements core.protocols.Front as Telegram behaves: messages numbered, random_ids kept, replies, edits, pages.

    People write by `say` and `change`; the message is in the history, and returned for whoever plays the live update.
    `refuse` makes calls fail before the service has done anything, `lose_answers` after it has. With a `path` the
    service outlives the process. `edge` is called wherever a crash would be interesting (core.database.Edge).
    """

    def __init__(self, clock: Clock, path: Path | None = None, edge: Callable[[str], None] = _no_edge) -> None:
        self.name = f"account:{OWN.id}"
        self.own_chat = Chat(self.name, str(OWN.id))
        self.keeps_keys = True
        self.lists_chats = True
        self.lines: list[Line] = []
        self.calls: list[tuple[str, str]] = []  # what was asked of the service, and of which chat or text
        self.page = PAGE
        self.decided: list[Message] = []  # what reactions say
        self.contents: dict[str, bytes] = {}  # what can be fetched, by reference
        self.files: dict[int, File] = {}  # what was sent, by message
        self._clock = clock
        self._path = path
        self._edge = edge
        self._keys: set[int] = set()
        self._last = 0
        self._kinds: dict[str, ChatKind] = {}
        self._moved: dict[str, str] = {}
        self._failures: dict[str, list[Exception]] = defaultdict(list)
        self._lost: dict[str, int] = defaultdict(int)
        self._held: dict[str, asyncio.Event] = {}
        self._changed = asyncio.Condition()
        self._load()

    # -- what people do

    def meet(self, key: str, kind: ChatKind) -> None:
        """A chat that the account takes part in."""
        self._kinds[key] = kind

    def leave(self, key: str) -> None:
        """A chat that the account takes part in no more."""
        del self._kinds[key]

    def say(
        self, key: str, sender: Person, text: str, reply_to: int | None = None, carried: Carried = NOTHING
    ) -> Message:
        """Somebody writes: in a chat not met before as a DM when its key is a person's number, else as a group."""
        self._kinds.setdefault(key, ChatKind.GROUP if key.startswith("-") else ChatKind.DM)
        mentions = tuple(word[1:].lower() for word in text.split() if word.startswith("@"))
        line = Line(key, self._next_number(key), sender, text, self._clock.now(), reply_to, mentions=mentions)
        return self._message(self._keep(replace(line, attachments=carried.attachments, album=carried.album)))

    def move(self, key: str, there: str, sender: Person) -> list[Message]:
        """A group becomes a supergroup: the service messages on either side."""
        self._kinds[key] = self._kinds[there] = ChatKind.GROUP
        now = self._clock.now()
        here = Line(key, self._next_number(key), sender, "[moved]", now, moved_to=there)
        begun = Line(there, self._next_number(there), sender, "[moved]", now, moved_to=there)
        return [self._message(self._keep(line)) for line in (here, begun)]

    def change(self, message: Message, text: str) -> Message:
        """Somebody edits what they wrote."""
        line = self.line(message.chat, message.id)
        changed = replace(line, text=text, mentions=_mentions(text), edited_at=self._clock.now())
        return self._message(self._keep(changed))

    # -- how the service fails

    def refuse(self, call: str, *errors: Exception) -> None:
        """The next calls of this name fail with these errors, and nothing happens."""
        self._failures[call].extend(errors)

    def recover(self) -> None:
        """Nothing fails any more."""
        self._failures.clear()
        self._lost.clear()

    def lose_answers(self, call: str, times: int = 1) -> None:
        """The next calls of this name are done, but nobody learns of it."""
        self._lost[call] += times

    def hold(self, call: str) -> asyncio.Event:
        """Calls of this name wait until the event is set."""
        return self._held.setdefault(call, asyncio.Event())

    def forget_keys(self) -> None:
        """The service remembers random_ids for a while only."""
        self._keys.clear()

    # -- what a test asks

    def line(self, chat: Chat, message_id: int) -> Line:
        found = [line for line in self.lines if (line.chat, line.id) == (chat.key, message_id)]
        if not found:
            raise Undeliverable("The message does not exist any more.")
        return found[0]

    def told(self, key: str) -> list[Line]:
        """What stands in a chat that is ours, oldest first."""
        return [line for line in self.lines if line.chat == key and line.sender == OWN]

    def texts(self, key: str) -> list[str]:
        return [line.text for line in self.told(key)]

    async def until(self, is_so: Callable[[], bool], seconds: float = 10) -> None:
        """Wait for something about the service to be so; raises TimeoutError."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(is_so)

    # -- the front

    async def send(self, part: Part) -> int:
        async with self._asked("send", part.text):
            self._refuse_moved(part.chat)
            _check(part.text, CAPTION if part.file else LIMIT)
            if self.keeps_keys and part.random_id in self._keys:
                raise AlreadySent("This was sent already.")
            self._kinds.setdefault(part.chat.key, ChatKind.SELF if part.chat == self.own_chat else ChatKind.DM)
            now, number = self._clock.now(), self._next_number(part.chat.key)
            line = Line(part.chat.key, number, OWN, part.text, now, part.reply_to, part.random_id)
            self._keep(replace(line, file=part.file.name if part.file else None, buttons=part.buttons))
            if part.file:
                self.files[number] = part.file
        return number

    async def fetch(self, chat: Chat, message_id: int, reference: str, limit: int) -> bytes:
        async with self._asked("fetch", reference):
            if reference not in self.contents:
                raise Undeliverable("The message is not there any more.")
            if len(self.contents[reference]) > limit:
                raise Undeliverable("The file is too large.")
        return self.contents[reference]

    async def edit(
        self, chat: Chat, message_id: int, text: str, entities: Sequence[Entity], buttons: Sequence[Button] = ()
    ) -> None:
        async with self._asked("edit", text):
            self._refuse_moved(chat)
            _check(text)
            self._keep(replace(self.line(chat, message_id), text=text, buttons=tuple(buttons)))

    async def delete(self, chat: Chat, message_ids: Sequence[int]) -> None:
        async with self._asked("delete", chat.key):
            self.lines = [line for line in self.lines if line.chat != chat.key or line.id not in message_ids]

    async def react(self, chat: Chat, message_id: int, emoji: str | None) -> None:
        async with self._asked("react", f"{message_id}{emoji or ''}"):
            self._keep(replace(self.line(chat, message_id), reaction=emoji))

    async def mark_read(self, chat: Chat, message_id: int) -> None:
        async with self._asked("mark_read", str(message_id)):
            pass

    async def show_typing(self, chat: Chat) -> None:
        async with self._asked("show_typing", chat.key):
            pass

    async def sent_after(self, chat: Chat, message_id: int) -> list[Sent]:
        async with self._asked("sent_after", chat.key):
            told = [line for line in self.told(chat.key) if line.id > message_id]
        return [Sent(line.id, line.text, line.reply_to, line.sent_at, line.file) for line in told]

    async def decisions(self, chat: Chat, message_ids: Sequence[int]) -> list[Message]:
        async with self._asked("decisions", chat.key):
            return [one for one in self.decided if one.chat == chat and one.reply_to in message_ids]

    async def prove(self) -> bool:
        return False

    async def dialogs(self) -> list[Dialog]:
        async with self._asked("dialogs", ""):
            return [self._dialog(key, kind) for key, kind in self._kinds.items()]

    async def history(self, chat: Chat, after: int, since: datetime) -> AsyncIterator[list[Message]]:
        while True:
            async with self._asked("history", chat.key):
                here = [line for line in self.lines if line.chat == chat.key and line.id > after]
                page = [line for line in here if line.sent_at >= since][: self.page]
            if not page:
                return
            yield [self._message(line) for line in page]
            after = page[-1].id

    # -- how it works

    @asynccontextmanager
    async def _asked(self, call: str, what: str) -> AsyncGenerator[None]:
        """One call: refused before or lost after what it does, and told to whoever waits in `until`."""
        self.calls.append((call, what))
        await self._tell()
        if call in self._held:
            await self._held[call].wait()
        if self._failures[call]:
            raise self._failures[call].pop(0)
        yield
        self._edge(f"front.{call}")
        await self._tell()
        if self._lost[call]:
            self._lost[call] -= 1
            raise Unreachable("The answer was lost.")

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _dialog(self, key: str, kind: ChatKind) -> Dialog:
        here = [line for line in self.lines if line.chat == key]
        names = [line.sender.username for line in here if line.sender.username and str(line.sender.id) == key]
        last = max((line.id for line in here), default=0)
        moved = Chat(self.name, self._moved[key]) if key in self._moved else None
        return Dialog(Chat(self.name, key), kind, f"chat {key}", tuple(names[-1:]), last, moved)

    def _refuse_moved(self, chat: Chat) -> None:
        if chat.key in self._moved:
            raise Moved(Move(chat, Chat(self.name, self._moved[chat.key])))

    def _message(self, line: Line) -> Message:
        return Message(
            chat=Chat(self.name, line.chat),
            id=line.id,
            kind=self._kinds[line.chat],
            sender=line.sender,
            sent_at=line.sent_at,
            text=line.text,
            outgoing=line.sender == OWN,
            reply_to=line.reply_to,
            edited_at=line.edited_at,
            mentions=frozenset(line.mentions),
            service=None if line.moved_to is None else "chat_migrate_to",
            move=self._move(line),
            attachments=line.attachments,
            album=line.album,
        )

    def _move(self, line: Line) -> Move | None:
        moves = (Move(Chat(self.name, old), Chat(self.name, new)) for old, new in self._moved.items())
        return next((move for move in moves if line.moved_to == move.new.key), None)

    def _next_number(self, key: str) -> int:
        """Supergroups count by themselves, all other chats together."""
        if key.startswith("-100"):
            return max((line.id for line in self.lines if line.chat == key), default=0) + 1
        return self._last + 1

    def _keep(self, line: Line) -> Line:
        """A new line, or the new state of one; on disk before anything else happens."""
        self._take(line, self._kinds[line.chat])
        if self._path is not None:
            row = asdict(line) | {"kind": self._kinds[line.chat]}
            with self._path.open("a") as file:
                file.write(json.dumps(row, default=datetime.isoformat) + "\n")
        return line

    def _take(self, line: Line, kind: ChatKind) -> None:
        self._kinds[line.chat] = kind
        self._keys |= {line.key} - {0}
        if not line.chat.startswith("-100"):
            self._last = max(self._last, line.id)
        if line.moved_to is not None and line.moved_to != line.chat:
            self._moved[line.chat] = line.moved_to
        for place, known in enumerate(self.lines):
            if (known.chat, known.id) == (line.chat, line.id):
                self.lines[place] = line
                return
        self.lines.append(line)

    def _load(self) -> None:
        if self._path is None or not self._path.exists():
            return
        for row in map(json.loads, self._path.read_text().splitlines()):
            kind, edited = ChatKind(row.pop("kind")), row["edited_at"]
            row |= {
                "sender": Person(**row["sender"] | {"more_usernames": tuple(row["sender"]["more_usernames"])}),
                "sent_at": datetime.fromisoformat(row["sent_at"]),
                "edited_at": datetime.fromisoformat(edited) if edited else None,
                "mentions": tuple(row["mentions"]),
                "attachments": tuple(Attachment(Kind(one.pop("kind")), **one) for one in row["attachments"]),
                "buttons": tuple(Button(*one) for one in row["buttons"]),
            }
            self._take(Line(**row), kind)


def _mentions(text: str) -> tuple[str, ...]:
    return tuple(word[1:].lower() for word in text.split() if word.startswith("@"))


def _check(text: str, limit: int = LIMIT) -> None:
    if not text.strip() and limit == LIMIT:
        raise Undeliverable("The message has no visible text.")
    if len(text.encode("utf-16-le")) // 2 > limit:
        raise Undeliverable("The message is longer than Telegram takes.")
