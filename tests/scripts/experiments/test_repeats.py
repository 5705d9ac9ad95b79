from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conversations.typeset import REPEAT
from scripts.experiments.repeats import match_originals
from scripts.experiments.stage import YARDS
from tests.scripts.experiments.scene import quiet

ANSWER, HERE = "Here it is: re:aaaaaaaa", "here"


@pytest.mark.parametrize(
    ("said", "row", "matched"),
    [
        ([ANSWER], {"text": REPEAT + ANSWER}, 1),
        ([ANSWER], {"text": ANSWER}, 0),
        ([ANSWER, ANSWER], {"text": REPEAT + ANSWER}, 1),
        ([ANSWER, REPEAT + ANSWER], {"text": REPEAT + ANSWER, "status": "ambiguous"}, 2),
        ([ANSWER], {"text": f"{REPEAT}Here it is: re:bbbbbbbb"}, 0),
        (["Here it"], {"text": REPEAT + ANSWER}, 1),
        (["A file"], {"text": REPEAT, "reply_to": 4711}, 0),
        ([REPEAT + "Here it"], {"text": REPEAT + "Here it", "status": "ambiguous", "reply_to": 4711}, 1),
        ([REPEAT.strip(), REPEAT.strip()], {"text": REPEAT, "status": "ambiguous", "reply_to": 4711}, 2),
        (["Here it"], {"text": REPEAT + ANSWER, "reply_to": 4711}, 0),
        ([ANSWER], {"text": REPEAT + ANSWER, "front": "account:1"}, 0),
        ([ANSWER], {"text": REPEAT + ANSWER, "chat_id": "4711"}, 0),
        ([ANSWER], {"text": REPEAT + ANSWER, "chat_id": "4711", "former_chat": "4712"}, 0),
        ([ANSWER], {"text": REPEAT + ANSWER, "chat_id": "4711", "former_chat": HERE}, 1),
    ],
)
def test_what_was_said_unheard_belongs_to_the_row_that_said_it_again(
    tmp_path: Path, said: list[str], row: dict[str, Any], matched: int
) -> None:
    with quiet(tmp_path) as scene:
        cast = scene.scene.cast
        asked = scene.ask("ask", "aaaaaaaa", cast.bot).message
        told = [scene.say(text, asked) for text in said]
        written = {"id": 1, "front": f"bot:{cast.bot.id}", "chat_id": str(cast.writers[3].id), "status": "sent"}
        former = written["chat_id"] if row.get("former_chat") == HERE else row.get("former_chat")
        rows = [{**written, "reply_to": asked.id_for(cast.bot), **row, "former_chat": former}]
        assert [one.number for one, _ in match_originals(told, rows)] == [one.number for one in told[:matched]]


def test_what_was_said_before_a_group_moved_belongs_to_the_row_that_said_it_again_there(tmp_path: Path) -> None:
    with quiet(tmp_path) as scene:
        cast = scene.scene.cast
        group = next(cast.groups[name] for name in YARDS if cast.front_in(cast.groups[name]) is cast.bot)
        told = scene.say(ANSWER, scene.ask("ask", "aaaaaaaa", group).message)
        there = str(scene.scene.world.upgrade(group).peer_id(cast.bot))
        row = {"id": 1, "front": f"bot:{cast.bot.id}", "chat_id": there, "status": "sent", "former_chat": None}
        assert [one.number for one, _ in match_originals([told], [row | {"text": REPEAT + ANSWER}])] == [told.number]
        assert not list(match_originals([told], [row | {"text": REPEAT + ANSWER, "chat_id": "4711"}]))


def test_what_is_some_rows_for_sure_is_not_displaced_by_what_is_perhaps(tmp_path: Path) -> None:
    with quiet(tmp_path) as scene:
        cast = scene.scene.cast
        asked = scene.ask("ask", "aaaaaaaa", cast.bot).message
        perhaps, sure = scene.say("Promise #1", asked), scene.say(ANSWER, asked)
        place = {"front": f"bot:{cast.bot.id}", "chat_id": str(cast.writers[3].id), "former_chat": None}
        row = {"id": 1, **place, "status": "sent", "text": REPEAT + ANSWER, "reply_to": asked.id_for(cast.bot)}
        assert [one.number for one, _ in match_originals([perhaps, sure], [row])] == [sure.number]
