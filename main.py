"""The composition root: the one place that knows every part. `python main.py`, or `uvicorn main:app --port 9000`."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import checks
from core import settings as environment
from core.checks import Board, Status
from core.clock import SystemClock
from core.environment import server_lock
from core.errors import Busy, OwnerError
from core.garbage import loading
from core.lock_file import held, is_held
from core.message import Chat
from core.secret_token import ensure_token
from core.settings import Settings, load_settings
from core.workspace_watch import WorkspaceFile
from core.workspaces import Role

if TYPE_CHECKING:
    from fastapi import FastAPI

    from cli.script import Talk
    from core.database import Database
    from core.protocols import ChatFiles, HistorySearch, LinkSearch, PromiseMaker
    from promises.keeper import Work
    from runtime.manifest import AgentManifest
    from runtime.workplace import Workplace
    from web.late import LateDoors
    from web.services import Agents, Ground, Offered, Services

PROJECT = Path(__file__).resolve().parent
VERSION = "0.1.0"
LISTEN_FIRST = 0.05  # seconds before the heavy imports begin, which would keep the socket from listening


@dataclass(frozen=True, slots=True)
class Stack:
    """What the agents' stack stands on."""

    settings: Settings
    database: Database
    configuration: WorkspaceFile
    promises: PromiseMaker
    history: HistorySearch
    files: ChatFiles
    links: LinkSearch


def validate_environment() -> None:
    """Raise EnvironmentError naming which keys of the full service are missing; the start itself needs none."""
    environment.validate_environment(load_settings(PROJECT))


def end_process() -> None:
    """Ask whoever serves the application in this process to end it."""
    signal.raise_signal(signal.SIGTERM)


def build_app(settings: Settings, give_up: Callable[[], None] = end_process) -> FastAPI:
    """The web application. Its lifespan brings the server up in the background: `/health` waits for nothing.

    When that fails for good `give_up` is called, and `app.state.failure` is why. Raises ConfigurationError when the
    workspace configuration is wrong, with every problem in it.
    """
    from web.app import create_app
    from web.late import LateDoors
    from web.security import web_rules

    clock = SystemClock()
    board, late, configuration = Board(clock), LateDoors(), read_configuration(settings)
    board.report(checks.SERVER, Status.STARTING, "The server is starting.")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        stop = asyncio.Event()
        with held(server_lock(settings.home)):
            serving = asyncio.create_task(serve(Start(settings, configuration, board, late), stop))
            serving.add_done_callback(lambda _: stop.is_set() or give_up())
            yield
            stop.set()
            await asyncio.wait([serving])
            app.state.failure = serving.exception()

    return create_app(late.doors(board.snapshot, clock, web_rules(settings)), lifespan)


@dataclass(frozen=True, slots=True)
class Start:
    """What a start knows before the server is up."""

    settings: Settings
    configuration: WorkspaceFile
    board: Board
    late: LateDoors


async def serve(start: Start, stop: asyncio.Event) -> None:
    """Bring the server up, open its doors, and let it down when `stop` is set."""
    await asyncio.sleep(LISTEN_FIRST)
    build = loading()(build_services)
    services = await asyncio.to_thread(build, start.settings, start.configuration, start.board)
    from web.opened import open_doors
    from web.server import Server

    server = Server(services)
    async with server.up():
        start.late.open(open_doors(server))
        start.board.report(checks.SERVER, Status.HEALTHY, f"Valor {VERSION} is up.")
        await stop.wait()


def build_services(settings: Settings, configuration: WorkspaceFile, board: Board) -> Services:
    """Everything that runs in the server, not yet begun."""
    from core.database import Database
    from promises.worker import Places
    from web.services import Ground
    from web.services import build_services as build

    places = Places(settings.huey_path, settings.data_dir, settings.edge)
    _, rings = places.open_rings()
    database = Database(settings.database_address, settings.edge)
    ground = Ground(settings, SystemClock(), board, database, configuration, places, rings, VERSION)
    return build(ground, partial(build_agents, ground))


def build_agents(ground: Ground, offered: Offered) -> Agents:
    """The agents of the server, whose stack is loaded in the background; turns wait for it."""
    from agents import link_reader
    from cli.doctor import check_fence, check_model
    from conversations.agent_answers import AgentAnswers
    from web.services import Agents

    @loading()
    def load_workplace() -> Workplace:
        from agents.valor_agent import MANIFEST
        from conversations.typeset import typeset

        typeset("account", "*warm*")  # the first real one would import it inside a transaction
        doors = (offered.promises, offered.history, offered.files, offered.links)
        return build_workplace(Stack(ground.settings, ground.database, ground.configuration, *doors), MANIFEST)

    answers = AgentAnswers(load_workplace, offered.seen, offered.media.pictures, link_reader.MANIFEST)

    async def load() -> Mapping[str, checks.Finding]:
        await answers.workplace()
        fence = await asyncio.to_thread(check_fence, ground.settings)
        return {checks.MODEL: check_model(ground.settings), checks.FENCE: fence}

    return Agents(load, answers, answers.summarise, answers.done_so_far, answers.preview)


def build_workplace(stack: Stack, manifest: AgentManifest) -> Workplace:
    """Where an agent's runs take place. Imports for seconds, so call it in a thread."""
    from core.audit import Audit
    from runtime.directory_lock import DirectoryLocks
    from runtime.fences import Fences, product_of
    from runtime.limits import RunLimits
    from runtime.models import Models
    from runtime.runner import AgentRunner
    from runtime.sandbox import find_sandbox
    from runtime.workplace import Workplace

    settings, database, clock = stack.settings, stack.database, SystemClock()
    locks = DirectoryLocks(settings.data_dir / "locks", clock)
    sandbox = find_sandbox() if settings.fence else None
    fences = Fences(product_of(settings), locks, sandbox, clock, Audit(database, clock), database.edge)
    runner = AgentRunner(database, clock, Models(settings), RunLimits.of(settings))
    runner.prepare(manifest)  # a second of imports, which nobody's first turn shall wait for
    return Workplace(
        runner=runner,
        manifest=manifest,
        config=lambda: stack.configuration.config,
        fences=fences,
        promises=stack.promises,
        history=stack.history,
        files=stack.files,
        links=stack.links,
        clock=clock,
    )


def build_stack(settings: Settings, database: Database, configuration: WorkspaceFile) -> Stack:
    """The same for a process that is not the server: it rings there when a chat is owed something."""
    from conversations.enclosures import Enclosures
    from conversations.files import Files
    from conversations.history import History
    from conversations.links import Links
    from conversations.media_folder import MediaFolder
    from promises.service import Promises
    from promises.worker import Places

    clock = SystemClock()
    _, rings = Places(settings.huey_path, settings.data_dir, settings.edge).open_rings()
    history = History(database, settings.max_conversation_history, settings.context_tokens)
    folder = MediaFolder(settings.data_dir / "media")
    files = Files(database, clock, folder, Enclosures(database, folder), lambda _: rings.call_server())
    promises = Promises(database, rings, clock)
    return Stack(settings, database, configuration, promises, history, files, Links(database))


@loading()
def build_work(settings: Settings, database: Database) -> Work:
    """What the worker does with a promise."""
    from agents.valor_agent import MANIFEST
    from conversations.media_folder import MediaFolder
    from promises.agent_work import AgentWork

    configuration = read_configuration(settings)
    workplace = build_workplace(build_stack(settings, database, configuration), MANIFEST)
    return AgentWork(workplace, MediaFolder(settings.data_dir / "media").load, configuration.check)


@asynccontextmanager
async def open_talk(manifest: AgentManifest, project: str | None) -> AsyncGenerator[Talk]:
    """What the command lines of agents run in: this process, with the installation's database and workspaces.

    Raises OwnerError for a database or configuration that cannot be used, Unknown for a project that is not there.
    """
    from cli.talk import WorkplaceTalk
    from core.database import Database
    from core.logs import configure_logging
    from core.protocols import Asker

    settings = load_settings(PROJECT)
    configure_logging(settings, settings.logs_dir / "agent_system.log")
    configuration = read_configuration(settings)
    config = configuration.config
    workspace = config.resolve(project) if project else config.default_workspace()
    asker = Asker(Chat("local", "command line"), None, 0, "You", Role.OWNER, workspace.name)
    database = Database(settings.database_address)
    try:
        await migrate_alone(settings, database)
        stack = build_stack(settings, database, configuration)
        yield WorkplaceTalk(await asyncio.to_thread(build_workplace, stack, manifest), asker)
    finally:
        await database.close()


async def ask_stores(method: str, path: str) -> tuple[int, Any]:
    """What the server would answer, for a command line that finds none running: status and body.

    Raises OwnerError for a database that is not there or cannot be used.
    """
    from core.database import Database
    from core.logs import configure_logging
    from promises.service import Promises
    from promises.worker import Places
    from web.inside import ask_inside, doors_onto

    settings, clock = load_settings(PROJECT), SystemClock()
    if not settings.database_path.exists():
        raise OwnerError(f"There is no {settings.database_path} yet: start Valor with scripts/start.sh.")
    configure_logging(settings, settings.logs_dir / "agent_system.log", quiet=True)
    database = Database(settings.database_address)
    try:
        await migrate_alone(settings, database)
        _, rings = Places(settings.huey_path, settings.data_dir).open_rings()
        doors = doors_onto(database, Promises(database, rings, clock), clock, rings.call_server)
        return await ask_inside(doors, method, path)
    finally:
        await database.close()


async def migrate_alone(settings: Settings, database: Database) -> None:
    """Bring the tables up to date where no server does. Raises OwnerError while one is at it."""
    from core.migrate import is_current, migrate

    if await is_current(database):
        return
    try:
        with held(server_lock(settings.home)):
            await migrate(database)
    except Busy as error:
        raise OwnerError("The server is bringing system.db up to date: try again in a moment.") from error


def project_names() -> list[str]:
    """The workspaces that a command line can name."""
    return [workspace.name for workspace in read_configuration(load_settings(PROJECT)).config.workspaces]


def read_configuration(settings: Settings) -> WorkspaceFile:
    return WorkspaceFile(settings.workspace_config_path, settings.telegram_allowed_groups, settings.workspaces_dir)


def main(arguments: list[str]) -> int:
    """Run the server, or with --check-only look whether it could run; the exit code says so."""
    try:
        settings = load_settings(PROJECT)
        if "--check-only" in arguments:
            from cli.doctor import check_all

            return check_all(settings)
        run_server(settings)
    except OwnerError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{error.filename}: {error.strerror}. Valor needs to write there, or VALOR_HOME elsewhere.\n")
        return 1
    return 0


def run_server(settings: Settings) -> None:
    import uvicorn

    configure_server_logging(settings)
    if is_held(server_lock(settings.home)):
        raise OwnerError(f"A server of this installation runs already ({settings.home}): scripts/stop.sh ends it.")
    port = checks.check_port(settings.host, settings.http_port)
    if port.status is not Status.HEALTHY:
        raise OwnerError(port.sentence)

    def give_up() -> None:
        server.should_exit = True

    app = loading()(build_app)(settings, give_up)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.http_port,
        log_config=None,
        access_log=settings.log_api_requests,
        ssl_keyfile=settings.ssl_keyfile,
        ssl_certfile=settings.ssl_certfile,
        timeout_graceful_shutdown=3,
    )
    server = uvicorn.Server(config)
    server.run()
    if app.state.failure is not None:
        raise app.state.failure


def configure_server_logging(settings: Settings) -> None:
    from core.logs import configure_logging

    configure_logging(settings, settings.logs_dir / "agent_system.log", frozenset({ensure_token(settings.token_path)}))


def __getattr__(name: str) -> Any:
    """`uvicorn main:app` asks for `app`: it is built then, so that importing this module does nothing."""
    if name != "app":
        raise AttributeError(name)
    settings = load_settings(PROJECT)
    configure_server_logging(settings)
    return build_app(settings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
