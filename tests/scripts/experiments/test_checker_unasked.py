"""What nobody asked for: the checker sees it whichever front says it, and takes no wish for none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from integrations.telegram.presses import number_of
from scripts.experiments.mind import follower
from scripts.experiments.people import Asked
from scripts.experiments.stage import YARDS
from tests.scripts.experiments.scene import Quiet, quiet
from tests.world.telegram import SentMessage

ASK, KEEP = "aaaaaaaa", "bbbbbbbb"
ALERT = "A group has become a supergroup, and I go on there."


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Quiet]:
    """A question to each front that was answered, and a promise that was made and kept."""
    with quiet(tmp_path) as made:
        made.answer(made.ask("ask", ASK))
        made.answer(made.ask("ask", "cccccccc", made.scene.cast.bot))
        keep = made.ask("keep", KEEP)
        made.answer(keep)
        made.keep(keep)
        yield made


def unasked(scene: Quiet) -> list[str]:
    """How the lines begin that tell of what nobody asked for."""
    return [line.partition(" in ")[0] for line in scene.look() if line.partition(":")[0].endswith(" unasked")]


def notify(scene: Quiet, yard: str) -> Asked:
    """The service message by which a supergroup says that it was a group; nobody has written it."""
    there = scene.scene.world.upgrade(scene.scene.cast.groups[yard])
    posts = scene.scene.world.ledger.posts.values()
    [founded] = [one for one in posts if one.chat is there and one.action]
    return Asked(SentMessage.of(founded), founded.sender, there, "ask")


def asked(scene: Quiet) -> Asked:
    return scene.scene.people.asked[0]


def note(scene: Quiet, text: str, to: SentMessage) -> SentMessage:
    """What a front says by itself, with its row."""
    said = scene.say(text, to)
    said.post.reply_to = None
    scene.deliver(said, kind="notice")
    return said


@pytest.mark.parametrize("yard", YARDS)
def test_an_answer_to_a_service_message_is_seen_whichever_front_gives_it(scene: Quiet, yard: str) -> None:
    scene.answer(notify(scene, yard))
    assert unasked(scene) == ["taken up unasked: ''", "said unasked: 'Here it is: re:'"]


@pytest.mark.parametrize("yard", YARDS)
def test_so_is_a_service_message_that_joins_somebodys_turn(scene: Quiet, yard: str) -> None:
    scene.join(notify(scene, yard), 1)
    assert unasked(scene) == ["taken up unasked: ''"]


@pytest.mark.parametrize("yard", YARDS)
def test_and_an_answer_of_which_the_tables_say_that_it_was_somebodys(scene: Quiet, yard: str) -> None:
    said = scene.say("Nothing to do.", notify(scene, yard).message)
    scene.deliver(said, kind="answer", turn_id=1, part=1)
    assert unasked(scene) == ["said unasked: 'Nothing to do.'"]


def test_and_one_that_stays_behind_in_a_group_that_has_moved(scene: Quiet) -> None:
    group = scene.scene.cast.groups[YARDS[1]]
    [created] = [one for one in scene.scene.world.ledger.posts.values() if one.chat is group and one.action]
    scene.say("Nothing to do.", SentMessage.of(created))
    scene.scene.world.upgrade(group)
    assert scene.look() == [f"said unasked: 'Nothing to do.' in {-group.id}"]


def test_what_no_row_tells_of_is_a_fault_of_its_own(scene: Quiet) -> None:
    scene.say("By the way …", asked(scene).message)
    assert scene.look() == ["not in the table: 'By the way …'"]


def test_what_people_did_not_want_is_not_to_be_taken_up(scene: Quiet) -> None:
    asked(scene).wanted = False
    rules = [f"answered unasked: ask {ASK}", f"taken up unasked: 'ask:{ASK}'", f"said unasked: 'Here it is: re:{ASK}'"]
    assert unasked(scene) == rules


def test_a_promise_that_nobody_asked_for_is_seen_with_what_is_told_of_it(scene: Quiet) -> None:
    scene.change("UPDATE promises SET task_description = 'look around'")
    assert unasked(scene) == ["promised unasked: promise 1 ('look around')", f"said unasked: 'Here it is: kept:{KEEP}'"]


def test_what_follows_a_promise_was_asked_for_with_it(scene: Quiet) -> None:
    scene.change(f"UPDATE promises SET task_description = 'append:{follower(KEEP)} after {KEEP}'")
    assert unasked(scene) == []


# -- paid calls


@pytest.mark.parametrize("question", ["[empty message]", f"ask:{'d' * 8}", f"ask:{ASK}\nask:{'d' * 8}"])
def test_a_model_is_asked_for_nothing_that_nobody_asked(scene: Quiet, question: str) -> None:
    scene.scene.mind.questions |= {f"ask:{ASK}", f"append:{follower(KEEP)}"}
    assert scene.look() == []
    scene.scene.mind.questions.add(question)
    assert scene.look() == [f"paid unasked: {question!r}"]


# -- what a front may say by itself


@pytest.mark.parametrize("front", [0, 1])
def test_what_the_owner_must_know_is_told_to_the_owner_alone(scene: Quiet, front: int) -> None:
    cast, people = scene.scene.cast, scene.scene.people
    owners = people.say(cast.owner, cast.fronts[front], "ping", "command").message
    others = people.say(cast.writers[1], cast.fronts[front], "ping", "command").message
    note(scene, ALERT, owners)
    assert unasked(scene) == []
    note(scene, ALERT, others)
    note(scene, ALERT, people.say(cast.owner, cast.groups["Dev"], "ping", "command").message)
    note(scene, "By the way …", owners)
    assert unasked(scene) == [f"said unasked: {text!r}" for text in (ALERT, ALERT, "By the way …")]


# -- wishes without a message


def test_what_a_press_comes_to_replies_to_one_of_ours(scene: Quiet) -> None:
    told = scene.say("Pressed already.", answer_in(scene, "cccccccc"))
    scene.deliver(told, kind="answer", turn_id=2, part=1)
    assert unasked(scene) == []


def answer_in(scene: Quiet, nonce: str) -> SentMessage:
    return next(one for one in scene.scene.world.messages() if f"re:{nonce}" in one.text)


@pytest.mark.parametrize("is_pressed", [True, False])
def test_a_press_is_a_wish(scene: Quiet, is_pressed: bool) -> None:
    query = scene.press(answer_in(scene, "cccccccc"), "Cancel", "/cancel 1")
    scene.join(scene.scene.people.asked[1], 2, number_of(query if is_pressed else "a press of nobody's"))
    assert unasked(scene) == ([] if is_pressed else ["taken up unasked: 'ask:cccccccc'"])


@pytest.mark.parametrize("giver", [3, 4])
def test_so_is_a_thumb_of_who_gave_it(scene: Quiet, giver: int) -> None:
    cast, answer = scene.scene.cast, answer_in(scene, ASK)
    scene.scene.world.react(cast.writers[3], answer, "👍")
    scene.join(asked(scene), 1, -7)
    thumb = {"number": answer.id_for(cast.valor), "giver": cast.writers[giver].id}
    scene.change("UPDATE messages SET reply_to = :number, sender_id = :giver WHERE message_id = -7", **thumb)
    assert unasked(scene) == ([] if giver == 3 else [f"taken up unasked: 'ask:{ASK}'"])
