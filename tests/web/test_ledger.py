from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Connection

from core.audit import Audit
from core.clock import SystemClock
from core.errors import RequestError, Unknown
from core.events import Told, Watch
from core.schema import audit, deliveries, promises
from promises import store
from tests.conversations.stage import next_event
from tests.web.installation import open_server, settings_in
from web.doors import Grown, Question
from web.ledger import LedgerAudit, LedgerChat
from web.opened import open_doors
from web.services import Services

DEAD = deliveries.update().where(deliveries.c.chat_id == "page").values(status="dead", message_id=None)


def ignore(_event: object) -> None:
    pass


async def test_an_unknown_workspace_is_refused_before_anything_is_stored(tmp_path: Path) -> None:
    async with open_server(settings_in(tmp_path)) as (server, doors):
        assert isinstance(server.services, Services)
        with pytest.raises(Unknown, match="known are Garden"):
            await doors.chat.ask(Question("hello", workspace="nowhere"), lambda _: None)
        assert await doors.chat.lines("page", 10) == []


async def test_what_one_turn_writes_is_not_shown_to_another(tmp_path: Path) -> None:
    async with open_server(settings_in(tmp_path)) as (_, doors):
        heard: list[object] = []
        reply = await doors.chat.ask(Question("help", chat="a"), heard.append)
        await doors.chat.ask(Question("ping", chat="b"), heard.append)
    assert [event for event in heard if isinstance(event, Grown)][-1] == Grown(reply.reply)


async def test_p5_a_promise_is_retried_as_its_owner_and_shown_whole(tmp_path: Path) -> None:
    async with open_server(settings_in(tmp_path)) as (_, doors):
        reply = await doors.chat.ask(Question("/promise every=1w count", workspace="Garden"), ignore)
        (promise,) = reply.promises
        await doors.promises.cancel(promise.id)
        again = await doors.promises.retry(promise.id)
        kept = await doors.promises.show(promise.id)
        [appointment] = await doors.promises.agenda(10)
        with pytest.raises(Unknown):
            await doors.promises.retry(99)
    assert (again.status, kept.promise, appointment.promise) == ("waiting", again, again)
    assert (kept.workspace, kept.chat.key, kept.attempts, kept.result) == ("Garden", "page", 0, None)


async def test_p5_a_cancel_means_what_the_chat_s_does_also_by_the_number_of_a_settled_promise(tmp_path: Path) -> None:
    async with open_server(settings_in(tmp_path)) as (server, doors):
        database, now = server.services.ground.database, SystemClock().now()
        for question in ("/promise every=1w count", "/promise every=1w look"):
            await doors.chat.ask(Question(question, workspace="Garden"), ignore)

        def come_again(connection: Connection) -> None:
            first = store.find(connection, 1)
            assert first is not None
            store.repeat(connection, first, now, now)
            connection.execute(promises.update().where(promises.c.id < 3).values(status="completed"))

        await database.write("test", come_again)
        cancelled = await doors.promises.cancel(1)
        with pytest.raises(RequestError, match="Promise #2 is completed already"):
            await doors.promises.cancel(2)
    assert (cancelled.id, cancelled.status) == (3, "cancelled")


async def test_p5_a_retry_asked_for_in_the_chat_is_answered_by_the_promise(tmp_path: Path) -> None:
    async with open_server(settings_in(tmp_path)) as (_, doors):
        for question in ("/promise every=1w count", "cancel 1"):
            await doors.chat.ask(Question(question, workspace="Garden"), ignore)
        reply = await doors.chat.ask(Question("retry 1", workspace="Garden"), ignore)
        refused = await doors.chat.ask(Question("/retry 1", workspace="Garden"), ignore)
    assert reply.reply.startswith("Promise #1 is taken up again: count. It goes on from where it stopped. It starts on")
    assert [view.id for view in reply.promises] == [1]
    assert refused.reply.startswith("Promise #1 is waiting: only what failed or was cancelled is retried. (E-")


async def test_b4_a_dead_letter_is_sent_again_by_the_running_server(tmp_path: Path) -> None:
    async with open_server(settings_in(tmp_path)) as (server, doors):
        database, events = server.services.ground.database, server.services.events
        with events.watch() as watch:
            await doors.chat.ask(Question("ping"), ignore)
            first = await told_on_page(watch)
            await database.write("test", lambda connection: connection.execute(DEAD))
            [letter] = await doors.letters.list(10)
            assert (await doors.letters.retry(letter.id)).status == "ready"
            assert (await told_on_page(watch)).delivery_id == first.delivery_id == letter.id
        assert await doors.letters.list(10) == []


async def told_on_page(watch: Watch) -> Told:
    while (told := await next_event(watch, Told)).chat.key != "page":
        pass
    return told


async def test_p9_the_runs_door_says_what_there_is_none_of(tmp_path: Path) -> None:
    async with open_server(settings_in(tmp_path)) as (_, doors):
        with pytest.raises(Unknown, match="no turn 7"):
            await doors.runs.trace("turn:7")


async def test_s9_refused_requests_are_audited_as_the_web_s(tmp_path: Path) -> None:
    async with open_server(settings_in(tmp_path)) as (server, _):
        doors = open_doors(server)
        assert isinstance(doors.chat, LedgerChat)
        database = server.services.ground.database
        LedgerAudit(Audit(database, SystemClock())).refuse("10.0.0.9", "no token")
        while not (rows := await database.read(lambda connection: connection.execute(audit.select()).all())):
            pass
    assert (rows[0].kind, rows[0].chat_id, rows[0].reason) == ("web", "10.0.0.9", "no token")
