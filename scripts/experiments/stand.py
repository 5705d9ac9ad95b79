"""Where an ordeal is undergone: a play, the two servers outside, and what can be arranged and awaited there."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from scripts.experiments.lives import Life
from scripts.experiments.play import Play
from tests.world.telegram import Person, TelegramWorld

PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Stand:
    """`chance` is that of the ordeals."""

    play: Play
    chance: random.Random
    world: TelegramWorld
    stop_model: Callable[[], Awaitable[None]]
    start_model: Callable[[], Awaitable[None]]

    @property
    def valor(self) -> Person:
        return self.play.scene.cast.valor

    def ask(self, kind: str, at: int = -1) -> str:
        """Have a writer (any, or that one) ask in a DM; the nonce."""
        writers = self.play.scene.cast.writers
        writer = writers[at] if at >= 0 else self.chance.choice(writers[2:])
        return self.play.scene.people.ask(writer, self.valor, kind).nonce

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

    async def see_end(self, life: Life, seconds: float = PATIENCE) -> bool:
        """Whether a life ends within the time, as this machine counts it."""
        return await life.wait(self.play.pace(seconds))
