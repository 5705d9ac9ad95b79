from __future__ import annotations

from conversations.pace import IDLE_MARKS, Pace, Paces
from core.clock import FakeClock
from core.message import Chat

ACCOUNT, BOT = "account:1", "bot:2"
PERSON, GROUP = Chat(ACCOUNT, "5"), Chat(ACCOUNT, "-1005/7")


def test_b3_a_group_changes_more_slowly_and_its_topics_share_that() -> None:
    clock = FakeClock()
    pace = Pace(clock, Paces())
    assert (pace.gap(PERSON), pace.gap(GROUP), pace.seconds_until(GROUP, 1)) == (1, 3, 0)
    pace.change(GROUP)
    clock.advance(1)
    assert pace.seconds_until(Chat(ACCOUNT, "-1005/8"), 2) == 2
    assert pace.seconds_until(Chat(BOT, "-1005/7"), 1) == pace.seconds_until(PERSON, 1) == 0


def test_b3_a_front_that_was_refused_is_slower_for_a_while_in_all_its_chats() -> None:
    clock = FakeClock()
    pace = Pace(clock, Paces())
    pace.refused(PERSON, 30)
    clock.advance(5)
    pace.refused(GROUP, 25)  # the same refusal, told to another chat
    assert (pace.gap(PERSON), pace.gap(GROUP), pace.gap(Chat(BOT, "5"))) == (2, 6, 1)
    for _ in range(9):
        clock.advance(30)
        pace.refused(PERSON, 30)
    assert pace.gap(GROUP) == 60
    clock.advance(600)
    assert pace.gap(PERSON) == 1


def test_b3_what_is_final_waits_no_longer_after_refusals() -> None:
    pace = Pace(FakeClock(), Paces())
    pace.refused(PERSON, 30)
    pace.change(PERSON)
    assert pace.seconds_until(PERSON, 1) == 1


def test_b3_a_new_message_puts_off_only_its_own_changes() -> None:
    clock = FakeClock()
    pace = Pace(clock, Paces())
    pace.change(PERSON)
    clock.advance(0.75)
    pace.begin(PERSON, 2)
    assert (pace.seconds_until(PERSON, 1), pace.seconds_until(PERSON, 2)) == (0.25, 1)


def test_b3_chats_long_quiet_are_forgotten() -> None:
    clock = FakeClock()
    pace = Pace(clock, Paces())
    for number in range(IDLE_MARKS + 2):
        clock.advance(1)
        pace.change(Chat(ACCOUNT, str(number)))
    assert len(pace._marks) < 10
