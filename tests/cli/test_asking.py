"""The running server is asked; where none runs, the tables; and who is at fault is said in a sentence."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cli import asking, requests
from cli.asking import ask
from core.environment import server_lock
from core.errors import ConfigurationError, OwnerError, RequestError
from core.lock_file import held
from tests.acceptance.installation import free_port
from tests.cli.test_app import home_of
from tests.web.installation import open_server, settings_in
from tests.web.stage import Stage
from web.doors import Question

LIST = requests.list_promises()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VALOR_HOME", str(tmp_path))
    monkeypatch.setattr(asking, "STARTING_SECONDS", 0.0)
    (tmp_path / ".env").write_text(f"API_PORT={free_port()}\n")
    return tmp_path


@pytest.fixture
async def tables(home: Path) -> Path:
    """A home with a promise, whose server has ended."""
    env = (home / ".env").read_text()
    async with open_server(settings_in(home)) as (_, doors):
        await doors.chat.ask(Question("/promise count the stars", workspace="Garden"), lambda _: None)
    (home / ".env").write_text(env)
    return home


async def test_the_running_server_is_asked(home: Path) -> None:
    async with Stage().up() as stage:
        home_of(stage, home)
        assert (await asyncio.to_thread(ask, LIST))[0]["id"] == 7


async def test_without_a_server_the_tables_are_read(tables: Path) -> None:
    [listed] = await asyncio.to_thread(ask, LIST)
    shown = await asyncio.to_thread(ask, requests.show_promise(1))
    assert (listed["id"], listed["task_description"], shown["workspace"]) == (1, "count the stars", "Garden")


async def test_p5_without_a_server_changes_are_made_as_it_would_make_them(tables: Path) -> None:
    for request, status in ((requests.cancel_promise(1), "cancelled"), (requests.retry_promise(1), "pending")):
        assert (await asyncio.to_thread(ask, request))["status"] == status
    with pytest.raises(RequestError, match="#1 is pending: only what failed or was cancelled"):
        await asyncio.to_thread(ask, requests.retry_promise(1))


async def test_a8_without_a_server_it_is_said_why_a_message_was_answered(tables: Path) -> None:
    with closing(sqlite3.connect(tables / "system.db")) as connection:
        ((chat, number),) = connection.execute(
            "SELECT chat_id, message_id FROM messages WHERE text LIKE '/promise%'"
        ).fetchall()
    [why] = await asyncio.to_thread(ask, requests.explain(chat, number))
    assert (why["chat"], why["sender"], why["answered"], why["reason"]) == (chat, "You", True, "local page")


async def test_b4_without_a_server_dead_letters_are_listed_sent_again_and_dropped(tables: Path) -> None:
    with closing(sqlite3.connect(tables / "system.db")) as connection, connection:
        connection.execute("UPDATE deliveries SET status = 'dead', error = 'Kicked out.'")
    first, *others = await asyncio.to_thread(ask, requests.list_letters())
    assert (first["status"], first["error"]) == ("dead", "Kicked out.")
    await asyncio.to_thread(ask, requests.retry_letter(first["id"]))
    for letter in others:
        await asyncio.to_thread(ask, requests.drop_letter(letter["id"]))
    assert await asyncio.to_thread(ask, requests.list_letters()) == []
    with closing(sqlite3.connect(tables / "system.db")) as connection:
        statuses = dict(connection.execute("SELECT id, status FROM deliveries").fetchall())
    assert statuses == {first["id"]: "ready"} | {letter["id"]: "dropped" for letter in others}


async def test_what_the_tables_do_not_hold_is_the_servers_own_sentence(tables: Path) -> None:
    for request, sentence in (
        (requests.show_promise(9), "There is no promise #9."),
        (requests.drop_letter(9), "There is no dead letter #9."),
        (requests.show_run("none"), "There is no run 'none'"),
        (requests.explain("page", 9), "No message 9 of chat page is stored."),
    ):
        with pytest.raises(RequestError, match=sentence):
            await asyncio.to_thread(ask, request)


async def test_an_installation_that_never_started_says_so(home: Path) -> None:
    with pytest.raises(OwnerError, match=r"There is no .*system\.db yet: start Valor"):
        await asyncio.to_thread(ask, LIST)
    assert not (home / "system.db").exists()


async def test_a_server_that_does_not_listen_yet_is_waited_for_and_not_passed_by(home: Path) -> None:
    async with Stage().up() as stage:
        pass
    home_of(stage, home)
    with held(server_lock(home)), pytest.raises(OwnerError, match=f"The server of {home} runs and does not listen at"):
        await asyncio.to_thread(ask, LIST)
    (home / ".token").unlink()
    with held(server_lock(home)), pytest.raises(ConfigurationError, match="cannot be read"):
        await asyncio.to_thread(ask, LIST)


async def test_s9_a_server_with_another_token_is_told_from_that_of_another_installation(home: Path) -> None:
    foreign, replaced = f"is not the one of {home}, which does not run", r"runs with another token .* scripts/stop\.sh"
    async with Stage().up() as stage:
        home_of(stage, home)
        (home / ".token").write_text("mine")
        with pytest.raises(OwnerError, match=foreign):
            await asyncio.to_thread(ask, LIST)
        with held(server_lock(home)), pytest.raises(OwnerError, match=replaced):
            await asyncio.to_thread(ask, LIST)


async def test_p2_a_broken_queue_keeps_nobody_from_reading(tables: Path) -> None:
    (tables / "huey.db").write_bytes(b"no database at all " * 400)
    (tables / "huey.db-wal").unlink(missing_ok=True)  # of the server that was here: it holds all pages
    assert len(await asyncio.to_thread(ask, LIST)) == 1
    for request, status in ((requests.cancel_promise(1), "cancelled"), (requests.retry_promise(1), "pending")):
        assert (await asyncio.to_thread(ask, request))["status"] == status
    assert (tables / "huey.db.broken").exists()


async def test_p2_a_list_does_not_wait_for_who_holds_the_queue(tables: Path) -> None:
    holder = sqlite3.connect(tables / "huey.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    async with asyncio.timeout(20):  # the start of the program, not the end of the lock
        assert len(await asyncio.to_thread(ask, LIST)) == 1
    holder.close()
