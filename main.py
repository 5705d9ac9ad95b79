"""The composition root: the one place that knows every part. `python main.py`, or `uvicorn main:app --port 9000`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import checks
from core import settings as environment
from core.checks import Board, Status
from core.clock import SystemClock
from core.errors import OwnerError
from core.secret_token import ensure_token
from core.settings import Settings, load_settings
from core.workspace_watch import WorkspaceFile

if TYPE_CHECKING:
    from fastapi import FastAPI

    from core.database import Database
    from core.protocols import HistorySearch
    from promises.keeper import Work
    from promises.service import Promises
    from runtime.workplace import Workplace
    from web.late import LateDoors
    from web.services import Agents, Ground, Services

PROJECT = Path(__file__).resolve().parent
VERSION = "0.1.0"


def validate_environment() -> None:
    """Raise EnvironmentError naming which keys of the full service are missing; the start itself needs none."""
    environment.validate_environment(load_settings(PROJECT))


def build_app(settings: Settings) -> FastAPI:
    """The web application. Its lifespan brings the server up in the background: `/health` waits for nothing.

    Raises ConfigurationError when the workspace configuration is wrong, with every problem in it.
    """
    from web.app import create_app
    from web.doors import WebDoors, WebRules
    from web.late import LateDoors

    clock = SystemClock()
    board, late, configuration = Board(clock), LateDoors(), read_configuration(settings)
    board.report(checks.SERVER, Status.STARTING, "The server is starting.")
    rules = WebRules(
        token=ensure_token(settings.token_path),
        port=settings.http_port,
        origins=frozenset(settings.cors_origins),
        max_body=int(settings.max_request_size),
        requests_per_minute=settings.api_rate_limit,
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        stop = asyncio.Event()
        serving = asyncio.create_task(serve(settings, configuration, board, late, stop))
        yield
        stop.set()
        await serving

    doors = WebDoors(late.chat, late.promises, late, late, late, late, board.snapshot, clock, rules)
    return create_app(doors, lifespan)


async def serve(
    settings: Settings, configuration: WorkspaceFile, board: Board, late: LateDoors, stop: asyncio.Event
) -> None:
    """Bring the server up, open its doors, and let it down when `stop` is set."""
    services = await asyncio.to_thread(build_services, settings, configuration, board)
    from web.opened import open_doors
    from web.server import Server

    server = Server(services)
    async with server.up():
        late.open(open_doors(server))
        board.report(checks.SERVER, Status.HEALTHY, f"Valor {VERSION} is up.")
        await stop.wait()


def build_services(settings: Settings, configuration: WorkspaceFile, board: Board) -> Services:
    """Everything that runs in the server, not yet begun."""
    from core.database import Database
    from promises.worker import Places
    from web.services import Ground
    from web.services import build_services as build

    places = Places(settings.huey_path, settings.data_dir)
    _, rings = places.open_rings()
    database = Database(settings.database_address)
    ground = Ground(settings, SystemClock(), board, database, configuration, places, rings, VERSION)
    return build(ground, lambda promises, history: build_agents(ground, promises, history))


def build_agents(ground: Ground, promises: Promises, history: HistorySearch) -> Agents:
    """The agents of the server, whose stack is loaded in the background; turns wait for it."""
    from conversations.agent_answers import AgentAnswers
    from web.services import Agents

    answers = AgentAnswers(
        lambda: build_workplace(ground.settings, ground.database, ground.configuration, promises, history)
    )

    async def load() -> str:
        await answers.workplace()
        return describe_model(ground.settings)

    return Agents(load, answers, answers.done_so_far)


def build_workplace(
    settings: Settings,
    database: Database,
    configuration: WorkspaceFile,
    promises: Promises,
    history: HistorySearch,
) -> Workplace:
    """The agents' stack: imports for seconds, so call it in a thread."""
    from agents.valor_agent import MANIFEST
    from core.audit import Audit
    from runtime.directory_lock import DirectoryLocks
    from runtime.fences import Fences, product_of
    from runtime.limits import RunLimits
    from runtime.models import Models
    from runtime.runner import AgentRunner
    from runtime.sandbox import find_sandbox
    from runtime.workplace import Workplace

    clock = SystemClock()
    locks = DirectoryLocks(settings.data_dir / "locks", clock)
    sandbox = find_sandbox() if settings.fence else None
    fences = Fences(product_of(settings), locks, sandbox, clock, Audit(database, clock))
    runner = AgentRunner(database, clock, Models(settings), RunLimits.of(settings))
    return Workplace(runner, MANIFEST, lambda: configuration.config, fences, promises, history, clock)


def build_work(settings: Settings, database: Database) -> Work:
    """What the worker does with a promise."""
    from conversations.history import History
    from promises.agent_work import AgentWork
    from promises.service import Promises
    from promises.worker import Places

    _, rings = Places(settings.huey_path, settings.data_dir).open_rings()
    promises = Promises(database, rings, SystemClock())
    history = History(database, settings.max_conversation_history, settings.context_tokens)
    return AgentWork(build_workplace(settings, database, read_configuration(settings), promises, history))


def read_configuration(settings: Settings) -> WorkspaceFile:
    return WorkspaceFile(settings.workspace_config_path, settings.telegram_allowed_groups, settings.workspaces_dir)


def describe_model(settings: Settings) -> str:
    """One sentence on which model answers."""
    from runtime.models import Models

    state = Models(settings).state()
    if state.missing is not None:
        return f"The offline model answers, for {state.missing} is not set."
    return f"{state.name} answers."


def main(arguments: list[str]) -> int:
    """Run the server, or with --check-only look whether it could run; the exit code says so."""
    try:
        settings = load_settings(PROJECT)
        if "--check-only" in arguments:
            from web.doctor import check_all

            return check_all(settings)
        run_server(settings)
    except OwnerError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def run_server(settings: Settings) -> None:
    import uvicorn

    from core.logs import configure_logging

    configure_logging(settings, settings.logs_dir / "agent_system.log")
    uvicorn.run(
        build_app(settings),
        host=settings.host,
        port=settings.http_port,
        log_config=None,
        access_log=settings.log_api_requests,
        ssl_keyfile=settings.ssl_keyfile,
        ssl_certfile=settings.ssl_certfile,
        timeout_graceful_shutdown=3,
    )


def __getattr__(name: str) -> Any:
    """`uvicorn main:app` asks for `app`: it is built then, so that importing this module does nothing."""
    if name != "app":
        raise AttributeError(name)
    from core.logs import configure_logging

    settings = load_settings(PROJECT)
    configure_logging(settings, settings.logs_dir / "agent_system.log")
    return build_app(settings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
