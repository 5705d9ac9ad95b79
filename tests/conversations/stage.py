"""What the tests of the ledger share: a whole ledger over a real file, a played service, people, a scripted agent."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from conversations.agent_answers import Seen
from conversations.alerts import Alerts, Silence
from conversations.buttons import cancel_button
from conversations.catchup import CatchUp, CatchUpDoors
from conversations.command_answers import CommandAnswers
from conversations.decisions import Decisions
from conversations.delivery import Draft
from conversations.delivery_store import owe
from conversations.diffs import Diffs
from conversations.enclosures import Enclosures
from conversations.files import Files
from conversations.growth import Growth
from conversations.history import History
from conversations.inbox import Inbox, Limits
from conversations.links import Links
from conversations.media import Media, MediaDoors
from conversations.media_folder import MediaFolder
from conversations.moves import Moves
from conversations.outbox import Outbox, OutboxDoors
from conversations.pace import Paces
from conversations.pairing import Pairing
from conversations.reception import Reception
from conversations.reports import Reports
from conversations.signs import Signs
from conversations.turn import Turn
from conversations.turns import Gate, TurnDoors, Turns
from core.access import Accounts
from core.clock import Clock, FakeClock
from core.database import Database, Edge, no_edge, sqlite_url
from core.events import Event, Events, Watch
from core.message import Chat, ChatKind, Message, Person
from core.migrate import migrate
from core.owner import Owner
from core.protocols import Asker, Call, Front, Parked, PromiseOrder, PromiseView
from core.schema import metadata, promises
from core.workspace_change import Accept, Edit
from core.workspace_watch import WorkspaceFile
from core.workspaces import Listed, Role, Whitelist, Workspace, WorkspaceConfig
from integrations.memory import NOTHING, OWN, Carried, MemoryFront
from tests.conversations.senses import PlayedSenses

OLGA, MAX, STRANGER = Person(1, "olga", "Olga"), Person(2, "max", "Max"), Person(9, "nobody", "Nobody")
GUS = Person(3, "gus", "Gus")  # not listed: a guest where a group lets him in
FRONT = f"account:{OWN.id}"
DM, TEAM, DEV = Chat(FRONT, "1"), Chat(FRONT, "-10"), Chat(FRONT, "-20")
CONFIG = WorkspaceConfig(
    Path("/srv/private"),
    workspaces=(Workspace("Team", Path("/srv/team")), Workspace("Dev", Path("/srv/dev"), is_dev_group=True)),
    whitelist=Whitelist((Listed("olga", role=Role.OWNER), Listed("max"))),
    groups={"-10": "Team", "-20": "Dev", "30": "Team"},
)
ACCOUNTS = Accounts.of(OWN, None)
TABLES = {table.name: table for table in metadata.sorted_tables}
Script = Callable[[Turn, Gate], Awaitable[str]]


async def echo(turn: Turn, gate: Gate) -> str:
    return f"re: {turn.prompt}"


class PlayedAgent:
    """Answers with `script`, one of its own for a prompt where `scripts` has it; keeps what it was asked."""

    def __init__(self) -> None:
        self.script: Script = echo
        self.scripts: dict[str, Script] = {}
        self.asked: list[tuple[Turn, str]] = []
        self.begun: asyncio.Queue[Turn] = asyncio.Queue()
        self.done: list[str] = []

    async def __call__(self, turn: Turn, prompt: str, gate: Gate) -> str:
        self.asked.append((turn, prompt))
        self.begun.put_nowait(turn)
        return await self.scripts.get(turn.prompt, self.script)(turn, gate)

    async def done_so_far(self, run_id: str) -> list[str]:
        return self.done

    async def preview(self, workspace: str, tool: str, arguments: Mapping[str, Any]) -> str:
        return f"+{workspace} {tool} {arguments['text']}" if arguments["text"] else ""

    async def next_begun(self) -> Turn:
        async with asyncio.timeout(10):
            return await self.begun.get()

    @contextmanager
    def holding(self) -> Generator[asyncio.Event]:
        """Within the block every run waits for the event before it answers."""
        release, before = asyncio.Event(), self.script

        async def wait(turn: Turn, gate: Gate) -> str:
            await release.wait()
            return await before(turn, gate)

        self.script = wait
        try:
            yield release
        finally:
            self.script = before


@dataclass
class PlayedPromises:
    """A PromiseMaker that writes the row and the held acknowledgement, as the real one does."""

    database: Database
    clock: Clock
    decided: list[tuple[str, int, int | None]] = field(default_factory=list[tuple[str, int, int | None]])
    calls: list[Call | None] = field(default_factory=list[Call | None])

    async def make(self, order: PromiseOrder, asker: Asker, call: Call | None) -> PromiseView:
        number = await make_promise(self.database, self.clock, asker, order.task_description, call)
        return PromiseView(number, order.task_description, "code", "pending", None, None, None, self.clock.now(), None)

    async def list_for(self, asker: Asker, limit: int = 20) -> list[PromiseView]:
        now = self.clock.now()
        return [PromiseView(7, "count the stars\nall", "code", "pending", None, None, None, now, None)]

    async def cancel(self, promise_id: int, asker: Asker, call: Call | None = None) -> PromiseView:
        now, status = self.clock.now(), "cancelled" if promise_id == 7 else "in_progress"
        return PromiseView(promise_id, "count", "code", status, None, None, None, now, None)

    async def park(self, parked: Parked, asker: Asker, call: Call) -> PromiseView:
        return await self.make(PromiseOrder(parked.task), asker, call)

    async def grant(self, promise_id: int, asker: Asker, question: int | None, call: Call | None) -> PromiseView:
        self.decided.append(("granted", promise_id, question))
        self.calls.append(call)
        return PromiseView(promise_id, "count", "code", "pending", None, None, None, self.clock.now(), None)

    async def refuse(self, promise_id: int, asker: Asker, question: int | None, call: Call | None) -> PromiseView:
        self.decided.append(("refused", promise_id, question))
        self.calls.append(call)
        return PromiseView(promise_id, "count", "code", "failed", None, None, None, self.clock.now(), None)

    async def retry(self, promise_id: int, asker: Asker, call: Call | None) -> PromiseView:
        return PromiseView(promise_id, "count", "code", "pending", None, None, None, self.clock.now(), None)


async def make_promise(database: Database, clock: Clock, asker: Asker, task: str, call: Call | None) -> int:
    """A promise's row and its acknowledgement, held when a turn makes it; the same call makes it once."""

    def write(connection: Any) -> int:
        if call is not None:
            same = (promises.c.made_by_run == call.run_id, promises.c.tool_call_id == call.tool_call_id)
            made = connection.execute(select(promises.c.id).where(*same)).scalar()
            if made is not None:
                return made
        row = promises.insert().values(
            front=asker.chat.front,
            chat_id=asker.chat.key,
            task_description=task,
            task_type="code",
            status="pending",
            workspace=asker.workspace,
            requester_id=asker.person_id,
            role=asker.role,
            run_id=f"run_{task}",
            created_at=clock.now(),
            updated_at=clock.now(),
            made_by_run=call.run_id if call else None,
            tool_call_id=call.tool_call_id if call else None,
        )
        number = connection.execute(row).inserted_primary_key[0]
        turn = call.turn_id if call else None
        ack = Draft(asker.chat, "ack", f"Promise #{number}", asker.message_id, turn, number, turn is not None)
        ack = replace(ack, buttons=cancel_button(number))
        owe(connection, ack, clock.now())
        return number

    return await database.write("make", write)


@dataclass
class Stage:
    """One process: its ledger, its fronts. `again` is the next process over the same file and the same service."""

    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    edge: Edge = no_edge
    limits: Limits = field(default_factory=Limits)
    busy: float = 0.2
    pid: int = 1
    config: WorkspaceConfig = CONFIG
    accounts: Accounts = ACCOUNTS
    paces: Paces = field(default_factory=Paces)
    allowed: tuple[str, ...] | None = None  # TELEGRAM_ALLOWED_GROUPS

    def __post_init__(self) -> None:
        self.front = MemoryFront(self.clock)
        self.events = Events()
        self.agent = PlayedAgent()
        self.senses = PlayedSenses()
        self.fronts: dict[str, Front] = {}
        self.outbox_task: asyncio.Task[None] | None = None
        self.build()

    def build(self) -> None:
        self.database = Database(sqlite_url(self.folder / "system.db"), self.edge, self.busy)
        database, clock = self.database, self.clock
        self.silence = Silence(lambda: self.config)
        self.moves = Moves(database, clock, lambda: self.silence.config)
        self.inbox = Inbox(database, clock, lambda: self.moves.config, lambda: self.accounts, self.limits)
        self.signs = Signs(clock)
        media_folder = MediaFolder(self.folder / "media")
        enclosures = Enclosures(database, media_folder)
        self.outbox_doors = OutboxDoors(database, clock, self.events, self.signs, self.moves, enclosures, self.paces)
        self.outbox = Outbox(self.outbox_doors)
        self.growth = Growth(database, clock, self.outbox)
        self.seen = Seen(self.events, self.growth)
        self.files = Files(database, clock, media_folder, enclosures, self.outbox.wake)
        self.promises = PlayedPromises(database, clock)
        told = (lambda: self.moves.config, lambda: self.accounts)
        self.reports = Reports(database, clock, self.promises, _status, *told)
        code = self.folder / "pairing.json"
        self.pairing = Pairing(database, clock, *told, self.change, self.outbox.wake, code)
        self.diffs = Diffs(database, self.agent.preview)
        self.owner = Owner("boot", "ns", self.pid, 1.0)
        self.history = History(database, 50, 8_000)
        senses = (self.senses.listen, self.senses.read)
        self.media = Media(MediaDoors(database, clock, self.fronts, media_folder, *senses))
        self.turns = Turns(
            TurnDoors(
                database=database,
                clock=clock,
                events=self.events,
                owner=self.owner,
                outbox=self.outbox,
                signs=self.signs,
                history=self.history,
                media=self.media,
                answer_agent=self.agent,
                answer_command=CommandAnswers(
                    database, clock, self.promises, Links(database), self.reports, self.pairing, self.diffs
                ),
                done_so_far=self.agent.done_so_far,
                moves=self.moves,
            )
        )
        self.catchup = CatchUp(CatchUpDoors(database, clock, self.inbox, self.moves, lambda: self.accounts))
        self.alerts = Alerts(database, clock, self.outbox, lambda: self.moves.config, self.silence)
        hearing = (self.inbox, self.turns, self.signs, self.catchup, self.fronts)
        decisions = Decisions(self.inbox, self.fronts, self.events, clock)
        self.reception = Reception(*hearing, self.alerts.tell_owner, self.moves, self.pairing, decisions)

    async def change(self, edit: Edit, accept: Accept) -> None:
        """What the product writes into the configuration file, taken up."""
        file = WorkspaceFile(self.folder / "config.json", self.allowed, self.folder / "private")
        await asyncio.to_thread(file.change, edit, accept)
        self.config = file.config
        await self.inbox.note_configuration()

    async def open(self, *, attached: bool = True) -> None:
        """As the server starts: note, open, recover, attach."""
        await self.moves.load()
        await self.inbox.note_configuration()
        await self.outbox.open()
        await self.turns.recover()
        self.outbox_task = asyncio.create_task(self.outbox.run())
        if attached:
            self.attach(self.front)

    def attach(self, front: Front) -> None:
        self.fronts[front.name] = front
        self.signs.attach(front)
        self.outbox.attach(front)

    async def die(self) -> None:
        """End without any leave-taking, as a killed process does: what was not committed is gone."""
        tasks = [*self.turns._chats.values(), *self.turns._commands, *self.outbox._senders.values()]
        tasks += [self.outbox_task] if self.outbox_task else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.signs.close()
        await self.database.close()

    async def close(self) -> None:
        """End as the server does."""
        await self.turns.close()
        await self.die()

    def again(self) -> Stage:
        """The next process."""
        following = replace(self, pid=self.pid + 1)
        following.front, following.agent = self.front, self.agent
        following.build_over(self.front, self.agent)
        return following

    def build_over(self, front: MemoryFront, agent: PlayedAgent) -> None:
        self.front, self.agent = front, agent
        self.build()

    # -- what a test does

    async def say(
        self, chat: Chat, sender: Person, text: str, reply_to: int | None = None, carried: Carried = NOTHING
    ) -> Message:
        """Somebody writes, and it arrives live."""
        message = self.front.say(chat.key, sender, text, reply_to, carried)
        await self.reception.receive(message)
        return message

    async def edit(self, message: Message, text: str) -> Message:
        changed = self.front.change(message, text)
        await self.reception.receive(changed)
        return changed

    async def owe(self, draft: Draft) -> list[int]:
        """Something is owed, and the outbox is woken."""
        now = self.clock.now()
        ids = await self.database.write("owe", lambda connection: owe(connection, draft, now))
        self.outbox.wake()
        return ids

    async def quiet(self) -> None:
        """Wait until nobody has anything to do."""
        async with asyncio.timeout(20):
            await self.outbox._serve_all()
            while True:
                tasks = [*self.turns._chats.values(), *self.turns._commands, *self.outbox._senders.values()]
                tasks += self.signs._workers.values()  # one that is to be shown later is nothing to wait for
                if not tasks:
                    return
                await asyncio.wait(tasks)

    async def rows(self, table: str, **where: Any) -> list[Any]:
        """Rows of a table in order, those that have these values."""
        columns = TABLES[table].c
        query = select(TABLES[table]).where(*(columns[name] == value for name, value in where.items()))
        return await self.database.read(lambda connection: list(connection.execute(query)))

    async def put(self, table: str, **values: Any) -> None:
        """Change every row of a table."""
        statement = update(TABLES[table]).values(**values)
        await self.database.write("put", lambda connection: connection.execute(statement))

    async def row_of(self, message: Message) -> Any:
        found = await self.rows("messages", chat_id=message.chat.key, message_id=message.id)
        assert len(found) == 1
        return found[0]


@asynccontextmanager
async def opened(stage: Stage) -> AsyncGenerator[Stage]:
    await stage.open()
    try:
        yield stage
    finally:
        await stage.close()


async def write_current(folder: Path) -> Path:
    """A database of this program's version, to be copied."""
    database = Database(sqlite_url(folder / "system.db"))
    await migrate(database)
    await database.close()
    return folder / "system.db"


async def next_event(watch: Watch, kind: type[Event]) -> Any:
    async with asyncio.timeout(10):
        async for event in watch:
            if isinstance(event, kind):
                return event
    raise AssertionError


def self_message(front: MemoryFront, text: str) -> Message:
    return Message(front.own_chat, 900, ChatKind.SELF, OWN, front._clock.now(), text, outgoing=True)


async def _status() -> str:
    return "pong: all is well"


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Another program holds the database's write lock."""
    other = sqlite3.connect(folder / "system.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()
