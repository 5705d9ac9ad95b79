"""What a send comes to: whom it answers, and the number that Telegram gave it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from telethon.tl import types as tl

from core.errors import Unreachable
from integrations.telegram.sending import reply_of, sent_id

WHEN = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("message_id", "topic", "target"),
    [
        (None, 0, None),
        (5, 0, tl.InputReplyToMessage(5)),
        (None, 9, tl.InputReplyToMessage(9)),
        (5, 9, tl.InputReplyToMessage(5, top_msg_id=9)),
    ],
)
def test_b7_in_a_topic_a_message_answers_at_least_the_topic(message_id: int | None, topic: int, target: Any) -> None:
    assert reply_of(message_id, topic) == target


def test_p3_the_number_is_that_of_the_key_however_telegram_says_it() -> None:
    short = tl.UpdateShortSentMessage(7, 1, 1, WHEN, out=True)
    others: list[Any] = [tl.UpdateMessageID(6, 40), tl.UpdateMessageID(8, 41)]
    assert (sent_id(short, 41), sent_id(tl.Updates(others, [], [], WHEN, 1), 41)) == (7, 8)


@pytest.mark.parametrize("told", [tl.Updates([tl.UpdateMessageID(6, 40)], [], [], WHEN, 1), tl.UpdatesTooLong()])
def test_p3_a_send_whose_number_nobody_says_has_an_unknown_outcome(told: Any) -> None:
    with pytest.raises(Unreachable, match="without saying its number"):
        sent_id(told, 41)
