"""What the checker finds of the files that the model sends."""

from __future__ import annotations

import pytest

from conversations.typeset import REPEAT
from scripts.experiments.mind import shown
from scripts.experiments.people import Asked
from scripts.experiments.stage import YARDS
from tests.scripts.experiments.scene import Quiet


@pytest.mark.parametrize(
    ("files", "sorry", "wrong"),
    [
        (1, "", []),
        (0, "", ["sent 0 times: the file of show eeeeeeee"]),
        (2, "", ["sent 2 times: the file of show eeeeeeee"]),
        (0, "Not done. ", []),
        (2, "Not done. ", ["sent 2 times: the file of show eeeeeeee"]),
    ],
)
def test_a_file_is_sent_once_when_that_was_told_and_never_twice(
    scene: Quiet, files: int, sorry: str, wrong: list[str]
) -> None:
    asked = scene.ask("show", "eeeeeeee")
    turn = scene.answer(asked)
    (answer,) = scene.scene.world.messages(sender=scene.scene.cast.valor)
    if sorry:
        scene.scene.world.edit(answer, f"{sorry}Here it is: re:eeeeeeee")
    scene.change(f"UPDATE deliveries SET text = '{sorry}' || text WHERE turn_id = {turn}")
    for number in range(files):
        send_file(scene, asked, turn, number)
    assert scene.look() == wrong


def test_a_file_goes_to_the_chat_that_asked(scene: Quiet) -> None:
    asked, group = scene.ask("show", "eeeeeeee"), scene.scene.cast.groups[YARDS[0]]
    turn = scene.answer(asked)
    send_file(scene, scene.ask("ask", "ffffffff", group), turn, 0, "eeeeeeee")
    assert "sent elsewhere: the file of show eeeeeeee" in scene.look()


def test_a_file_that_the_bot_sends_once_more_says_that_it_may_be_a_repeat(scene: Quiet) -> None:
    asked = scene.ask("show", "eeeeeeee", scene.scene.cast.bot)
    turn = scene.answer(asked)
    media = scene.scene.world.media("document", "show.txt", shown("eeeeeeee").encode(), "text/plain")
    scene.say("", asked.message, media)
    again = scene.say(REPEAT, asked.message, media)
    scene.deliver(again, kind="file", turn_id=turn)
    scene.change("UPDATE deliveries SET text = :text WHERE kind = 'file'", text=REPEAT)
    assert scene.look() == []
    scene.scene.world.edit(again, "Here.")
    assert "sent 2 times: the file of show eeeeeeee" in scene.look()


def send_file(scene: Quiet, asked: Asked, turn: int, number: int, nonce: str = "") -> None:
    content = f"{shown(nonce or asked.nonce)}\n".encode()
    media = scene.scene.world.media("document", "show.txt", content, "text/plain")
    sent = scene.say("", asked.message, media)
    scene.deliver(sent, kind="file", part=number, turn_id=turn)
