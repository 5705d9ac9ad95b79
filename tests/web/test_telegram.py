from __future__ import annotations

from tests.web.stage import Stage


async def test_the_groups_are_told_over_http() -> None:
    async with Stage().up() as stage, stage.client() as client:
        body = (await client.get("/api/telegram/groups")).json()
    assert body == {"groups": [{"key": "-1005", "title": "Dev", "workspace": "Dev"}], "absent": ["-7"]}
