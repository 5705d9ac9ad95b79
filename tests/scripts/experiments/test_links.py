"""What the checker finds of addresses."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.schema import links
from scripts.experiments.links import ACKNOWLEDGED
from scripts.experiments.spoken import key_of
from tests.scripts.experiments.scene import Quiet


@pytest.mark.parametrize(
    ("told", "title", "wrong"),
    [
        (ACKNOWLEDGED, "re:eeeeeeee", []),
        (ACKNOWLEDGED, "", ["saved 0 times: visit eeeeeeee"]),
        (ACKNOWLEDGED, "re:ffffffff", ["saved 0 times: visit eeeeeeee"]),
        (ACKNOWLEDGED, None, ["saved 0 times: visit eeeeeeee"]),
        ("", None, []),
    ],
)
def test_what_was_told_as_saved_is_saved_with_what_was_found(
    scene: Quiet, told: str, title: str | None, wrong: list[str]
) -> None:
    asked = scene.ask("visit", "eeeeeeee")
    turn = scene.answer(asked)
    (answer,) = scene.scene.world.messages(sender=scene.scene.cast.valor)
    scene.scene.world.edit(answer, text := f"{told}re:eeeeeeee")
    scene.change(f"UPDATE deliveries SET text = '{text}' WHERE turn_id = {turn}")
    if title is not None:
        front, chat, number = key_of(asked.message, scene.scene.cast)
        row = {"workspace": "W", "url": "http://x/visit:eeeeeeee", "title": title, "front": front, "chat_id": chat}
        scene.add(links, **row, message_id=number, sender_id=1, saved_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert scene.look() == wrong
