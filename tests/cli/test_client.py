"""The running server as a command line sees it."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from cli.client import Address, Client, NoAnswer, NotRunning, UnknownToken
from core.checks import Status
from core.errors import RequestError
from core.settings import Settings
from tests.web.stage import TOKEN, Stage


def client_of(stage: Stage, token: str = TOKEN) -> Client:
    return Client(Address("127.0.0.1", stage.port), token)


async def test_it_asks_with_the_token() -> None:
    async with Stage().up() as stage:
        client = client_of(stage)
        listed = await asyncio.to_thread(client.ask, "GET", "/api/promises")
        cancelled = await asyncio.to_thread(client.ask, "POST", "/api/promises/7/cancel")
    assert (listed[0]["id"], cancelled["status"]) == (7, "cancelled")


async def test_a_refusal_is_the_servers_own_sentence() -> None:
    async with Stage().up() as stage:
        with pytest.raises(RequestError, match="There is no promise 8"):
            await asyncio.to_thread(client_of(stage).ask, "GET", "/api/promises/8")
        with pytest.raises(UnknownToken, match="A token is needed"):
            await asyncio.to_thread(client_of(stage, "wrong").ask, "GET", "/api/promises")


async def test_whether_the_server_knows_the_token() -> None:
    async with Stage().up() as stage:
        known = await asyncio.to_thread(client_of(stage).is_let_in)
        unknown = await asyncio.to_thread(client_of(stage, "wrong").is_let_in)
    assert (known, unknown) == (True, False)
    with pytest.raises(NotRunning):
        client_of(stage).is_let_in()


async def test_s4_health_is_read_also_when_it_is_bad() -> None:
    async with Stage().up() as stage:
        stage.board.report("database", Status.UNHEALTHY, "Full.")
        health = await asyncio.to_thread(client_of(stage).health)
    assert health is not None
    assert health["components"]["database"]["status"] == "unhealthy"


async def test_nobody_there_and_a_stranger_there_are_no_valor() -> None:
    async with Stage().up() as stage:
        pass
    with pytest.raises(NotRunning, match=r"scripts/start\.sh"):
        client_of(stage).ask("GET", "/api/promises")
    assert client_of(stage).health() is None


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n<hi>",
        b'HTTP/1.1 404 Not Found\r\ncontent-length: 13\r\n\r\n{"detail": 1}',
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n[]",
        b"220 ready\r\n",
        b"",
    ],
)
async def test_a_stranger_that_speaks_something_else_has_no_health_and_gives_no_answer(said: bytes) -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as stranger:
        client = Client(Address("127.0.0.1", stranger.sockets[0].getsockname()[1]), "")
        assert await asyncio.to_thread(client.health) is None
        with pytest.raises(NoAnswer, match="does not answer as Valor does"):
            await asyncio.to_thread(client.ask, "GET", "/api/promises")


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({}, "http://127.0.0.1:9000"),
        ({"host": "0.0.0.0", "api_port": 80}, "http://127.0.0.1:80"),
        ({"host": "::", "port": 81}, "http://[::1]:81"),
        ({"host": "valor.example", "ssl_certfile": "c", "ssl_keyfile": "k"}, "https://valor.example:9000"),
    ],
)
def test_s4_the_address_is_what_this_machine_reaches(tmp_path: Path, values: dict[str, object], url: str) -> None:
    settings = Settings.model_validate({"project": tmp_path, "env_file": tmp_path / ".env", **values})
    assert str(Address.of(settings)) == url


def test_the_own_certificate_is_taken_as_it_is() -> None:
    connection = Address("127.0.0.1", 1, is_safe=True).connect(1)
    context: ssl.SSLContext = connection.__dict__["_context"]
    assert context.verify_mode is ssl.CERT_NONE
