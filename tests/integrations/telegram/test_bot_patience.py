"""What a bot was asked to wait for, and whom it holds back."""

from __future__ import annotations

import pytest

from core.clock import FakeClock
from core.errors import FloodWait
from integrations.telegram.bot_patience import BotPatience
from integrations.telegram.budget import Budget


class Patience:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.of = BotPatience(Budget(self.clock))

    def left(self, method: str, chat: str | None = "1") -> float:
        try:
            self.of.check(method, chat)
        except FloodWait as wait:
            return wait.seconds
        return 0.0


@pytest.fixture
def patience() -> Patience:
    return Patience()


def test_b2_one_chat_waits_with_all_that_it_would_see(patience: Patience) -> None:
    patience.of.refused("sendMessage", "1", 600)
    patience.clock.advance(100)
    calls = ("sendMessage", "editMessageText", "setMessageReaction", "sendChatAction")
    assert [patience.left(method) for method in calls] == [500] * 4
    assert [patience.left("sendMessage", "2"), patience.left("sendChatAction", "2"), patience.left("getMe", None)] == [
        0.0
    ] * 3
    patience.clock.advance(500)
    assert patience.left("sendMessage") == 0


def test_b2_what_two_chats_are_refused_all_wait_for_and_the_bot_goes_on_listening(patience: Patience) -> None:
    patience.of.refused("sendMessage", "1", 60)
    patience.of.refused("editMessageText", "2", 7)
    assert [patience.left("sendMessage", chat) for chat in "123"] == [60, 7, 7]
    assert patience.left("setMessageReaction", "3") == 7
    assert patience.left("getUpdates", None) == 0


def test_b2_a_chat_that_is_refused_again_is_still_one(patience: Patience) -> None:
    for seconds in (5, 9):
        patience.of.refused("sendMessage", "1", seconds)
    patience.clock.advance(9)
    patience.of.refused("sendMessage", "2", 3)  # the first one's wait is over
    assert [patience.left("sendMessage", chat) for chat in "123"] == [0, 3, 0]


def test_b2_what_is_refused_for_no_chat_is_refused_for_the_bot(patience: Patience) -> None:
    patience.of.refused("getMe", None, 8)
    assert [patience.left("getUpdates", None), patience.left("sendMessage"), patience.left("sendChatAction")] == [8] * 3


def test_b2_decoration_gives_way_first(patience: Patience) -> None:
    patience.of.refused("setMessageReaction", "1", 20)
    patience.of.refused("sendChatAction", "2", 10)
    assert [patience.left("sendChatAction", chat) for chat in "123"] == [20, 10, 10]
    assert [patience.left("sendMessage", chat) for chat in "123"] == [0, 0, 0]
