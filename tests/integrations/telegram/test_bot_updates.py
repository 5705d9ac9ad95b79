from __future__ import annotations

from typing import Any

import pytest

from core.clock import FakeClock
from integrations.telegram.bot_line import ServerClock
from integrations.telegram.bot_updates import Updates
from tests.integrations.telegram.desk import Desk


class Answers(dict[str, str]):
    """What who pressed was told, by press."""

    async def __call__(self, query: str, text: str) -> None:
        assert query not in self
        self[query] = text


def told(number: int, chat: int, text: str) -> dict[str, Any]:
    place = {"id": chat, "type": "private" if chat > 0 else "group", "title": "x"}
    return {"update_id": number, "message": {"message_id": number, "date": 1, "chat": place, "text": text}}


async def test_b1_each_chat_is_handed_over_in_order_and_what_cannot_be_read_is_counted() -> None:
    desk = Desk()
    updates = Updates(100, ServerClock(FakeClock()), desk, Answers())
    odd: list[dict[str, Any]] = [
        {"update_id": 3},
        {"update_id": 4, "poll": {}},
        {"update_id": 5, "message": {"message_id": 1}},
    ]
    await updates.take([told(1, 5, "a"), told(2, -7, "b"), *odd, told(6, 5, "c")])
    assert [text for text in desk.texts if text != "b"] == ["a", "c"]
    assert "b" in desk.texts
    assert updates.unread == {"nothing": 1, "poll": 1, "message": 1}


async def test_b1_what_a_library_stumbles_over_costs_no_message() -> None:
    desk = Desk()
    update = told(1, 5, "the words count")
    update["message"] |= {"poll": {"id": "without all that a poll needs"}, "entities": 5}
    await Updates(100, ServerClock(FakeClock()), desk, Answers()).take([update])
    assert desk.texts == ["the words count"]


async def test_b8_what_waited_is_handed_over_by_chat() -> None:
    desk = Desk()
    updates = Updates(100, ServerClock(FakeClock()), desk, Answers())
    await updates.take([told(1, 5, "a"), told(2, -7, "b"), told(3, 5, "c")], has_waited=True)
    assert sorted(desk.waited) == [["a", "c"], ["b"]]


@pytest.mark.parametrize(
    ("member", "is_part"),
    [
        ({"status": "member"}, True),
        ({"status": "left"}, False),
        ({"status": "kicked", "until_date": 0}, False),
        ({"status": "restricted", "is_member": True}, True),
        ({"status": "restricted", "is_member": False}, False),
    ],
)
async def test_a8_who_is_restricted_may_have_left_the_group(member: dict[str, Any], is_part: bool) -> None:
    desk = Desk()
    person = {"id": 100, "is_bot": True, "first_name": "Valor"}
    change = {"chat": {"id": -7, "type": "group", "title": "x"}, "from": person, "date": 1}
    change |= {"old_chat_member": {"user": person, "status": "member"}, "new_chat_member": {"user": person, **member}}
    await Updates(100, ServerClock(FakeClock()), desk, Answers()).take([{"update_id": 1, "my_chat_member": change}])
    assert desk.memberships == [("-7", "x", is_part)]


ORIGIN: dict[str, Any] = {"type": "user", "date": 1, "sender_user": {"id": 6, "is_bot": False, "first_name": "Max"}}
NAMELESS = ORIGIN | {"sender_user": {"id": 6, "is_bot": False}}
ODD = {"poll": {"id": "without all that a poll needs"}}


@pytest.mark.parametrize(
    "odd", [{"forward_origin": ORIGIN} | ODD, {"forward_origin": ORIGIN, "entities": 5}, {"forward_origin": NAMELESS}]
)
async def test_b7_what_a_library_stumbles_over_stays_the_words_of_others(odd: dict[str, Any]) -> None:
    desk, update = Desk(), told(1, 5, "/approve 7")
    update["message"] |= odd
    await Updates(100, ServerClock(FakeClock()), desk, Answers()).take([update])
    assert [(message.text, message.forwarded_from) for message in desk.messages] == [("/approve 7", "")]


async def test_p11_and_a_reply_what_it_replies_to() -> None:
    """An `approve` means that question."""
    desk, update = Desk(), told(3, 5, "approve")
    updates = Updates(100, ServerClock(FakeClock()), desk, Answers())
    question = told(1, 5, "May I?")["message"] | ODD | {"from": {"id": 100, "is_bot": True, "first_name": "Valor"}}
    for replied in (question, question | {"date": "yesterday"}):
        await updates.take([{**update, "message": update["message"] | {"reply_to_message": replied}}])
    replies = [(one.text, one.reply_to, one.replied and one.replied.text) for one in desk.messages]
    assert replies == [("approve", 1, "May I?"), ("approve", None, None)]


async def test_a4_and_a_copied_post_nobodys_message() -> None:
    desk, update = Desk(), told(1, -7, "news of the day")
    channel = {"id": -1009, "type": "channel", "title": "News"}
    update["message"] |= {"sender_chat": channel, "is_automatic_forward": True} | ODD
    await Updates(100, ServerClock(FakeClock()), desk, Answers()).take([update])
    assert [message.sender.is_bot for message in desk.messages] == [True]
