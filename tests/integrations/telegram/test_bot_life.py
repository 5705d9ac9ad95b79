"""How a bot's updates come in: each once it is a row, whatever waited and whatever goes wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from core.clock import FakeClock
from core.errors import Unreachable
from core.message import ChatKind, Person
from integrations.telegram.bot import Bot
from integrations.telegram.bot_access import BotAccess
from integrations.telegram.bot_life import BotPace
from integrations.telegram.bot_line import JSON
from tests import waiting
from tests.integrations.telegram.bot_stage import QUICK, BotHome
from tests.integrations.telegram.desk import Desk
from tests.world.bot_api_hub import Webhook


async def until(bot: Bot, status: str) -> str:
    """Wait until the bot is so; its sentence."""
    await waiting.until(lambda: bot.health().status == status, 5)
    return bot.health().sentence


async def test_b1_what_is_said_is_heard_in_order(bot_home: BotHome) -> None:
    world, anna, group = bot_home.world, bot_home.anna, bot_home.world.group("Dev", [bot_home.anna, bot_home.person])
    async with bot_home.bot() as bot:
        assert bot.health() == ("healthy", "Connected as @valor_bot.")
        assert bot.person == Person(bot_home.person.id, "valor_bot", "Valor", is_bot=True)
        lines = [world.say(anna, group, f"line {number}") for number in range(5)]
        dm = world.say(anna, bot_home.person, "hi")
        world.edit(lines[4], "line 4 now")
        await bot_home.desk.hear("hi")
        heard = await bot_home.desk.hear("line 4 now")
    assert [text for text in bot_home.desk.texts if text != "hi"] == [f"line {n}" for n in range(5)] + ["line 4 now"]
    assert heard.edited_at
    (first,) = [message for message in bot_home.desk.messages if message.text == "hi"]
    assert (first.kind, first.id, first.chat) == (ChatKind.DM, dm.id_for(bot_home.person), bot_home.chat(anna))
    assert first.sender == Person(anna.id, "Anna_B", "Anna")
    assert bot_home.api.unknown == []


async def test_b8_what_waited_is_handed_over_together_and_only_then_caught_up(bot_home: BotHome) -> None:
    group = bot_home.world.group("Dev", [bot_home.anna, bot_home.person])
    for number in range(150):
        bot_home.world.say(bot_home.anna, group if number % 2 else bot_home.person, f"{number}")
    async with bot_home.bot() as bot:
        assert bot_home.desk.catch_ups == [bot.name]
        assert len(bot_home.desk.messages) == 150
        assert len(bot_home.desk.waited) == 4  # two chats, two fetches
        bot_home.world.say(bot_home.anna, bot_home.person, "now")
        await bot_home.desk.hear("now")
    assert len(bot_home.desk.waited) == 4


async def test_b8_an_update_is_confirmed_only_when_it_is_written(bot_home: BotHome) -> None:
    """A process that ends in between is told it again."""
    bot_home.desk = Desk(holds="to be written")
    bot_home.world.say(bot_home.anna, bot_home.person, "written")
    async with bot_home.bot():
        bot_home.world.say(bot_home.anna, bot_home.person, "to be written")
        await bot_home.desk.until(lambda: bot_home.desk.is_holding)
    bot_home.desk = Desk()
    async with bot_home.bot():
        assert bot_home.desk.texts == ["to be written"]


async def test_b8_what_a_desk_cannot_take_holds_nothing_up(bot_home: BotHome) -> None:
    bot_home.desk = Desk(fail_on="poison")
    async with bot_home.bot():
        for text in ("poison", "next"):
            bot_home.world.say(bot_home.anna, bot_home.person, text)
        await bot_home.desk.hear("next")
    assert bot_home.desk.texts == ["next"]


ODD: list[dict[str, Any]] = [
    {},
    {"message": {}},
    {"message": {"message_id": 1, "date": 10**30, "chat": {"id": 5, "type": "private"}}},
    {"message": {"message_id": 1, "date": 1, "chat": {"id": 5, "type": "channel"}, "entities": [{"type": "bold"}]}},
    {"message": None},
    {"message": []},
    {"poll": {"id": "1"}},
    {"something_new": {"at": 1}},
    {"edited_message": {"message_id": "x", "date": "y", "chat": {}}},
]


async def test_b8_updates_of_any_shape_stop_nothing(bot_home: BotHome) -> None:
    async with bot_home.bot():
        for number, odd in enumerate(ODD):
            bot_home.api.hub(bot_home.person).tell_raw(odd)
            bot_home.world.say(bot_home.anna, bot_home.person, f"after {number}")
            await bot_home.desk.hear(f"after {number}")
    heard = [text for text in bot_home.desk.texts if text.startswith("after")]
    assert heard == [f"after {number}" for number in range(len(ODD))]


async def test_b8_messages_tell_when_by_telegrams_clock_they_were_heard(bot_home: BotHome) -> None:
    clock = FakeClock()  # years behind
    async with bot_home.bot(clock=clock):
        asked = bot_home.world.say(bot_home.anna, bot_home.person, "when?")
        heard = await bot_home.desk.hear("when?")
    assert heard.heard_at
    assert abs(heard.heard_at - asked.at) < timedelta(seconds=30)


async def test_b9_a_service_that_is_gone_is_told_and_found_again(bot_home: BotHome) -> None:
    async with bot_home.bot() as bot:
        await bot_home.api.go_down()
        assert "did not answer" in await until(bot, "degraded")
        with pytest.raises(Unreachable):
            await bot.prove()
        bot_home.world.say(bot_home.anna, bot_home.person, "meanwhile")
        await bot_home.api.come_back()
        await bot_home.desk.hear("meanwhile")
        await until(bot, "healthy")
    assert bot_home.desk.waited == [["meanwhile"]]


@pytest.mark.parametrize("fault", ["lose", "cut", "slow", "error", "flood"])
async def test_b9_fetches_that_fail_lose_nothing(bot_home: BotHome, fault: str) -> None:
    faults, bot = bot_home.world.faults, bot_home.person
    async with bot_home.bot(BotPace(call=1, fetch=0.2, retries=QUICK.retries, refused=0.05)):
        match fault:
            case "lose":
                faults.lose_answer(bot, "getUpdates", times=2)
            case "cut":
                faults.cut_before(bot, "getUpdates", times=2)
            case "slow":
                faults.slow(0.5, bot, "getUpdates", times=2)
            case "error":
                faults.error("Bad Gateway", 502, person=bot, method="getUpdates", times=2)
            case _:
                faults.flood_wait(0, bot, "getUpdates", times=2)
        bot_home.world.say(bot_home.anna, bot, "hi")
        await bot_home.desk.hear("hi")
    assert bot_home.desk.texts == ["hi"]


async def test_b9_a_second_poller_is_named(bot_home: BotHome) -> None:
    async with bot_home.bot() as bot:
        other = Bot(bot_home.access, QUICK)
        await other.start(Desk())
        sentence = await until(bot, "unhealthy")
        assert "409 Conflict" in sentence
        assert "a bot of its own" in sentence
        with pytest.raises(Unreachable, match="409"):
            await bot.prove()
        await other.stop()
        assert other.health().status == "off"


async def test_b9_a_single_conflict_passes(bot_home: BotHome) -> None:
    async with bot_home.bot() as bot:
        bot_home.world.faults.error("terminated by other", 409, person=bot_home.person, method="getUpdates")
        bot_home.world.say(bot_home.anna, bot_home.person, "wake the fetch")
        await until(bot, "degraded")
        assert await until(bot, "healthy") == "Connected as @valor_bot."


async def test_b9_a_token_that_is_wrong_is_named_and_a_new_start_is_not_needed_when_it_is_right(
    bot_home: BotHome,
) -> None:
    token = bot_home.access
    bot_home.api.revoke(bot_home.person)
    bot = Bot(token, QUICK)
    await bot.start(bot_home.desk)
    assert "wrong or revoked" in await until(bot, "unhealthy")
    assert bot.person == Person(bot_home.person.id, is_bot=True)
    bot_home.api.token(bot_home.person)
    await bot_home.desk.until(lambda: bool(bot_home.desk.catch_ups))
    await bot.stop()


async def test_b8_a_webhook_of_before_is_taken_away_and_what_waits_is_kept(bot_home: BotHome) -> None:
    hub = bot_home.api.hub(bot_home.person)
    async with bot_home.bot():
        pass
    await hub.push_to(Webhook("http://127.0.0.1:9/elsewhere"))
    bot_home.world.say(bot_home.anna, bot_home.person, "waits")
    bot_home.desk = Desk()
    async with bot_home.bot():
        assert bot_home.desk.waited == [["waits"]]
    assert hub.webhook.url == ""


async def test_a_bot_that_was_not_started_is_off(bot_home: BotHome) -> None:
    bot = Bot(bot_home.access)
    assert bot.health().status == "off"
    await bot.stop()


async def test_b1_chats_do_not_wait_for_one_another(bot_home: BotHome) -> None:
    bot_home.desk = Desk(holds="slow")
    group = bot_home.world.group("Dev", [bot_home.anna, bot_home.person])
    async with bot_home.bot():
        bot_home.api.hub(bot_home.person).gathering = 2  # both come with one fetch
        bot_home.world.say(bot_home.anna, bot_home.person, "slow")
        bot_home.world.say(bot_home.anna, group, "quick")
        await bot_home.desk.hear("quick")
        assert bot_home.desk.texts == ["quick"]


def test_the_access_has_no_secret_in_its_words() -> None:
    access = BotAccess("1234567:secret", secret="hidden")  # the test's own
    assert "secret" not in repr(access).replace("secret=", "")
    assert access.number == 1234567


# -- pushed


@dataclass
class Door:
    """Where the played Telegram pushes to: the bot, behind as little HTTP as it takes."""

    bot: Bot
    refuse: int = 0
    seen: list[str] = field(default_factory=list[str])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        size = next(int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length"))
        body = json.loads(await reader.readexactly(size))
        self.seen.append(head)
        status = "500 No" if self.refuse else "200 OK"
        if self.refuse:
            self.refuse -= 1
        else:
            await self.bot.take_pushed(body)
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def pushed_to(home: BotHome, look: float = 0.05) -> AsyncGenerator[tuple[Bot, Door]]:
    """A bot whose updates are pushed."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await door.serve(reader, writer)

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
        bot = Bot(replace(home.access, webhook=address, secret="s3cret"), replace(QUICK, look=look))  # the test's own
        door = Door(bot)
        await bot.start(home.desk)
        try:
            await home.desk.until(lambda: bool(home.desk.catch_ups))
            yield bot, door
        finally:
            await bot.stop()


async def test_b8_pushed_updates_are_taken_and_shown_the_secret(bot_home: BotHome) -> None:
    bot_home.world.say(bot_home.anna, bot_home.person, "waited")
    async with pushed_to(bot_home) as (bot, door):
        await bot_home.desk.hear("waited")
        bot_home.world.say(bot_home.anna, bot_home.person, "now")
        await bot_home.desk.hear("now")
        await until(bot, "healthy")
    assert bot_home.desk.texts == ["waited", "now"]
    assert all("x-telegram-bot-api-secret-token: s3cret" in head.lower() for head in door.seen)


async def test_b8_a_push_that_is_not_written_is_pushed_again(bot_home: BotHome) -> None:
    async with pushed_to(bot_home) as (_, door):
        door.refuse = 3
        bot_home.world.say(bot_home.anna, bot_home.person, "hi")
        await bot_home.desk.hear("hi")
    assert bot_home.desk.texts == ["hi"]


async def test_b9_a_webhook_that_telegram_cannot_reach_is_named(bot_home: BotHome) -> None:
    async with pushed_to(bot_home) as (bot, door):
        door.refuse = 10**6
        bot_home.world.say(bot_home.anna, bot_home.person, "hi")
        assert "cannot push updates to 127.0.0.1" in await until(bot, "degraded")
        door.refuse = 0
        await bot_home.desk.hear("hi")
        await until(bot, "healthy")


async def test_b9_a_webhook_that_somebody_else_takes_over_is_named(bot_home: BotHome) -> None:
    async with pushed_to(bot_home) as (bot, _):
        await bot_home.api.hub(bot_home.person).push_to(Webhook("http://127.0.0.1:9/other"))
        assert "pushed to 127.0.0.1:9" in await until(bot, "degraded")
        await until(bot, "healthy")  # its own address again


async def test_b8_a_push_before_the_bot_is_up_is_not_taken(bot_home: BotHome) -> None:
    with pytest.raises(Unreachable):
        await Bot(bot_home.access).take_pushed({"update_id": 1})


async def test_b8_a_push_before_the_bot_knows_its_name_is_not_taken(bot_home: BotHome) -> None:
    """As when the server has just been started: nobody could say yet whether the bot is mentioned."""
    update: JSON = {"update_id": 1, "message": written(bot_home)}
    await bot_home.api.go_down()
    bot = Bot(bot_home.access, QUICK)
    await bot.start(bot_home.desk)
    try:
        await until(bot, "degraded")
        with pytest.raises(Unreachable):
            await bot.take_pushed(update)
        assert bot_home.desk.texts == []
        await bot_home.api.come_back()
        await until(bot, "healthy")
        await bot.take_pushed(update)
        assert bot_home.desk.texts == ["hi"]
    finally:
        await bot.stop()


def written(home: BotHome) -> JSON:
    sender = {"id": home.anna.id, "is_bot": False, "first_name": "Anna"}
    chat = {"id": home.anna.id, "type": "private"}
    return {"message_id": 1, "date": 1_800_000_000, "chat": chat, "from": sender, "text": "hi"}
