"""What a look is taken at, and what may be wrong there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from scripts.experiments.mind import Mind
from scripts.experiments.people import People
from scripts.experiments.stage import Cast, Tables
from tests.world.bot_api import BotApi
from tests.world.telegram import TelegramWorld


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that the checker looks at."""

    world: TelegramWorld
    api: BotApi
    cast: Cast
    home: Path
    tables: Tables
    people: People
    mind: Mind


@dataclass(slots=True)
class Excuses:
    """The turns and promises that may have failed, because the model's server was away while they were open; and the
    promises for whose consent it may have become too late, because the clock jumped."""

    turns: set[int] = field(default_factory=set[int])
    promises: set[int] = field(default_factory=set[int])
    unallowed: set[int] = field(default_factory=set[int])
