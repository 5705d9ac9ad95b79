"""Asking: the running server over its token, or where none runs the same application over the tables."""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Protocol, cast

from cli.client import Address, Client, NotRunning, UnknownToken
from cli.plain import lines_of
from cli.requests import Request
from core.environment import Environment, read_environment, server_lock
from core.errors import ConfigurationError, OwnerError, RequestError

PROJECT = Path(__file__).resolve().parent.parent
STARTING_SECONDS = 10.0  # that a server may hold its lock before it listens
PAUSE_SECONDS = 0.05


class Composition(Protocol):
    """What `main` offers here. Looked up by name at run time, so that nothing points up."""

    def ask_stores(self, method: str, path: str) -> Awaitable[tuple[int, Any]]:
        """Status and body, as the server would answer. Raises OwnerError."""
        ...


def carry_out(request: Request, *, as_json: bool) -> None:
    """Ask, and show the answer on standard output. Raises ValorError."""
    answer = ask(request)
    if as_json:
        print(json.dumps(answer, indent=2))
    elif sys.stdout.isatty():
        from cli.terminal import draw

        draw(request.show(answer))
    else:
        print("\n".join(lines_of(request.show(answer))))


def ask(request: Request) -> Any:
    """The answer's JSON. Raises ValorError with one sentence that says who must do what."""
    place = read_environment(PROJECT)
    until = time.monotonic() + STARTING_SECONDS
    while True:
        try:
            return Client.of(place).ask(request.method, request.path)
        except UnknownToken as error:
            raise _why_unknown(place) from error
        except (NotRunning, ConfigurationError) as error:
            if not _is_served(place):
                return ask_stores(request)
            if time.monotonic() >= until:
                raise _why_silent(place, error) from error
        time.sleep(PAUSE_SECONDS)


def ask_stores(request: Request) -> Any:
    """The same without a server. Raises ValorError."""
    import asyncio

    composition = cast("Composition", importlib.import_module("main"))

    async def asking() -> tuple[int, Any]:
        return await composition.ask_stores(request.method, request.path)

    status, body = asyncio.run(asking())
    if status >= 400:
        raise RequestError(body["error"])
    return body


def _is_served(place: Environment) -> bool:
    """Whether a server of this installation lives, listening or not."""
    from core.lock_file import is_held

    return is_held(server_lock(place.home))


def _why_silent(place: Environment, error: OwnerError | NotRunning) -> OwnerError:
    """A server of this installation lives, and cannot be asked."""
    if isinstance(error, OwnerError):
        return error
    sentence = f"The server of {place.home} runs and does not listen at {Address.of(place)}"
    return OwnerError(f"{sentence}: see logs/agent_system.log there, or scripts/stop.sh && scripts/start.sh.")


def _why_unknown(place: Environment) -> OwnerError:
    """Somebody answers who does not know our token."""
    address = Address.of(place)
    if _is_served(place):
        sentence = f"The server at {address} runs with another token than {place.token_path}, which was replaced"
        return OwnerError(f"{sentence} meanwhile: scripts/stop.sh && scripts/start.sh.")
    sentence = f"The Valor at {address} is not the one of {place.home}, which does not run"
    return OwnerError(f"{sentence}: give this one another API_PORT in {place.env_file}, and start it.")
