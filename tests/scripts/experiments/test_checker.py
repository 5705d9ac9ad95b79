"""A checker that cannot fail is a defect: every rule is broken once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conversations.typeset import REPEAT
from core.schema import consents
from integrations.telegram.presses import number_of
from scripts.experiments.checker import Checker
from scripts.experiments.mind import STAMPS, permitted
from scripts.experiments.scene import Excuses
from scripts.experiments.spoken import key_of
from scripts.experiments.stage import YARDS
from tests.scripts.experiments.scene import NOW, Quiet, quiet
from tests.world.telegram import RefusalError, SentMessage

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


def answer_in_a_file(scene: Quiet) -> None:
    """As what is too long for messages is: its beginning stands before it."""
    answer = said(scene, f"re:{ASK}")
    text, whole = "Here it", scene.scene.world.media("document", "answer.md", answer.text.encode(), "text/markdown")
    answer.post.media = whole
    scene.scene.world.edit(answer, text)
    scene.change("UPDATE deliveries SET text = :text WHERE id = 1", text=text)


def test_an_answer_may_stand_in_a_file(scene: Quiet) -> None:
    answer_in_a_file(scene)
    assert scene.look() == []


def test_a_file_repeats_its_own_beginning_and_nobody_elses(scene: Quiet) -> None:
    answer = said(scene, f"re:{ASK}")
    file = scene.say(
        "", scene.scene.people.asked[0].message, scene.scene.world.media("document", "answer.md", answer.text.encode())
    )
    scene.deliver(file, kind="answer", part=1, turn_id=1)
    assert scene.look() == []
    scene.change("UPDATE deliveries SET turn_id = 2, kind = 'file' WHERE part = 1")
    assert f"answered 2 times: ask {ASK}" in scene.look()


def test_a_change_that_changes_nothing_is_a_moment_too(scene: Quiet) -> None:
    answer = said(scene, f"re:{ASK}")
    with pytest.raises(RefusalError):
        scene.scene.world.edit(answer, answer.text)
    ledger = scene.scene.world.ledger
    assert Checker(scene.scene, Excuses())._spans[answer.number][1] == len(ledger.deeds)


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
    assert not any(line.startswith("failed") for line in scene.look(turns={1}, promises={1}))


# -- the bot, which has no key for a send


@pytest.fixture
def bots(tmp_path: Path) -> Iterator[Quiet]:
    """One question to the bot that was answered."""
    with quiet(tmp_path) as made:
        made.answer(made.ask("ask", ASK, made.scene.cast.bot))
        yield made


def repeat(scene: Quiet, text: str, **row: object) -> SentMessage:
    """The answer is said again; the row is the repeat's, or nobody's."""
    again = scene.say(text, scene.scene.people.asked[0].message)
    scene.change("UPDATE deliveries SET message_id = NULL WHERE id = 1")
    values = {"text": text, "message_id": key_of(again, scene.scene.cast)[2], "status": "sent", **row}
    scene.change(
        "UPDATE deliveries SET text = :text, message_id = :message_id, status = :status WHERE id = 1", **values
    )
    return again


def test_what_the_bot_was_asked_and_answered_is_as_it_should_be(bots: Quiet) -> None:
    assert bots.look() == []


@pytest.mark.parametrize("row", [{}, {"status": "ambiguous", "message_id": None}])
def test_a_possible_repeat_of_the_bots_that_says_so_is_none(bots: Quiet, row: dict[str, object]) -> None:
    repeat(bots, f"{REPEAT}Here it is: re:{ASK}", **row)
    assert bots.look() == []


def test_what_the_bot_said_twice_without_ever_hearing_so_is_in_doubt_but_not_lost(bots: Quiet) -> None:
    bots.scene.world.delete(said(bots, f"re:{ASK}"))
    assert f"answered 0 times: ask {ASK}" in bots.look()
    bots.change(
        "UPDATE deliveries SET status = 'ambiguous', message_id = NULL, text = :text",
        text=f"{REPEAT}Here it is: re:{ASK}",
    )
    assert bots.look() == []
    bots.change("UPDATE deliveries SET text = 'something else'")
    assert f"answered 0 times: ask {ASK}" in bots.look()


def test_an_answer_of_the_bots_that_does_not_say_it_may_be_a_repeat_is_one_too_many(bots: Quiet) -> None:
    repeat(bots, f"Here it is: re:{ASK}")
    told = bots.look()
    assert f"answered 2 times: ask {ASK}" in told
    assert f"not in the table: 'Here it is: re:{ASK}'" in told


def test_a_second_possible_repeat_is_one_too_many(bots: Quiet) -> None:
    repeat(bots, f"{REPEAT}Here it is: re:{ASK}")
    bots.say(f"{REPEAT}Here it is: re:{ASK}", bots.scene.people.asked[0].message)
    assert f"answered 3 times: ask {ASK}" in bots.look()


def test_the_account_may_not_say_that_it_repeats_itself(scene: Quiet) -> None:
    repeat(scene, f"{REPEAT}Here it is: re:{ASK}")
    assert f"answered 2 times: ask {ASK}" in scene.look()


def test_what_the_bot_had_begun_to_say_belongs_to_the_row_that_it_repeated(bots: Quiet) -> None:
    """A beginning that nobody knew of stays behind."""
    bots.scene.world.edit(said(bots, f"re:{ASK}"), "Here it")
    repeat(bots, f"{REPEAT}Here it is: re:{ASK}")
    assert bots.look() == []


@pytest.mark.parametrize(("row", "told", "lost"), [(True, "", []), (False, "Pressed already.", []), (False, "", [1])])
def test_a_press_has_its_row_or_is_told_why_not(bots: Quiet, row: bool, told: str, lost: list[int]) -> None:
    asked = bots.scene.people.asked[0]
    query = bots.press(said(bots, f"re:{ASK}"), "Cancel", "/cancel 1")
    bots.scene.api.hub(bots.scene.cast.bot).answered[query] = told
    if row:
        bots.join(asked, 1, number=number_of(query))
    assert [line for line in bots.look() if line.startswith("lost")] == [
        f"lost: a press of 'Cancel' under 'Here it is: re:{ASK}'" for _ in lost
    ]


# -- consent


ASKED_FOR: dict[str, object] = {"arguments": {}, "digest": "", "asked_at": NOW, "expires_at": NOW}


def permit(scene: Quiet, *, allowed: bool, written: bool) -> None:
    """A turn that asked for consent, and the promise that it became, which was kept."""
    asked = scene.ask("permit", "dddddddd")
    turn = scene.answer(asked)
    scene.scene.world.delete(said(scene, "re:dddddddd"))
    scene.change(f"DELETE FROM deliveries WHERE turn_id = {turn}")
    promise = scene.keep(asked, "permit")
    scene.change("UPDATE promises SET run_id = 'run_dddddddd' WHERE id = :promise", promise=promise)
    scene.add(consents, run_id="run_dddddddd", key="1", promise_id=promise, tool="write_file", **ASKED_FOR)
    if allowed:
        scene.scene.people.owner.allowed.add(asked.nonce)
    if written:
        (scene.lines.parent / permitted(asked.nonce)).write_text("")


@pytest.mark.parametrize(
    ("allowed", "written", "wrong"),
    [
        (True, True, []),
        (False, True, ["done without consent: permit dddddddd"]),
        (True, False, ["not done: permit dddddddd"]),
    ],
)
def test_what_needs_consent_is_done_with_it_alone(scene: Quiet, allowed: bool, written: bool, wrong: list[str]) -> None:
    permit(scene, allowed=allowed, written=written)
    assert scene.look() == wrong
    scene.change("DELETE FROM consents")
    assert scene.look() == ["lost: permit dddddddd asked for no consent", *wrong]


@pytest.mark.parametrize(("refused", "excused"), [(True, False), (False, True), (False, False)])
def test_a_promise_fails_only_because_it_was_refused_or_nobody_could_allow_it(
    scene: Quiet, refused: bool, excused: bool
) -> None:
    reason = "Olivia refused `write_file`." if refused else "Nobody allowed `write_file` in time."
    permit(scene, allowed=False, written=False)
    scene.scene.world.delete(said(scene, "kept:dddddddd"))
    scene.change(f"UPDATE promises SET status = 'failed', error_message = '{reason}' WHERE id = 2")
    scene.change("DELETE FROM deliveries WHERE promise_id = 2 AND kind <> 'result'")
    if refused:
        scene.scene.people.owner.refused.add("dddddddd")
    failed = [line for line in scene.look(unallowed={2} if excused else set()) if line.startswith("failed")]
    assert bool(failed) is not (refused or excused)


# -- groups that move


@pytest.mark.parametrize("yard", YARDS)
def test_what_was_asked_before_a_group_moved_is_answered_where_it_went(tmp_path: Path, yard: str) -> None:
    with quiet(tmp_path) as scene:
        group = scene.scene.cast.groups[yard]
        told, asked = scene.ask("ask", ASK, group), scene.ask("ask", KEEP, group)
        stopped = scene.ask("ask", "cccccccc", group)
        scene.answer(told)
        there = scene.scene.world.upgrade(group)
        scene.answer(asked)
        scene.answer(stopped, "failed")
        scene.scene.world.edit(said(scene, "re:cccccccc"), "That failed.")
        scene.change("UPDATE deliveries SET text = 'That failed.' WHERE text LIKE '%re:cccccccc'")
        assert said(scene, f"re:{KEEP}").chat is there
        assert scene.look(turns={3}) == []
        scene.scene.world.delete(said(scene, "That failed."))
        assert "answered 0 times: ask cccccccc (failed)" in scene.look(turns={3})


def said(scene: Quiet, words: str) -> SentMessage:
    return next(one for one in scene.scene.world.messages() if words in one.text)
