"""Where an ordeal is undergone: a play, the two servers outside, and what can be arranged and awaited there."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.experiments.lives import BrokenError, Life, Lives
from scripts.experiments.mind import Mind
from scripts.experiments.outside import Outside
from scripts.experiments.people import People
from scripts.experiments.play import Play, Terms
from scripts.experiments.scene import Scene
from scripts.experiments.stage import WRITERS, Tables, cast_in, furnish
from tests.world.anthropic import AnthropicWorld
from tests.world.bot_api import BotApi
from tests.world.speech import SpeechWorld
from tests.world.telegram import Person, TelegramWorld
from tests.world.web import WebWorld

PATIENCE = 5.0
START_SECONDS = 60.0
SECOND = 1.1  # Telegram tells whole seconds: what is said in that of the first start counts as older than it


@dataclass(frozen=True, slots=True)
class Stand:
    """`chance` is that of the ordeals."""

    play: Play
    chance: random.Random
    world: TelegramWorld
    api: BotApi
    stop_model: Callable[[], Awaitable[None]]
    start_model: Callable[[], Awaitable[None]]

    @property
    def valor(self) -> Person:
        return self.play.scene.cast.valor

    @property
    def bot(self) -> Person:
        return self.play.scene.cast.bot

    def ask(self, kind: str, at: int = -1, of: Person | None = None) -> str:
        """Have a writer (any, or that one) ask in a DM, with the account unless told otherwise; the nonce."""
        writers = self.play.scene.cast.writers
        writer = writers[at] if at >= 0 else self.chance.choice(writers[2:])
        return self.play.scene.people.ask(writer, of or self.valor, kind).nonce

    async def comes(self, condition: Callable[[], object], seconds: float = PATIENCE) -> bool:
        """Whether it becomes true within the time, as this machine counts it."""
        return await self.play.comes(condition, seconds)

    async def has(self, sql: str, *parameters: object) -> bool:
        """Whether the tables come to hold such a row."""
        return await self.comes(lambda: self.play.scene.tables.query(sql, *parameters))

    async def is_asked(self, words: str, times: int) -> bool:
        """Whether the model comes to be asked for it so often."""
        return await self.comes(lambda: self.play.scene.mind.asked(words) >= times)

    async def is_answered(self, nonces: list[str], seconds: float = PATIENCE) -> bool:
        people = self.play.scene.people

        def all_answered() -> bool:
            people.look()
            return not any(nonce in people.open for nonce in nonces)

        return await self.comes(all_answered, seconds)

    async def restart(self, part: str, die_at: str = "") -> Life:
        await self.play.end(part)
        return await self.play.begin(part, die_at)

    def rare_point(self, *points: str) -> str:
        """One of these of a part (`part point`) at which nobody died yet; when there is none left, any, or that part
        with none."""
        untouched = [point for point in points if not self.play.tally.died_at[point]]
        return self.chance.choice(untouched or (points[0].partition(" ")[0], *points))

    async def restart_at(self, point: str) -> Life:
        """Begin that part anew, to die there."""
        part, _, die_at = point.partition(" ")
        return await self.restart(part, die_at)

    async def see_end(self, life: Life, seconds: float = PATIENCE) -> bool:
        """Whether a life ends within the time, as this machine counts it."""
        return await life.wait(self.play.pace(seconds))


@asynccontextmanager
async def set_up(lives: Lives, terms: Terms, writers: int = WRITERS) -> AsyncGenerator[Stand]:
    """A new world with so many people, and a new installation that serves them, of which nothing runs yet."""
    empty(lives.installation.home)
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(TelegramWorld(lives.installation.home.parent))
        model = await stack.enter_async_context(AnthropicWorld())
        api = await stack.enter_async_context(BotApi(world))
        cast = cast_in(world, writers)
        web, speech = WebWorld(), SpeechWorld()
        outside = Outside(api, await stack.enter_async_context(web), await stack.enter_async_context(speech))
        reached = outside.environment(cast.bot) | {"ANTHROPIC_BASE_URL": model.url}
        furnish(lives.installation, world, cast, reached)
        tables = Tables(lives.installation, str(cast.valor.id))
        stack.callback(tables.close)
        people = People(world, outside, cast, terms.chance("people"), terms.pace)
        mind = Mind(model, terms.chance("mind"), tables.is_on_disk)
        play = Play(Scene(world, api, cast, lives.installation.home, tables, people, mind), lives, terms)
        stack.push_async_callback(play.end_all)
        stack.push_async_callback(people.rest)

        async def stop_model() -> None:
            await model.__aexit__()

        async def start_model() -> None:
            await model.__aenter__()

        yield Stand(play, terms.chance("ordeals"), world, api, stop_model, start_model)


async def be_up(play: Play) -> None:
    """Wait until people are heard. Raises BrokenError."""
    if not await play.comes(lambda: play.scene.tables.value("SELECT COUNT(*) FROM admitted_since"), START_SECONDS):
        raise BrokenError("the product does not come up")
    await asyncio.sleep(SECOND)


def empty(home: Path) -> None:
    """Leave nothing of the play before."""
    for pattern in ("system.db*", "huey.db*", "arrivals.*"):
        for file in home.glob(pattern):
            file.unlink()
    for name in ("work", "data", "logs"):
        shutil.rmtree(home / name, ignore_errors=True)
    (home / "data").mkdir()
