"""The account in a whole server: its groups, what becomes known when it is lost, and how it comes back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.checks import ACCOUNT, Status
from core.errors import Unreachable
from core.group_list import Group
from core.settings import Settings, load_settings
from integrations.telegram.session import SIGN_IN
from tests import waiting
from tests.integrations.telegram.desk import Home
from tests.web.installation import open_server, settings_in
from tests.web.test_server import until
from tests.world.telegram import Chat, TelegramWorld
from web.server import Server


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    async with TelegramWorld(tmp_path) as world:
        yield Home(world, tmp_path)


def settings_of(home: Home, *groups: Chat) -> Settings:
    """An installation whose account is signed in, with Anna as its owner."""
    settings = settings_in(home.folder, **home.world.environment)
    settings.data_dir.mkdir(exist_ok=True)
    home.world.mint_session(home.valor, settings.data_dir / "telegram.session")
    config = json.loads(settings.workspace_config_path.read_text())
    config["workspaces"]["Garden"]["telegram_chat_ids"] = [str(group.peer_id(home.valor)) for group in groups]
    config["dm_whitelist"] = {"allowed_users": {"anna_b": {"role": "owner"}}}
    settings.workspace_config_path.write_text(json.dumps(config))
    return load_settings(home.folder)


async def test_s3_a_running_server_lists_the_groups_of_its_session(home: Home) -> None:
    dev = home.world.group("Dev", [home.anna, home.valor])
    other = home.world.group("Other", [home.anna, home.valor], supergroup=False)
    async with open_server(settings_of(home, dev)) as (server, doors):
        await until(server, ACCOUNT, Status.HEALTHY)
        listed = await doors.groups.groups()
    keys = [str(group.peer_id(home.valor)) for group in (dev, other)]
    assert listed.groups == (Group(keys[0], "Dev", "Garden"), Group(keys[1], "Other", None))


async def test_without_an_account_there_are_no_groups_to_list(tmp_path: Path) -> None:
    async with open_server(settings_in(tmp_path)) as (_, doors):
        with pytest.raises(Unreachable, match="not up"):
            await doors.groups.groups()


def mend_of(server: Server) -> str | None:
    parts = server.services.ground.board.snapshot().components
    return next(part.finding.mend for part in parts if part.name == ACCOUNT)


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("AUTH_KEY_DUPLICATED", 406, "used in two places at once"),
        ("SESSION_REVOKED", 401, "ended from another device"),
        ("USER_DEACTIVATED_BAN", 401, "appeal to Telegram's support"),
        ("AUTH_KEY_UNREGISTERED", 401, "not signed in"),
    ],
)
async def test_b12_a_lost_account_is_told_on_the_page_and_health_says_what_to_do(
    home: Home, name: str, code: int, said: str
) -> None:
    async with open_server(settings_of(home)) as (server, doors):
        await until(server, ACCOUNT, Status.HEALTHY)
        await home.world.answer_to(home.world.say(home.anna, home.valor, "ping"))
        home.world.faults.error(name, code, person=home.valor, times=None)
        home.world.drop_connections(home.valor)
        sentence = await until(server, ACCOUNT, Status.UNHEALTHY)
        assert said in sentence
        assert mend_of(server) == SIGN_IN

        async def told() -> list[str]:
            return [line.text for line in await doors.chat.lines("page", 10) if line.is_own]

        assert await waiting.until_found(told) == [sentence]


async def test_b9_a_lost_account_is_taken_up_again_once_it_is_signed_in(home: Home) -> None:
    """Without a restart; what was said meanwhile is answered, and by the same front."""
    settings = settings_of(home)
    async with open_server(settings) as (server, _):
        await until(server, ACCOUNT, Status.HEALTHY)
        home.world.revoke(home.valor)
        home.world.drop_connections(home.valor)
        await until(server, ACCOUNT, Status.UNHEALTHY)
        asked = home.world.say(home.anna, home.valor, "ping")
        home.world.mint_session(home.valor, settings.data_dir / "telegram.session")
        await until(server, ACCOUNT, Status.HEALTHY)
        await home.world.answer_to(asked)
        assert len(home.world.answers_to(asked)) == 1
        assert len([name for name in server.services.fronts if name.startswith("account:")]) == 1


async def test_b9_an_account_that_is_signed_in_after_the_start_is_served(home: Home) -> None:
    settings = settings_of(home)
    session = settings.data_dir / "telegram.session"
    session.unlink()
    async with open_server(settings) as (server, _):
        assert SIGN_IN in await until(server, ACCOUNT, Status.UNHEALTHY)
        home.world.mint_session(home.valor, session)
        await until(server, ACCOUNT, Status.HEALTHY)
        await home.world.answer_to(home.world.say(home.anna, home.valor, "ping"))
