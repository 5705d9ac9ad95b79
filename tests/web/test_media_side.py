"""Links and files in a whole server, with nothing but the offline model."""

from __future__ import annotations

from pathlib import Path

from core.settings import Settings
from tests.web.installation import open_server, settings_in
from tests.world.web import WebWorld, html
from web.doors import Question


async def ask(settings: Settings, text: str) -> str:
    async with open_server(settings) as (_, doors):
        return (await doors.chat.ask(Question(text, workspace="Garden"), lambda _: None)).reply


async def test_s6_without_a_model_a_link_is_told_by_its_beginning(tmp_path: Path) -> None:
    async with WebWorld() as web:
        web.pages["/tides"] = html("On tides", "The moon pulls at the sea.")
        settings = settings_in(tmp_path, LINK_PRIVATE_HOSTS=web.address)
        assert await ask(settings, f"{web.url}/tides") == r"Saved: On tides. The moon pulls at the sea."
        assert f"{web.url}/tides (You, " in await ask(settings, "/link moon sea")


async def test_w4_without_a_fence_pages_are_saved_and_not_read(tmp_path: Path) -> None:
    async with WebWorld() as web:
        settings = settings_in(tmp_path, LINK_PRIVATE_HOSTS=web.address, FENCE="false")
        assert "Saved, but not read: Documents are not read here" in await ask(settings, web.url)


async def test_b10_by_default_no_private_network_is_reached(tmp_path: Path) -> None:
    async with WebWorld() as web:
        assert "is not reached from here" in await ask(settings_in(tmp_path), web.url)
        assert web.requests == []
