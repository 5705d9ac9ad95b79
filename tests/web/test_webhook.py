"""Where Telegram pushes updates: it alone is heard, and 200 means written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.errors import DatabaseError
from tests.web.stage import BEARER, Stage
from web.doors import WebRules
from web.webhook import HEADER, PATH

SECRET = "telegrams-own"  # the tests' own
UPDATE = {"update_id": 7, "message": {"text": "hi"}}
SHOWN = {HEADER.decode(): SECRET}


def stage(secret: str | None = SECRET) -> Stage:
    made = Stage()
    return replace(
        made, rules=WebRules(made.rules.token, made.rules.port, webhook_secret=secret, requests_per_minute=3)
    )


async def test_b8_who_shows_the_secret_is_heard_under_any_name_and_as_often_as_it_likes() -> None:
    async with stage().up() as played, played.client({**SHOWN, "host": "valor.example.org"}) as client:
        answers = [await client.post(PATH, json=UPDATE) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert played.webhook.taken == [UPDATE] * 5


@pytest.mark.parametrize(
    "headers", [{}, {HEADER.decode(): "wrong"}, {HEADER.decode(): ""}, {"authorization": "Bearer x"}]
)
async def test_s9_others_are_refused_and_audited(headers: dict[str, str]) -> None:
    async with stage().up() as played, played.client(headers) as client:
        answer = await client.post(PATH, json=UPDATE)
    assert (answer.status_code, played.webhook.taken) == (401, [])
    assert len(played.audit.refused) == 1


async def test_s9_the_secret_opens_no_other_door_and_no_secret_none() -> None:
    async with stage().up() as played, played.client(SHOWN) as client:
        assert (await client.get("/api/promises")).status_code == 401
        assert (await client.get(PATH)).status_code == 401
    async with stage(None).up() as played, played.client({HEADER.decode(): "None"}) as client:
        assert (await client.post(PATH, json=UPDATE)).status_code == 401


async def test_b8_what_could_not_be_written_is_no_success() -> None:
    played = stage()
    played.webhook.error = DatabaseError("system.db is locked.")
    async with played.up(), played.client(SHOWN) as client:
        assert (await client.post(PATH, json=UPDATE)).status_code == 503
    assert BEARER


async def test_bad_input_what_is_no_update_is_refused() -> None:
    async with stage().up() as played, played.client(SHOWN) as client:
        assert (await client.post(PATH, json=[1])).status_code in {400, 422}
        assert (await client.post(PATH, content=b"{", headers={"content-type": "application/json"})).status_code >= 400
    assert played.webhook.taken == []
