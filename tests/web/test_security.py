"""S9: who may speak to the server. Each refusal is seen from outside, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.requests import HTTPConnection

from core.clock import FakeClock
from core.settings import Settings
from tests.web.stage import BEARER, TOKEN, Stage
from web.doors import WebRules
from web.security import RateLimiter, web_rules

WEBSOCKET = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
}
LOCKED = (
    "/",
    "/api/promises",
    "/api/events",
    "/static/page.js",
    "/openapi.json",
    "/health/self-ping",
    "/healthy",
    "//health",
    "/health/",
)
REBOUND = ("evil.example", "localhost.evil.example", "evil.example:9000", "localhost@evil", "[::1", "10.0.0.1")
FOREIGN = ("http://evil.example", "null", "http://127.0.0.1:1", "https://localhost")
NO_JSON = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "")


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"cookie": "valor_9000=wrong"}])
async def test_s9_without_the_token_there_is_only_health(headers: dict[str, str]) -> None:
    async with Stage().up() as stage, stage.client(headers) as client:
        refused = [await client.get(stage.url + path) for path in LOCKED]
        health = await client.get("/health")
    assert [answer.status_code for answer in refused] == [401] * len(LOCKED)
    assert refused[0].json()["error"].startswith("A token is needed")
    assert refused[0].headers["www-authenticate"] == "Bearer"
    assert health.status_code == 200


async def test_s9_only_the_exact_bearer_counts() -> None:
    wrong = [f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer", f"Bearer {TOKEN[:-1]}é"]
    shown = [[(b"authorization", value.encode("latin-1"))] for value in wrong]
    async with Stage().up() as stage, stage.client({}) as client:
        refused = [await client.get("/api/promises", headers=headers) for headers in shown]
    assert [answer.status_code for answer in refused] == [401] * len(wrong)


async def test_s9_the_link_becomes_a_strict_cookie_and_a_clean_address() -> None:
    async with Stage().up() as stage, stage.client({}) as client:
        answer = await client.get(f"/?token={TOKEN}")
        page = await client.get("/")
    cookie = answer.headers["set-cookie"]
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert cookie.startswith(f"valor_9000={TOKEN}; HttpOnly; Max-Age=")
    assert cookie.endswith("SameSite=strict")
    assert page.status_code == 200


async def test_s9_a_link_with_a_wrong_token_or_host_opens_nothing() -> None:
    async with Stage().up() as stage, stage.client({}) as client:
        wrong = await client.get("/?token=wrong")
        rebound = await client.get(f"/?token={TOKEN}", headers={"host": "evil.example"})
    assert (wrong.status_code, rebound.status_code) == (401, 403)
    assert "set-cookie" not in {*wrong.headers, *rebound.headers}


async def test_s9_a_rebound_name_gets_nothing_but_health() -> None:
    async with Stage().up() as stage, stage.client() as client:
        refused = [await client.get("/api/promises", headers={"host": host}) for host in REBOUND]
        health = [await client.get("/health", headers={"host": host}) for host in REBOUND]
    assert [answer.status_code for answer in refused] == [403] * len(REBOUND)
    assert stage.audit.refused == [("127.0.0.1", "This server does not go by that host name.")] * len(REBOUND)
    assert {answer.status_code for answer in health} == {200}


async def test_s9_own_and_configured_names_are_fine() -> None:
    rules = WebRules(TOKEN, 9000, hosts=frozenset({"valor.example"}))
    async with Stage(rules).up() as stage, stage.client() as client:
        for host in ("localhost", "LOCALHOST:1234", "[::1]:9000", "valor.example"):
            assert (await client.get("/api/promises", headers={"host": host})).status_code == 200


async def test_s9_no_host_and_two_hosts_are_refused() -> None:
    none, two = "GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\nHost: a\r\n\r\n"
    async with Stage().up() as stage:
        answers = [await speak(stage, request) for request in (none, two)]
    assert all(answer.startswith(("HTTP/1.1 403", "HTTP/1.1 400")) for answer in answers)


async def speak(stage: Stage, request: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    writer.write(request.encode())
    answer = await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    return answer.decode()


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE"])
async def test_s9_a_page_of_another_origin_is_refused_for_every_method(method: str) -> None:
    async with Stage().up() as stage, stage.client() as client:
        for origin in FOREIGN:
            refused = await client.request(method, "/api/promises", headers={"origin": origin})
            health = await client.get("/health", headers={"origin": origin})
            assert refused.status_code == 403
            assert "access-control-allow-origin" not in {*refused.headers, *health.headers}


async def test_s9_a_foreign_request_that_hides_its_origin_is_refused() -> None:
    async with Stage().up() as stage, stage.client() as client:
        for site in ("cross-site", "same-site"):
            assert (await client.get("/api/promises", headers={"sec-fetch-site": site})).status_code == 403


async def test_s9_the_own_page_may_ask() -> None:
    async with Stage().up() as stage, stage.client() as client:
        own = {"origin": stage.url, "sec-fetch-site": "same-origin"}
        assert (await client.post("/api/promises/7/cancel", headers=own)).status_code == 200


async def test_s9_a_configured_origin_may_ask_and_asks_first() -> None:
    origin = "https://tools.example"
    rules = WebRules(TOKEN, 9000, origins=frozenset({origin}))
    first = {"origin": origin, "access-control-request-method": "POST"}
    async with Stage(rules).up() as stage, stage.client({}) as client:
        preflight = await client.options("/api/chat", headers=first)
        without = await client.get("/api/promises", headers={"origin": origin})
        asked = await client.get("/api/promises", headers={"origin": origin, **BEARER})
    assert (preflight.status_code, without.status_code, asked.status_code) == (200, 401, 200)
    assert asked.headers["access-control-allow-origin"] == origin


@pytest.mark.parametrize("extra", [{}, {"origin": "http://evil.example", **BEARER}, {"host": "evil.example", **BEARER}])
async def test_s9_a_websocket_is_refused_like_any_request(extra: dict[str, str]) -> None:
    async with Stage().up() as stage, stage.client({}) as client:
        assert (await client.get("/api/events", headers=WEBSOCKET | extra)).status_code == 403
    assert len(stage.audit.refused) == 1


async def test_s9_a_websocket_of_the_own_page_passes_the_gate_and_finds_nothing() -> None:
    async with Stage().up() as stage, stage.client() as client:
        await client.get("/api/events", headers=WEBSOCKET | {"origin": stage.url})
    assert stage.audit.refused == []


async def test_s9_bodies_are_json() -> None:
    async with Stage().up() as stage, stage.client() as client:
        for kind in NO_JSON:
            headers = {"content-type": kind} if kind else {}
            refused = await client.post("/api/chat", content=b'{"text": "hi"}', headers=headers)
            chunked = await client.post("/api/chat", content=pieces(b'{"text": "hi"}'), headers=headers)
            assert (refused.status_code, chunked.status_code) == (415, 415)
    assert stage.chat.asked == []


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:  # an async body has no length: it is sent in chunks
    for part in parts:
        yield part


async def test_s9_a_body_that_is_too_large_is_refused_also_when_its_length_is_not_told() -> None:
    rules, kind = WebRules(TOKEN, 9000, max_body=1_000), {"content-type": "application/json"}
    async with Stage(rules).up() as stage, stage.client() as client:
        told = await client.post("/api/chat", json={"text": "x" * 2_000})
        untold = await client.post("/api/chat", content=pieces(b'{"text": "', b"x" * 2_000, b'"}'), headers=kind)
        small = await client.post("/api/chat", json={"text": "x" * 500})
    assert [answer.status_code for answer in (told, untold, small)] == [413, 413, 200]
    assert told.json() == untold.json() == {"error": "The body is too long: 1000 bytes are allowed."}


async def test_s9_requests_beyond_the_limit_wait() -> None:
    clock = FakeClock()
    async with Stage(WebRules(TOKEN, 9000, requests_per_minute=3), clock).up() as stage, stage.client() as client:
        statuses = [(await client.get("/api/promises")).status_code for _ in range(4)]
        refused = await client.get("/api/promises")
        health = await client.get("/health")
        clock.advance(20)
        later = await client.get("/api/promises")
    assert statuses == [200, 200, 200, 429]
    assert refused.headers["retry-after"] == "21"
    assert refused.json() == {"error": "Too many requests: wait 21 s."}
    assert (health.status_code, later.status_code) == (200, 200)


async def test_s9_every_answer_binds_the_browser() -> None:
    async with Stage().up() as stage, stage.client({}) as client:
        answers: list[httpx.Response] = [await client.get("/health"), await client.get("/api/promises")]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_s9_the_rules_come_from_the_settings(tmp_path: Path) -> None:
    values = {"host": "Valor.example", "cors_origins": "https://tools.example", "max_request_size": "1kB", "port": 81}
    settings = Settings.model_validate({"project": tmp_path, "env_file": tmp_path / ".env", **values})
    assert web_rules(settings) == WebRules(
        token=(tmp_path / ".token").read_text().strip(),
        port=81,
        hosts=frozenset({"valor.example", "tools.example"}),
        origins=frozenset({"https://tools.example"}),
        max_body=1_000,
        requests_per_minute=100,
    )


def test_s9_the_limiter_forgets_whoever_was_silent_longest() -> None:
    limiter = RateLimiter(FakeClock(), 1)
    clients = [HTTPConnection({"type": "http", "client": (f"10.0.{n // 256}.{n % 256}", 1)}) for n in range(1_025)]
    assert [limiter(client) for client in clients] == [None] * 1_025
    refusal = limiter(clients[-1])
    assert refusal is not None
    assert refusal.status == 429
    assert limiter(clients[0]) is None
