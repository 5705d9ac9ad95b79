"""A checker that cannot fail is a defect: every rule is broken once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.experiments.mind import STAMPS
from tests.scripts.experiments.scene import Quiet, quiet
from tests.world.telegram import SentMessage

ASK, KEEP = "aaaaaaaa", "bbbbbbbb"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Quiet]:
    """One question that was answered, one promise that was made and kept."""
    with quiet(tmp_path) as made:
        made.answer(made.ask("ask", ASK))
        keep = made.ask("keep", KEEP)
        made.answer(keep)
        made.keep(keep)
        yield made


def test_a_scene_as_it_should_be_has_no_violation(scene: Quiet) -> None:
    assert scene.look() == []


def forget_row(scene: Quiet) -> None:
    scene.change("DELETE FROM messages WHERE text LIKE 'ask:%'")


def refuse(scene: Quiet) -> None:
    scene.change("UPDATE messages SET turn_id = NULL, reason = 'too old' WHERE text LIKE 'ask:%'")


def answer_again(scene: Quiet) -> None:
    scene.say(f"Here it is: re:{ASK}", scene.scene.people.asked[0].message)


def answer_nothing(scene: Quiet) -> None:
    scene.scene.world.delete(said(scene, f"re:{ASK}"))


def answer_another(scene: Quiet) -> None:
    """The answer to one message is given to the other."""
    scene.scene.world.delete(said(scene, f"re:{ASK}"))
    scene.say(f"Here it is: re:{ASK}", scene.scene.people.asked[1].message)


def answer_unasked(scene: Quiet) -> None:
    scene.scene.people.asked[0].wanted = False


def fail_turn(scene: Quiet) -> None:
    scene.change("UPDATE turns SET status = 'failed' WHERE id = 1")


def never_settle(scene: Quiet) -> None:
    scene.change("UPDATE promises SET status = 'in_progress'")


def settle_untold(scene: Quiet) -> None:
    scene.change("UPDATE deliveries SET promise_id = NULL WHERE kind = 'result'")


def tell_result_twice(scene: Quiet) -> None:
    scene.say(f"Here it is: kept:{KEEP}", scene.scene.people.asked[1].message)


def fail_promise(scene: Quiet) -> None:
    scene.change("UPDATE promises SET status = 'failed'")


def forget_promise(scene: Quiet) -> None:
    scene.change("UPDATE deliveries SET promise_id = NULL")
    scene.change("DELETE FROM promises")


def tell_past_the_table(scene: Quiet) -> None:
    scene.say("By the way …", scene.scene.people.asked[0].message)


def tell_another_text(scene: Quiet) -> None:
    scene.change("UPDATE deliveries SET text = 'another' WHERE id = 1")


def note_what_was_not_sent(scene: Quiet) -> None:
    scene.change("UPDATE deliveries SET message_id = 4711 WHERE id = 1")


def deliver_never(scene: Quiet) -> None:
    scene.change("UPDATE deliveries SET status = 'ready' WHERE id = 1")


def tell_in_disorder(scene: Quiet) -> None:
    scene.change("UPDATE deliveries SET id = 99 WHERE id = 1")


def append_twice(scene: Quiet) -> None:
    scene.lines.write_text(f"{KEEP}\n{KEEP}\n")


def append_never(scene: Quiet) -> None:
    scene.lines.unlink()


def write_at_once(scene: Quiet) -> None:
    (scene.lines.parent / STAMPS).write_text("+ one 1\n+ two 2\n- one 3\n- two 4\n")


def pay_twice(scene: Quiet) -> None:
    scene.scene.mind.paid_twice.append("request 1")


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (forget_row, f"lost: ask {ASK} has no row"),
        (refuse, f"lost: ask {ASK} was not to be answered (too old)"),
        (answer_again, f"answered 2 times: ask {ASK}"),
        (answer_nothing, f"answered 0 times: ask {ASK}"),
        (answer_another, f"answered to another message: ask {ASK}"),
        (answer_unasked, f"answered unasked: ask {ASK}"),
        (fail_turn, f"failed: ask {ASK}"),
        (never_settle, f"never settled: promise 1 ({KEEP})"),
        (settle_untold, f"told 0 times: promise 1 ({KEEP}) in the tables"),
        (tell_result_twice, f"told 2 times: promise 1 ({KEEP})"),
        (fail_promise, f"failed: promise 1 ({KEEP})"),
        (forget_promise, f"lost: keep {KEEP} is no promise"),
        (tell_past_the_table, "not in the table: 'By the way …'"),
        (tell_another_text, "another text in the chat: delivery 1"),
        (note_what_was_not_sent, "not in the chat: delivery 1"),
        (deliver_never, "never delivered: answer 1 is ready"),
        (tell_in_disorder, "out of order: answer 2 after answer 99 in "),
        (append_twice, f"2 lines: keep {KEEP}"),
        (append_never, f"0 lines: keep {KEEP}"),
        (write_at_once, "two writers: two began while one wrote"),
        (pay_twice, "paid twice: request 1"),
    ],
)
def test_whatever_is_wrong_is_found_and_named(scene: Quiet, spoil: Callable[[Quiet], None], rule: str) -> None:
    spoil(scene)
    assert any(line.startswith(rule) for line in scene.look())


@pytest.mark.parametrize("answers", [0, 1, 2])
def test_a_turn_that_was_stopped_is_told_so_once_under_any_of_its_messages(scene: Quiet, answers: int) -> None:
    """What had grown when it was stopped replies to what asked for it, not to the wish."""
    asked = scene.ask("long", "cccccccc")
    turn = scene.answer(asked, "stopped")
    scene.scene.world.edit(said(scene, "re:cccccccc"), "Stopped.")
    wish = scene.ask("stop", "")
    scene.join(wish, turn)
    if answers == 0:
        scene.scene.world.delete(said(scene, "Stopped."))
    elif answers == 2:
        scene.say("Stopped.", wish.message)
    told = [line for line in scene.look() if line.startswith("answered")]
    each = [f"answered {answers} times: {what} (stopped)" for what in ("long cccccccc", f"stop {wish.message.number}")]
    assert told == ([] if answers == 1 else each)


def test_what_failed_while_the_model_was_away_is_excused(scene: Quiet) -> None:
    fail_turn(scene)
    fail_promise(scene)
    assert any(line.startswith("failed") for line in scene.look())
    assert not any(line.startswith("failed") for line in scene.look(turns=(1,), promises=(1,)))


def said(scene: Quiet, words: str) -> SentMessage:
    return next(one for one in scene.scene.world.messages() if words in one.text)
