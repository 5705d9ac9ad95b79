"""What tests of agent runs share: a real database, the fake Messages API, tools of their own, people who ask."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic_ai import RunContext, ToolReturn
from pydantic_ai.models import override_allow_model_requests
from pydantic_ai.toolsets import FunctionToolset
from sqlalchemy import Table, select

from core.attachment import File
from core.clock import Clock, SystemClock
from core.database import Database, sqlite_url
from core.errors import Busy, NotAllowed, Unknown
from core.message import Chat
from core.protocols import Asker, Call, Link, Parked, PromiseOrder, PromiseView, Said
from core.schema import metadata
from core.settings import Settings
from core.workspaces import Role, Workspace
from runtime.deps import Deps
from runtime.limits import RunLimits
from runtime.manifest import AgentManifest, ModelKind, Tools
from runtime.models import Models
from runtime.runner import AgentRunner
from tests.world.anthropic import AnthropicWorld

CHAT = Chat("local", "page")
OWNER = Asker(CHAT, 5, 1, "Olga", Role.OWNER, "psy")
GUEST = replace(OWNER, person_id=2, name="Gus", role=Role.GUEST)
QUICK = RunLimits(silence=5, first_wait=0.001, most_wait=0.01)
KEY = "sk-test-key"


def settings_for(folder: Path, **values: Any) -> Settings:
    """Settings from these values alone: no file, and nothing of this machine's environment that matters here."""
    return Settings.model_construct(project=folder, env_file=folder / ".env", **values)


class Promises:
    """A PromiseMaker that remembers what it was asked."""

    def __init__(self) -> None:
        self.made: list[tuple[PromiseOrder, Call | None]] = []
        self.cancelled: list[int] = []
        self.views: list[PromiseView] = []

    async def make(self, order: PromiseOrder, asker: Asker, call: Call | None) -> PromiseView:
        self.made.append((order, call))
        self.views.insert(0, view_of(len(self.made), order))
        return self.views[0]

    async def make_within(self, database: Database, call: Call) -> PromiseView:
        """Make one as a store does: the call is told in the transaction."""
        view = await self.make(PromiseOrder("save"), OWNER, call)
        assert call.note is not None
        note = call.note
        await database.write("make", lambda connection: note(connection, view))
        return view

    async def list_for(self, asker: Asker, limit: int = 20) -> list[PromiseView]:
        return self.views[:limit]

    async def cancel(self, promise_id: int, asker: Asker, call: Call | None = None) -> PromiseView:
        if promise_id != 1:
            raise Unknown(f"There is no promise #{promise_id}.")
        self.cancelled.append(promise_id)
        return replace(self.views[0], status="cancelled")

    async def park(self, parked: Parked, asker: Asker, call: Call) -> PromiseView:
        raise parked.needed

    async def grant(self, promise_id: int, asker: Asker, question: int | None, call: Call | None) -> PromiseView:
        return replace(self.views[0], id=promise_id)

    async def refuse(self, promise_id: int, asker: Asker, question: int | None, call: Call | None) -> PromiseView:
        return replace(self.views[0], id=promise_id, status="failed")

    async def retry(self, promise_id: int, asker: Asker, call: Call | None) -> PromiseView:
        return replace(self.views[0], id=promise_id)


def view_of(number: int, order: PromiseOrder, **more: Any) -> PromiseView:
    plain: dict[str, Any] = {"progress": None, "result_summary": None, "error_message": None, "completed_at": None}
    known: dict[str, Any] = {**plain, "status": "pending", "created_at": SystemClock().now(), **more}
    return PromiseView(id=number, task_description=order.task_description, task_type=order.task_type, **known)


class Past:
    """A HistorySearch over lines that the test wrote."""

    def __init__(self, *said: Said) -> None:
        self.said = said
        self.asked: list[tuple[Chat, str, int]] = []

    async def search(self, chat: Chat, query: str, limit: int = 20) -> list[Said]:
        self.asked.append((chat, query, limit))
        return list(self.said)


class Papers:
    """ChatFiles that remember what was sent, and hold what was attached, by number."""

    def __init__(self) -> None:
        self.sent: list[tuple[File, str, Call]] = []
        self.texts: dict[int, str] = {}
        self.contents: dict[int, File] = {}

    async def send(self, file: File, caption: str, asker: Asker, call: Call) -> None:
        self.sent.append((file, caption, call))

    async def read(self, number: int, asker: Asker) -> str:
        if number not in self.texts:
            raise Unknown(f"There is no attachment {number} in this chat.")
        return self.texts[number]

    async def open(self, number: int, asker: Asker) -> File:
        return self.contents[number]


class Bookmarks:
    """A LinkSearch over links that the test wrote."""

    def __init__(self, *links: Link) -> None:
        self.links = links
        self.asked: list[tuple[str, str, int]] = []

    async def search(self, workspace: str, query: str, limit: int = 20) -> list[Link]:
        self.asked.append((workspace, query, limit))
        return list(self.links)


class Lines:
    """A Progress that remembers."""

    def __init__(self) -> None:
        self.reported: list[str] = []
        self.finished_tools: list[str] = []

    async def report(self, line: str) -> None:
        self.reported.append(line)

    async def finished(self, tool: str) -> None:
        self.finished_tools.append(tool)


@dataclass
class Bench:
    """Tools that count how often they ran."""

    ran: list[str] = field(default_factory=list[str])

    def build(self) -> FunctionToolset[Deps]:
        return FunctionToolset([self.note, self.change, self.refuse, self.miss, self.wait_for_other], id="bench")

    async def note(self, ctx: RunContext[Deps], text: str) -> str:
        """Note a text."""
        self.ran.append(f"note {text}")
        return f"noted {text}"

    async def change(self, ctx: RunContext[Deps], path: str) -> ToolReturn:
        """Change a file."""
        self.ran.append(f"change {path}")
        return ToolReturn("changed", metadata=[{"kind": "file", "path": path, "before": None, "after": "abc"}])

    async def refuse(self, ctx: RunContext[Deps]) -> str:
        """Do what nobody may."""
        raise NotAllowed("That lies outside the workspace.")

    async def miss(self, ctx: RunContext[Deps]) -> str:
        """Read what is not there."""
        raise Unknown("There is no such file.")

    async def wait_for_other(self, ctx: RunContext[Deps]) -> str:
        """Write where somebody else writes."""
        self.ran.append("wait")
        raise Busy("Turn 3 holds the directory since 10:00.")


@dataclass
class Stage:
    """One installation with the fake model behind it."""

    model: AnthropicWorld
    database: Database
    models: Models
    clock: Clock
    folder: Path
    bench: Bench = field(default_factory=Bench)
    promises: Promises = field(default_factory=Promises)
    past: Past = field(default_factory=Past)
    files: Papers = field(default_factory=Papers)
    links: Bookmarks = field(default_factory=Bookmarks)
    lines: Lines = field(default_factory=Lines)

    def runner(self, limits: RunLimits = QUICK) -> AgentRunner:
        return AgentRunner(self.database, self.clock, self.models, limits)

    def manifest(self, **more: Any) -> AgentManifest:
        values: dict[str, Any] = {"name": "tester", "title": "Tester", "instructions": "Test."}
        values["toolsets"] = (Tools(self.bench.build),)
        return AgentManifest(**{**values, **more})

    def deps(self, **more: Any) -> Deps:
        values: dict[str, Any] = {
            "workspace": Workspace("psy", self.folder),
            "asker": OWNER,
            "run_id": "run_1",
            "promises": self.promises,
            "history": self.past,
            "files": self.files,
            "links": self.links,
            "clock": self.clock,
            "progress": self.lines,
        }
        return Deps(**{**values, **more})

    async def rows(self, table: Table) -> list[dict[str, Any]]:
        query = select(table).order_by(*table.primary_key.columns)
        return await self.database.read(lambda connection: [row._asdict() for row in connection.execute(query)])


@asynccontextmanager
async def open_stage(folder: Path, clock: Clock | None = None) -> AsyncGenerator[Stage]:
    """A stage whose models may be called: they are on loopback."""
    database = Database(sqlite_url(folder / "system.db"))
    await database.write("create", metadata.create_all)
    async with AnthropicWorld() as model:
        settings = settings_for(folder, anthropic_api_key=SecretStr(KEY), anthropic_base_url=model.url)
        models = Models(settings)
        models.build(ModelKind.PRIMARY)  # imports for seconds on a busy machine, before any test waits for a request
        with override_allow_model_requests(allow_model_requests=True):
            yield Stage(model, database, models, clock or SystemClock(), folder)
        await models.aclose()
    await database.close()
