"""Files between chat and workspace, by real tools in a real fence."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from pydantic_ai import ToolReturn

from agents.tools.attachments import attachments_toolset, exchange_toolset, read_attachment, save_attachment, send_file
from core.access import Role
from core.attachment import File
from core.errors import NotAllowed, Unknown
from tests.agents.tools.fence_stage import Stage, new_stage
from tests.world.content import PNG


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return new_stage(tmp_path)


def test_b11_the_toolsets_have_their_tools() -> None:
    assert set(attachments_toolset().tools) | set(exchange_toolset().tools) == {
        "read_attachment",
        "save_attachment",
        "send_file",
    }


async def test_b11_a_file_is_opened_in_the_fence_and_handed_over_as_bytes(stage: Stage) -> None:
    (stage.workspace / "out").mkdir()
    (stage.workspace / "out" / "chart.png").write_bytes(PNG)
    done = await send_file(stage.context(), "out/chart.png", "The chart.")
    assert [(file, caption) for file, caption, _ in stage.files.sent] == [
        (File("chart.png", "image/png", PNG), "The chart.")
    ]
    assert done.metadata == [{"kind": "sent", "file": "out/chart.png", "sha256": hashlib.sha256(PNG).hexdigest()}]
    assert done.return_value == f"out/chart.png ({len(PNG)} bytes) is on its way to the chat."


@pytest.mark.parametrize("path", ["/etc/passwd", "../secret", "link", "pipe", "missing"])
async def test_w5_nothing_from_outside_the_workspace_is_sent(stage: Stage, path: str) -> None:
    (stage.base / "secret").write_text("secret")
    (stage.workspace / "link").symlink_to(stage.base / "secret")
    os.mkfifo(stage.workspace / "pipe")
    with pytest.raises((NotAllowed, Unknown)):
        await send_file(stage.context(), path)
    assert stage.files.sent == []


async def test_a9_a_guest_sends_and_saves_no_files(stage: Stage) -> None:
    for tool in (send_file(stage.context(Role.GUEST), "a"), save_attachment(stage.context(Role.GUEST), 1, "a")):
        with pytest.raises(NotAllowed):
            await tool


async def test_b11_an_attachment_becomes_a_file_of_the_workspace(stage: Stage) -> None:
    stage.files.contents[3] = File("photo.png", "image/png", PNG)
    done: ToolReturn = await save_attachment(stage.context(), 3, "in/photo.png")
    assert (stage.workspace / "in" / "photo.png").read_bytes() == PNG
    assert done.metadata[0]["kind"] == "file"
    with pytest.raises(NotAllowed):
        await save_attachment(stage.context(), 3, "../photo.png")
    rival = stage.rival()
    await stage.fence.close()
    await rival.fence.ensure_writer()
    with pytest.raises(Exception, match="turn 2"):
        await save_attachment(stage.context(), 3, "again.png")
    await rival.fence.close()


async def test_b11_a_long_attachment_is_read_page_by_page(stage: Stage) -> None:
    stage.files.texts[1] = "a" * 24_000 + "b" * 10
    first = await read_attachment(stage.context(), 1)
    assert first.endswith("a\n[characters 0-24,000 of 24,010]")
    assert await read_attachment(stage.context(), 1, 24_000) == "bbbbbbbbbb\n[characters 24,000-24,010 of 24,010]"
    with pytest.raises(Unknown):
        await read_attachment(stage.context(), 2)
