"""Where a measurement plays: the world with its people here, the model and the echoing client in other processes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmarks.processes import Product, Side, beside, running
from tests.acceptance.installation import Installation
from tests.world.telegram import Person, TelegramWorld

CROWD = 20
RAISED = {"ANSWERS_PER_MINUTE": "1000000", "API_RATE_LIMIT": "1000000"}
WORKSPACE = "Bench"


@dataclass(frozen=True, slots=True)
class Stage:
    """`crowd` are listed people; `echo` answers each message with its own text; `model` tells what it sees."""

    world: TelegramWorld
    product: Product
    model: Side
    valor: Person
    echo: Person
    crowd: tuple[Person, ...]


@asynccontextmanager
async def open_stage(folder: Path) -> AsyncGenerator[Stage]:
    """The whole surroundings, the product not yet started."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(TelegramWorld(folder))
        model = await stack.enter_async_context(beside("model_process"))
        valor, echo = world.person("Valor", "valor_ai"), world.person("Echo", "echo")
        crowd = tuple(world.person(f"Person {number}", f"person_{number:02}") for number in range(CROWD))
        settings = {**world.environment, **await reach(model), **RAISED}
        product = Product(furnish(folder / "home", settings, [person.username or "" for person in crowd]))
        world.mint_session(valor, product.home / "data" / "telegram.session").chmod(0o600)
        echoing = await stack.enter_async_context(beside("echo_process", *_lead_to(world, echo, folder)))
        await echoing.hear()
        await stack.enter_async_context(running(product))
        yield Stage(world, product, model, valor, echo, crowd)


def _lead_to(world: TelegramWorld, person: Person, folder: Path) -> tuple[str, ...]:
    session = world.mint_session(person, folder / "echo.session")
    server = world.server
    return str(session), server.host, str(server.port), str(server.dc_id), str(world.key_file)


async def reach(model: Side) -> dict[str, str]:
    """The settings that lead the product to the model."""
    return {"ANTHROPIC_BASE_URL": await model.hear_fact("url"), "ANTHROPIC_API_KEY": "dummy"}


def furnish(home: Path, settings: dict[str, str], usernames: list[str]) -> Installation:
    """An installation with one workspace, which these people may write to."""
    directory = home / "work"
    directory.mkdir(parents=True)
    (home / "data").mkdir()
    installation = Installation(home, settings)
    listed = {name: {"description": "A person", "working_directory": str(directory)} for name in usernames}
    configuration = {
        "workspaces": {WORKSPACE: {"working_directory": str(directory)}},
        "dm_whitelist": {"allowed_users": listed},
    }
    (home / "config" / "workspace_config.json").write_text(json.dumps(configuration))
    return installation
