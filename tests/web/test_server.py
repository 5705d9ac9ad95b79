from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from core.checks import BOT, FENCE, MODEL, SELF_PING, Status
from core.clock import SystemClock
from core.doorbell import ring
from core.errors import Unknown
from core.message import Chat, ChatKind, Message, Person
from core.protocols import Asker, PromiseOrder, PromiseView
from core.settings import Settings
from core.workspaces import Role
from tests import waiting
from tests.web.installation import open_server, settings_in
from web.doors import Accepted, ChatEvent, Delivered, Grown, Made, Question
from web.server import Server

PATIENCE = 20


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


async def until(server: Server, name: str, status: Status) -> str:
    """Wait until a part of the product has that status; its sentence."""

    def look() -> str | None:
        parts = server.services.ground.board.snapshot().components
        found = (part.finding.sentence for part in parts if part.name == name and part.finding.status is status)
        return next(found, None)

    return await waiting.until(look, PATIENCE)


async def test_s6_without_keys_the_offline_model_answers_and_says_so(settings: Settings) -> None:
    events: list[ChatEvent] = []
    async with open_server(settings) as (server, doors):
        reply = await doors.chat.ask(Question("what can you do?", workspace="plants"), events.append)
        assert "offline model" in reply.reply
        assert "ANTHROPIC_API_KEY" in await until(server, MODEL, Status.OFF)
        assert "TELEGRAM_BOT_TOKEN" in await until(server, BOT, Status.OFF)
        assert "fence" in await until(server, FENCE, Status.HEALTHY)
    assert events[0] == Accepted(reply.message_id)
    assert events[-1] == Grown(reply.reply)


async def test_s9_the_same_idempotency_key_is_the_same_question(settings: Settings) -> None:
    async with open_server(settings) as (_, doors):
        first = await doors.chat.ask(Question("ping", key="k1"), lambda _: None)
        again = await doors.chat.ask(Question("ping", key="k1"), lambda _: None)
        assert again == first
        said = [line.text for line in await doors.chat.lines("page", 10) if not line.is_own]
    assert said == ["ping"]


async def test_b9_the_self_ping_goes_the_whole_way_round_and_leaves_nothing(settings: Settings) -> None:
    async with open_server(settings) as (server, doors):
        assert "local" in await until(server, SELF_PING, Status.HEALTHY)
        assert (await doors.pinger.ping()).is_back
        assert await doors.chat.lines("self-ping", 10) == []


async def test_b9_ping_tells_uptime_version_queue_disk_and_memory(settings: Settings) -> None:
    async with open_server(settings) as (_, doors):
        reply = (await doors.chat.ask(Question("ping"), lambda _: None)).reply
    assert all(word in reply for word in ("up", "version", "open", "disk", "memory"))


async def test_p1_a_job_ordered_on_the_page_is_a_promise_with_its_number(settings: Settings) -> None:
    events: list[ChatEvent] = []
    async with open_server(settings) as (_, doors):
        reply = await doors.chat.ask(Question("run echo hello", workspace="Garden"), events.append)
        (promise,) = reply.promises
        assert f"#{promise.id}" in reply.reply
        assert Made(promise) in events
        assert (await doors.promises.show(promise.id)).promise.status == "pending"
        assert [view.id for view in await doors.promises.list(10)] == [promise.id]
        assert (await doors.promises.cancel(promise.id)).status == "cancelled"
        assert (await doors.promises.cancel(promise.id)).status == "cancelled"
        with pytest.raises(Unknown):
            await doors.promises.show(99)


async def test_the_feed_tells_answers_and_promises_as_they_change(settings: Settings) -> None:
    async with open_server(settings) as (server, doors):
        told: list[Delivered] = []
        shown: list[PromiseView] = []
        watched = asyncio.Event()

        async def watch() -> None:
            feed = doors.feed.watch()
            watched.set()
            async for change in feed:
                if isinstance(change, PromiseView):
                    shown.append(change)
                elif change.chat == "page":  # that of the self-ping may come first
                    told.append(change)
                if told and shown:
                    return

        watching = asyncio.create_task(watch())
        await watched.wait()
        asker = Asker(Chat("local", "page"), None, 0, "You", Role.OWNER, "Garden")
        await server.services.promises.make(PromiseOrder("count the stars"), asker, None)
        ring(server.services.ground.places.server)
        await asyncio.wait_for(watching, PATIENCE)
    assert "count the stars" in told[0].text
    assert shown[0].task_description == "count the stars"


async def test_a8_the_reason_of_each_message_can_be_asked(settings: Settings) -> None:
    async with open_server(settings) as (_, doors):
        reply = await doors.chat.ask(Question("help"), lambda _: None)
        (why,) = await doors.why.why("page", reply.message_id)
    assert (why.answered, why.reason) == (True, "local page")


async def test_w1_a_changed_configuration_is_taken_up_when_valid_and_told_when_not(settings: Settings) -> None:
    path = settings.workspace_config_path
    async with open_server(settings) as (server, doors):
        wanted = json.loads(path.read_text())
        wanted["workspaces"]["Shed"] = {"aliases": ["tools"]}
        path.write_text(json.dumps(wanted))

        async def is_taken_up() -> bool:
            return "Shed" in await doors.chat.workspaces()

        await waiting.until_found(is_taken_up, PATIENCE)
        path.write_text("{")
        await waiting.until(lambda: server.services.ground.configuration.alert, PATIENCE)
        assert "Shed" in await doors.chat.workspaces()


async def test_a7_refused_strangers_leave_one_audit_row(settings: Settings) -> None:
    stranger = Message(Chat("account:1", "5"), 1, ChatKind.DM, Person(5, "eve"), SystemClock().now(), "let me in")
    async with open_server(settings) as (server, _):
        receipt = await server.services.reception.take(stranger)
    assert receipt.turn_id is None


async def test_s3_a_telegram_account_that_is_not_signed_in_is_told_and_the_rest_works(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, TELEGRAM_API_ID="1", TELEGRAM_API_HASH="x" * 32)
    async with open_server(settings) as (server, doors):
        assert "telegram_login.sh" in await until(server, "telegram account", Status.UNHEALTHY)
        assert (await doors.chat.ask(Question("ping"), lambda _: None)).reply
