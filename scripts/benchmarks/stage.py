"""Where a measurement plays: the world with its people here, the model and the echoing client in other processes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmarks.processes import Product, Side, beside, running
from tests.acceptance.installation import Installation
from tests.world.telegram import Chat, Person, TelegramWorld

CROWD = 20
RAISED = {"ANSWERS_PER_MINUTE": "1000000", "API_RATE_LIMIT": "1000000", "TELEGRAM_CALLS_PER_SECOND": "100000"}
WORKSPACE = "Bench"


@dataclass(frozen=True, slots=True)
class Stage:
    """`crowd` are listed people, the first of whom is in all `groups`; `echo` answers each message with its own text;
    `model` tells what it sees."""

    world: TelegramWorld
    product: Product
    model: Side
    valor: Person
    echo: Person
    crowd: tuple[Person, ...]
    groups: tuple[Chat, ...]


@asynccontextmanager
async def open_stage(folder: Path, people: int = CROWD, groups: int = 0) -> AsyncGenerator[Stage]:
    """The whole surroundings, the product not yet started."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(TelegramWorld(folder))
        model = await stack.enter_async_context(beside("model_process"))
        valor, echo = world.person("Valor", "valor_ai"), world.person("Echo", "echo")
        crowd = tuple(world.person(f"Person {number}", f"person_{number:02}") for number in range(people))
        chats = tuple(world.group(f"Group {number}", [crowd[0], valor]) for number in range(groups))
        settings = {**world.environment, **await reach(model), **RAISED}
        home = furnish(
            *(folder / "home", settings),
            usernames=[person.username or "" for person in crowd],
            groups=[str(chat.peer_id(valor)) for chat in chats],
        )
        product = Product(home)
        world.mint_session(valor, product.home / "data" / "telegram.session").chmod(0o600)
        echoing = await stack.enter_async_context(beside("echo_process", *_lead_to(world, echo, folder)))
        await echoing.hear()
        await stack.enter_async_context(running(product))
        yield Stage(world, product, model, valor, echo, crowd, chats)


def _lead_to(world: TelegramWorld, person: Person, folder: Path) -> tuple[str, ...]:
    session = world.mint_session(person, folder / "echo.session")
    server = world.server
    return str(session), server.host, str(server.port), str(server.dc_id), str(world.key_file)


async def reach(model: Side) -> dict[str, str]:
    """The settings that lead the product to the model."""
    return {"ANTHROPIC_BASE_URL": await model.hear_fact("url"), "ANTHROPIC_API_KEY": "dummy"}


def furnish(
    home: Path, settings: dict[str, str], *, usernames: Sequence[str] = (), groups: Sequence[str] = ()
) -> Installation:
    """An installation with one workspace, which these people may write to, and these groups too."""
    directory = home / "work"
    directory.mkdir(parents=True)
    (home / "data").mkdir()
    installation = Installation(home, settings)
    listed = {name: {"description": "A person", "working_directory": str(directory)} for name in usernames}
    configuration = {
        "workspaces": {WORKSPACE: {"working_directory": str(directory), "telegram_chat_ids": list(groups)}},
        "dm_whitelist": {"allowed_users": listed},
    }
    (home / "config" / "workspace_config.json").write_text(json.dumps(configuration))
    return installation
