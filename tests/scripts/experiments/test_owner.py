from __future__ import annotations

import random
from pathlib import Path

import pytest

from scripts.experiments.mind import permitted
from scripts.experiments.owner import Owner
from tests.scripts.experiments.scene import Quiet, quiet
from tests.world.telegram import SentMessage

QUESTION = 'Promise #7 (permit:aaaaaaaa) wants to use write_file with\n\n{{"path": "{}"}}'


def question(scene: Quiet, front: str) -> SentMessage:
    cast = scene.scene.cast
    asked = scene.ask("permit", "aaaaaaaa", cast.bot if front == "bot" else cast.valor)
    return scene.say(QUESTION.format(permitted("aaaaaaaa")), asked.message)


@pytest.mark.parametrize(
    ("front", "ways"), [("account", {"number", "reply", "react"}), ("bot", {"number", "reply", "press"})]
)
def test_each_question_is_decided_once_by_one_of_the_ways_of_its_front(
    tmp_path: Path, front: str, ways: set[str]
) -> None:
    with quiet(tmp_path) as scene:
        asked = question(scene, front)
        owners = [Owner(scene.scene.world, scene.scene.cast, random.Random(seed)) for seed in range(40)]
        decided = [owner.decide() for owner in owners]
        assert {deed for each in decided for _, deed, _ in each} == ways
        assert {said.number for each in decided for said, _, _ in each} == {asked.number}
        assert all(bool(owner.allowed) is not bool(owner.refused) for owner in owners)
        assert [owner.decide() for owner in owners] == [[]] * 40


def test_whoever_is_not_understood_says_it_again_with_the_number(tmp_path: Path) -> None:
    with quiet(tmp_path) as scene:
        owner = Owner(scene.scene.world, scene.scene.cast, random.Random(1))
        asked = question(scene, "account")
        owner.decide()
        replied = scene.scene.world.say(scene.scene.cast.writers[3], scene.scene.cast.valor, "refuse", asked)
        scene.say("Say which promise: /refuse NUMBER, or reply `refuse` to its message.", replied)
        assert [(one.number, *rest) for one, *rest in owner.decide()] == [(asked.number, "number", "/refuse 7")]
