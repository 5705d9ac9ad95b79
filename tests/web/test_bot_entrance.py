"""The bot in a whole server over the played Bot API."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest

from conversations.commands import NAMES
from core.checks import BOT, SELF_PING, Status
from core.errors import Unreachable
from core.settings import Settings, load_settings
from tests.web.installation import open_server, settings_in
from tests.web.test_server import until
from tests.world.bot_api import BotApi
from tests.world.telegram import Person, TelegramWorld
from web.server import Server


@dataclass
class Home:
    world: TelegramWorld
    api: BotApi
    bot: Person
    anna: Person
    folder: Path

    def settings(self, **more: str) -> Settings:
        settings = settings_in(self.folder, **self.api.environment(self.bot), **more)
        wanted = json.loads(settings.workspace_config_path.read_text())
        wanted["dm_whitelist"] = {"allowed_users": {"anna": {"role": "owner"}}}
        settings.workspace_config_path.write_text(json.dumps(wanted))
        return load_settings(self.folder)


@pytest.fixture
async def home(tmp_path: Path) -> AsyncGenerator[Home]:
    async with TelegramWorld(tmp_path) as world, BotApi(world) as api:
        yield Home(world, api, world.bot("Valor", "valor_bot"), world.person("Anna", "anna"), tmp_path)


async def test_b9_a_bot_alone_is_pinged_and_answers(home: Home) -> None:
    async with open_server(home.settings()) as (server, doors):
        assert await until(server, BOT, Status.HEALTHY) == "Connected as @valor_bot."
        assert f"bot:{home.bot.id}" in await until(server, SELF_PING, Status.HEALTHY)
        answer = await home.world.answer_to(home.world.say(home.anna, home.bot, "ping"), 10)
        assert answer.text.startswith("pong: up ")
        assert (await doors.pinger.ping()).is_back
        assert home.world.messages(sender=home.bot) == [home.world.ledger.message(answer.number)]
        assert server.services.accounts.current.usernames == {"valor_bot"}
        menu = [command["command"] for command in home.api.hub(home.bot).commands]
    assert {"help", "promises", "cancel", "stop", "why"} <= {*menu} <= NAMES


async def test_a4_what_mentions_the_bot_is_known_before_the_bot_can_be_asked(home: Home) -> None:
    """As when the account reads what it missed while the Bot API is slow, or away."""
    async with open_server(home.settings()) as (server, _):
        assert server.services.accounts.current.usernames == set()
        await until(server, SELF_PING, Status.HEALTHY)
    await home.api.go_down()
    async with open_server(home.settings()) as (server, _):
        await until(server, BOT, Status.DEGRADED)
        assert server.services.accounts.current.usernames == {"valor_bot"}
    home.bot = home.world.bot("Another", "another_bot")
    async with open_server(home.settings()) as (server, _):
        await until(server, BOT, Status.DEGRADED)
        assert server.services.accounts.current.usernames == set()


@pytest.mark.parametrize("privacy", [True, False])
async def test_s1_a_bot_that_cannot_hear_its_dev_groups_says_so_and_what_to_do(home: Home, privacy: bool) -> None:
    home.api.hub(home.bot).privacy = privacy
    settings = home.settings()
    wanted = json.loads(settings.workspace_config_path.read_text())
    place = {"working_directory": str(home.folder), "telegram_chat_ids": ["-1001"], "is_dev_group": True}
    wanted["workspaces"]["Served"] = place
    settings.workspace_config_path.write_text(json.dumps(wanted))
    async with open_server(load_settings(home.folder)) as (server, _):
        sentence = await until(server, BOT, Status.HEALTHY)
    assert ("privacy mode keeps from it what is not said to it in Served: send @BotFather" in sentence) is privacy


async def test_b9_a_wrong_token_is_named_and_the_rest_works(home: Home) -> None:
    settings = home.settings()
    home.api.revoke(home.bot)
    async with open_server(settings) as (server, _):
        assert "TELEGRAM_BOT_TOKEN" in await until(server, BOT, Status.UNHEALTHY)
        assert "local" in await until(server, SELF_PING, Status.HEALTHY)


async def test_b9_what_is_no_token_is_named(tmp_path: Path) -> None:
    async with open_server(settings_in(tmp_path, TELEGRAM_BOT_TOKEN="nonsense")) as (server, _):
        assert "no token" in await until(server, BOT, Status.UNHEALTHY)
        await until(server, SELF_PING, Status.HEALTHY)
        with pytest.raises(Unreachable):
            await server.bot.take_update({})


async def test_b1_a_bot_waits_until_it_is_known_who_the_account_is(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from web import bot_entrance

    monkeypatch.setattr(bot_entrance, "ACCOUNT_FIRST", 0.05)
    async with open_server(home.settings()) as (server, _):
        server.bot.is_account_clear.clear()
        assert await until(server, BOT, Status.HEALTHY) == "Connected as @valor_bot."


async def test_b9_a_bot_that_is_lost_while_it_runs_is_told_and_pinged(home: Home) -> None:
    async with open_server(home.settings()) as (server, _):
        await until(server, SELF_PING, Status.HEALTHY)
        home.api.revoke(home.bot)
        home.world.ledger.wake()
        assert "wrong or revoked" in await lost(server, home)
        await until(server, SELF_PING, Status.UNHEALTHY)


async def lost(server: Server, home: Home) -> str:
    """Its fetch is under way: a network that comes back shows it the end."""
    await home.api.go_down()
    await until(server, BOT, Status.DEGRADED)
    await home.api.come_back()
    return await until(server, BOT, Status.UNHEALTHY)
