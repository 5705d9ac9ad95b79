from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.experiments import troubles as troubles_module
from scripts.experiments.play import Play
from scripts.experiments.stand import Stand
from scripts.experiments.troubles import BOT_EDIT, BOT_SEND, POLL, Troubles
from tests.scripts.experiments.scene import quiet

NOBODY: Any = None


@pytest.fixture(autouse=True)
def away_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(troubles_module, "AWAY_SECONDS", 0.0)


class Drawing(random.Random):
    """Draws what has this name, of whichever list holds it, else the first."""

    name = ""

    def choice(self, seq: Any) -> Any:
        return self.name if self.name in seq else next(iter(seq))


@contextmanager
def troubled(folder: Path, chance: random.Random) -> Generator[Troubles]:
    with quiet(folder) as made:
        play = Play(made.scene, NOBODY, NOBODY)
        yield Troubles(Stand(play, chance, made.scene.world, made.scene.api, NOBODY, NOBODY))


@asynccontextmanager
async def served(troubles: Troubles) -> AsyncGenerator[None]:
    async with troubles.stand.world, troubles.stand.api:
        yield


async def test_what_goes_wrong_is_drawn_for_both_by_the_seed_and_counted(tmp_path: Path) -> None:
    drawn: list[tuple[object, object]] = []
    for at, seed in enumerate((7, 7, 8)):
        with troubled(tmp_path / str(at), random.Random(seed)) as troubles:
            async with served(troubles):
                for _ in range(5):
                    await troubles.befall()
        assert (troubles.account.total(), troubles.bot.total()) == (5, 5)
        drawn.append((troubles.account, troubles.bot))
    assert drawn[0] == drawn[1] != drawn[2]


async def ask(troubles: Troubles, method: str, seconds: float = 10.0) -> str:
    """How the Bot API answers the bot: its code and how long to wait, or that it hung up or said nothing."""
    api, bot = troubles.stand.api, troubles.stand.bot
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=seconds) as client:
            told = await client.post(f"{api.url}/bot{api.token(bot)}/{method}", data={"timeout": 0})
    except httpx.ReadTimeout:
        return "silence"
    except httpx.HTTPError:
        return "hung up"
    patience = told.json().get("parameters", {}).get("retry_after", "")
    return f"{told.status_code} {patience}".strip()


@pytest.mark.parametrize(
    ("name", "method", "answers"),
    [
        ("flood of sends", BOT_SEND, ["429 2", "429 2", "400"]),
        ("flood of edits", BOT_EDIT, ["429 2", "429 2", "400"]),
        ("flood of polls", POLL, ["429 2", "200"]),
        ("lost answer", BOT_SEND, ["hung up", "400"]),
        ("cut connection", BOT_SEND, ["hung up", "400"]),
        ("dropped poll", POLL, ["hung up", "200"]),
        ("lost poll", POLL, ["hung up", "200"]),
        ("overloaded for sends", BOT_SEND, ["502", "502", "400"]),
        ("overloaded for edits", BOT_EDIT, ["502", "502", "400"]),
        ("overloaded for polls", POLL, ["502", "200"]),
    ],
)
async def test_the_bot_meets_what_is_named(tmp_path: Path, name: str, method: str, answers: list[str]) -> None:
    chance = Drawing()
    chance.name = name
    with troubled(tmp_path, chance) as troubles:
        async with served(troubles):
            await troubles.befall()
            assert [await ask(troubles, method) for _ in answers] == answers
    assert troubles.bot == {name: 1}


async def test_the_bot_meets_silence(tmp_path: Path) -> None:
    chance = Drawing()
    chance.name = "silence"
    with troubled(tmp_path, chance) as troubles:
        async with served(troubles):
            await troubles.befall()
            assert await ask(troubles, BOT_SEND, 0.3) == "silence"
            assert await ask(troubles, BOT_SEND) == "400"


async def test_the_bot_api_goes_away_and_comes_back(tmp_path: Path) -> None:
    chance = Drawing()
    chance.name = "bot api away"
    with troubled(tmp_path, chance) as troubles:
        async with served(troubles):
            before = troubles.stand.api.url
            await troubles.befall()
            assert (troubles.stand.api.url, await ask(troubles, POLL)) == (before, "200")
